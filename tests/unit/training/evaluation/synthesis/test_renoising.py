"""A picture drawn again keeps less of itself the further it was noised, and is asked for by its own view and style."""

import numpy as np
import torch
from torch import Tensor, nn

from tests.unit.training.evaluation.synthesis.made_sets import pictures
from training.diffusion.condition import Condition
from training.evaluation.synthesis.renoising import Generator, renoise
from training.simulator.styles import STYLES

KNOWN = (STYLES[3], STYLES[0])


class Remembering(nn.Module):
    """Expects the mean of grey: at low noise the picture itself, at high noise nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Condition] = []

    def forward(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        self.asked.append(condition)
        return noisy / (1 + sigma[:, None, None, None] ** 2)


def test_more_noise_leaves_less_of_the_picture() -> None:
    sources = pictures(range(6))
    generator = Generator(Remembering(), KNOWN, 0.01)  # type: ignore[arg-type]
    left = [
        np.abs(renoise(sources, generator, sigma, 1) - sources.frames.astype(float)).mean() for sigma in (0.05, 0.5, 3)
    ]
    assert left == sorted(left)
    assert left[0] < 8 < left[2]


def test_views_and_known_styles_are_asked_for() -> None:
    held = pictures(range(3))
    sources = type(held)(**vars(held) | {"styles": np.array([3, 0, 5])})
    network = Remembering()
    renoise(sources, Generator(network, KNOWN, 0.01), 0.5, 1)  # type: ignore[arg-type]
    assert torch.equal(network.asked[0].view, torch.from_numpy(sources.views))
    assert network.asked[0].style.tolist() == [0, 1, len(KNOWN)]
