"""Between a network and the seam: what the network is shown and asked for at each noise level, as one table.

    x0 = mean + skip * (x - mean) + out * network(inner * (x - mean), level)

| | skip | out | inner | level |
|---|---|---|---|---|
| EDM | s^2 / (sigma^2 + s^2) | sigma s / sqrt(sigma^2 + s^2) | 1 / sqrt(sigma^2 + s^2) | log(sigma) / 4 |
| flow | 1 / (1 + sigma) | -sigma / (1 + sigma) | 1 / (1 + sigma) | log(sigma) / 4 |
| DDPM | 1 | -sigma | 1 / sqrt(1 + sigma^2) | step of the table, as one of 1,000 |

with s the standard deviation of the data. Flow's network gives the velocity, noise minus image; DDPM's gives the noise.

Reference:
    Karras 2022, Elucidating the Design Space of Diffusion-Based Generative Models, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.diffusion.condition import Condition
from training.diffusion.config import NetworkConfig, NetworkKind, Objective, ObjectiveConfig
from training.diffusion.lean_network import LeanNetwork
from training.diffusion.schedules import ddpm_sigmas
from training.diffusion.thesis_network import ThesisNetwork

LEVELS = 1000.0
"""Steps of any DDPM are told to the network as if there were so many."""

_NETWORKS: dict[NetworkKind, type[LeanNetwork | ThesisNetwork]] = {
    NetworkKind.LEAN: LeanNetwork,
    NetworkKind.THESIS: ThesisNetwork,
}


@dataclass(frozen=True)
class Coefficients:
    """One row of the table, each [B, 1, 1, 1], and the level [B]."""

    skip: Tensor
    out: Tensor
    inner: Tensor
    level: Tensor


class Denoiser(nn.Module):
    """A network behind the seam `denoise(x, sigma, condition) -> x0`.

    Args:
        network: which, and how large.
        objective: what it is asked for.
        styles: how many there are.
    """

    def __init__(self, network: NetworkConfig, objective: ObjectiveConfig, styles: int) -> None:
        super().__init__()
        self.network = _NETWORKS[network.kind](network, styles)
        self.objective = objective
        self.any_style = styles
        table = ddpm_sigmas(objective.betas, objective.ddpm_steps)
        self.register_buffer("table", table, persistent=False)

    def forward(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """Give the expected image; arguments and result as `Denoise`."""
        return self.predict(noisy, sigma, condition)[0]

    def predict(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Give the expected image, and beside it the share of the larger variance; 0 where none is learned.

        DDPM's is held to [-1, 1], as improved-diffusion does: at high noise a small error of the noise is a large one
        of the image.
        """
        row = self.coefficients(sigma)
        answer = self.ask(noisy, row, condition)
        denoised = self.put_together(noisy, answer, row)
        if self.objective.kind is Objective.DDPM:
            denoised = denoised.clamp(-1, 1)
        return denoised, share_of(answer)

    def ask(self, noisy: Tensor, row: Coefficients, condition: Condition) -> Tensor:
        """Give the network's raw answer, [B, 1, H, W], with a second channel where it has learned the variance."""
        shown = (noisy - self.objective.pixel_mean) * row.inner
        return self.network(shown, row.level, condition).float()  # type: ignore[no-any-return]

    def put_together(self, noisy: Tensor, answer: Tensor, row: Coefficients) -> Tensor:
        """Turn a raw answer into the expected image."""
        mean = self.objective.pixel_mean
        return mean + row.skip * (noisy - mean) + row.out * answer[:, :1]

    def coefficients(self, sigma: Tensor) -> Coefficients:
        """Give the row of the table for some noise levels, [B]."""
        wide, sd = sigma[:, None, None, None], self.objective.pixel_sd
        if self.objective.kind is Objective.DDPM:
            return Coefficients(torch.ones_like(wide), -wide, (1 + wide**2).rsqrt(), self._step(sigma))
        level = sigma.log() / 4
        if self.objective.kind is Objective.FLOW:
            return Coefficients(1 / (1 + wide), -wide / (1 + wide), 1 / (1 + wide), level)
        both = wide**2 + sd**2
        return Coefficients(sd**2 / both, wide * sd * both.rsqrt(), both.rsqrt(), level)

    def _step(self, sigma: Tensor) -> Tensor:
        """Find the step of a noise level, between two of the table where it is between them."""
        table = torch.as_tensor(self.table)
        below = (table < sigma[:, None]).sum(dim=1)  # [B, steps] -> [B]; ONNX has no searchsorted
        above = below.clamp(1, len(table) - 1)
        low, high = table[above - 1], table[above]
        step = above - 1 + ((sigma - low) / (high - low)).clamp(0, 1)
        return step * LEVELS / len(table)


def share_of(answer: Tensor) -> Tensor:
    """Read the share of the larger variance off a raw answer, 0-1 (outside by extrapolation, as improved-diffusion)."""
    return (answer[:, 1:] + 1) / 2 if answer.shape[1] > 1 else torch.zeros_like(answer)
