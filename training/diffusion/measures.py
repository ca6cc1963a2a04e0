"""Two numbers to watch a generator by while it trains: how well it denoises, and whether its speckle is there."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from training.diffusion.condition import Condition, Denoise

WATCHED_SIGMAS = (0.1, 0.4, 1.6)
"""Where speckle, walls and the whole picture are decided."""

FINE_CYCLES_PER_PX = (0.15, 0.4)
"""Spatial frequencies of speckle at 112x112: grains of about 2.5 to 7 px. An average of possible images has none."""

_BATCH = 64


@torch.no_grad()
def denoising_errors(denoise: Denoise, clean: Tensor, condition: Condition, seed: int) -> dict[str, float]:
    """Give the root mean squared error of the expected image at each watched noise level.

    Args:
        denoise: what is measured.
        clean: held-out images, [N, 1, H, W].
        condition: what they show.
        seed: of the noise, the same at every call.
    """
    return {
        f"rmse_at_{sigma}": float(squared_errors(denoise, clean, condition, sigma, seed).mean().sqrt())
        for sigma in WATCHED_SIGMAS
    }


@torch.no_grad()
def squared_errors(denoise: Denoise, clean: Tensor, condition: Condition, sigma: float, seed: int) -> Tensor:
    """Give the mean squared error of each expected image at a noise level, [N]; arguments as `denoising_errors`."""
    generator = Generator(clean.device).manual_seed(seed)
    errors = []
    for start in range(0, len(clean), _BATCH):
        part = clean[start : start + _BATCH]
        shown = Condition(condition.view[start : start + _BATCH], condition.style[start : start + _BATCH])
        noise = torch.randn(part.shape, generator=generator, device=part.device)
        found = denoise(part + sigma * noise, part.new_full((len(part),), sigma), shown)
        errors.append((found - part).square().mean(dim=(1, 2, 3)))
    return torch.cat(errors)


def fine_power(images: Tensor) -> float:
    """Give the mean power of images [N, 1, H, W] at speckle's spatial frequencies."""
    rows, columns = images.shape[-2:]
    spectrum = torch.fft.rfft2(images[:, 0].float(), norm="ortho").abs().square().mean(dim=0)
    radius = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)[None])
    low, high = FINE_CYCLES_PER_PX
    inside = (radius >= low) & (radius <= high)
    return float(spectrum.cpu()[inside].mean())


def fine_detail(drawn: Tensor, real: Tensor) -> float:
    """Compare speckle: 1 is as much as in real images, under 1 is blur, over 1 is noise."""
    return fine_power(drawn) / fine_power(real)
