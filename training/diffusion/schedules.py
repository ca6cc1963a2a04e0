"""Which noise levels there are: those a training knows, and those a sampler walks down.

Everything is told in sigma, of x = x0 + sigma * noise. A level of DDPM, sqrt(a) x0 + sqrt(1 - a) noise, is sigma =
sqrt((1 - a) / a) of the same picture divided by sqrt(a).
"""

from __future__ import annotations

import math
from enum import StrEnum

import torch
from torch import Tensor

_LINEAR_BETAS = (1e-4, 0.02)
"""First and last variance at 1,000 steps; other numbers of steps scale them."""

_COSINE_OFFSET = 0.008
_LARGEST_BETA = 0.999
_CURVATURE = 7.0


class BetaSchedule(StrEnum):
    """How fast DDPM's noise grows."""

    LINEAR = "linear"
    COSINE = "cosine"


def karras_sigmas(count: int, low: float, high: float) -> Tensor:
    """Give [count + 1] falling levels from high to low and then 0, denser where it is quiet.

    Reference:
        Karras 2022, Elucidating the Design Space of Diffusion-Based Generative Models, equation 5.
    """
    share = torch.linspace(0, 1, count, dtype=torch.float64)
    roots = high ** (1 / _CURVATURE) + share * (low ** (1 / _CURVATURE) - high ** (1 / _CURVATURE))
    return torch.cat([roots**_CURVATURE, torch.zeros(1, dtype=torch.float64)]).float()


def log_sigmas(count: int, low: float, high: float) -> Tensor:
    """Give [count + 1] falling levels from high to low, each by the same factor under the one before."""
    return torch.logspace(math.log10(high), math.log10(low), count + 1, dtype=torch.float64).float()


def flow_sigmas(count: int, high: float) -> Tensor:
    """Give [count + 1] falling levels from high to 0 that are evenly spaced in the time t = sigma / (1 + sigma)."""
    times = torch.linspace(high / (1 + high), 0, count + 1, dtype=torch.float64)
    return (times / (1 - times)).float()


def ddpm_sigmas(kind: BetaSchedule, steps: int) -> Tensor:
    """Give the [steps] rising levels of a DDPM.

    Reference:
        Ho 2020, Denoising Diffusion Probabilistic Models, section 4 (linear).
        Nichol and Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, equation 17 (cosine).
    """
    if kind is BetaSchedule.LINEAR:
        first, last = (beta * 1000 / steps for beta in _LINEAR_BETAS)
        betas = torch.linspace(first, last, steps, dtype=torch.float64)
    else:
        angles = (torch.arange(steps + 1, dtype=torch.float64) / steps + _COSINE_OFFSET) / (1 + _COSINE_OFFSET)
        kept = torch.cos(angles * math.pi / 2) ** 2
        betas = (1 - kept[1:] / kept[:-1]).clamp(max=_LARGEST_BETA)
    kept = torch.cumprod(1 - betas, 0)
    return ((1 - kept) / kept).sqrt().float()


def respace(table: Tensor, count: int) -> Tensor:
    """Choose evenly spaced levels of a rising table, the first and the last among them.

    Args:
        table: rising levels, [steps].
        count: how many to keep, 2 or more.

    Returns:
        [count + 1] falling levels, then 0.

    Reference:
        Nichol and Dhariwal 2021, section 4.
    """
    chosen = torch.linspace(len(table) - 1, 0, count).round().long()
    return torch.cat([table[chosen], table.new_zeros(1)])
