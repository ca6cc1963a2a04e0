"""Images whose every pixel is normal by itself: the only data whose expected image and whose walk are known exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from training.diffusion.condition import Condition

SIDE = 6
MEAN = torch.linspace(-0.9, 0.4, SIDE * SIDE, dtype=torch.float64).reshape(1, 1, SIDE, SIDE)
SD = torch.logspace(-1.5, 0.0, SIDE * SIDE, dtype=torch.float64).reshape(1, 1, SIDE, SIDE)

NOBODY = Condition(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))


def denoise(noisy: Tensor, sigma: Tensor, _: Condition) -> Tensor:
    """Give the expected image, exactly."""
    level = sigma.reshape(-1, 1, 1, 1)
    return MEAN + SD**2 / (SD**2 + level**2) * (noisy - MEAN)


def walk_exactly(noisy: Tensor, sigma: float, following: float) -> Tensor:
    """Solve the probability flow from one noise level to another."""
    return MEAN + ((SD**2 + following**2) / (SD**2 + sigma**2)).sqrt() * (noisy - MEAN)


def draw_noise(count: int, seed: int = 0) -> Tensor:
    """Draw standard normal noise, [N, 1, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, SIDE, SIDE, generator=generator, dtype=torch.float64)
