"""Follow the condition more closely than the data do, between two noise levels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.diffusion.condition import Condition, Denoise, join, leave_open


@dataclass(frozen=True)
class GuidanceConfig:
    """How strongly and where.

    Attributes:
        weight: 1 is none; w adds w - 1 times the way from "any" to the condition.
        low, high: noise levels between which it acts: above it costs variety, below it does nothing for the view.
    """

    weight: float
    low: float
    high: float


def guide(denoise: Denoise, config: GuidanceConfig, any_style: int) -> Denoise:
    """Wrap a denoiser; one call of the result is two evaluations where guidance acts, and one elsewhere.

    All noise levels of a batch are alike, as they are in sampling: the first one decides.

    Reference:
        Ho and Salimans 2022, Classifier-Free Diffusion Guidance, equation 6.
        Kynkäänniemi 2024, Applying Guidance in a Limited Interval.
    """

    def guided(noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        if config.weight == 1.0 or not config.low < float(sigma[0]) <= config.high:
            return denoise(noisy, sigma, condition)
        both = join(condition, leave_open(condition, any_style))
        asked, open_ = denoise(torch.cat([noisy, noisy]), torch.cat([sigma, sigma]), both).chunk(2)
        return open_ + config.weight * (asked - open_)

    return guided
