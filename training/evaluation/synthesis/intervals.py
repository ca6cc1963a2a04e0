"""Intervals of a statistic by drawing again: of whole groups, because pictures of one heart are not independent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.cine.cine import IntArray
from training.evaluation.synthesis.numbers import RealArray

DRAWS = 100
"""Enough for the ends of a 95 % interval to hold to about a tenth of its width."""


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write all three."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def groups_of(labels: IntArray) -> list[IntArray]:
    """Give the places of each different label."""
    _, group = np.unique(labels, return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group))[:-1])


def estimate(
    statistic: Callable[..., float],
    samples: tuple[RealArray | IntArray, ...],
    labels: tuple[IntArray, ...],
    least: float = -np.inf,
    draws: int = DRAWS,
) -> Estimate:
    """Give a statistic of some samples and its interval.

    Drawing again adds bias of its own to a distance, about as much as the samples have already; so the draws' spread
    about their own mean is laid about the value. Samples with the same labels are drawn alike: a set against itself
    stays itself.

    Args:
        statistic: of arrays like the samples.
        samples: one value or row of features a picture, [N, ...] each.
        labels: the group of each picture of each sample, its subject or its own number, [N] each.
        least: what the statistic cannot be under.
        draws: how often.

    Reference:
        Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 2.1.2, the estimate of bias.
    """
    groups = [groups_of(own) for own in labels]
    values: RealArray = np.empty(draws)
    for draw in range(draws):
        chosen = [_draw(own, draw) for own in groups]
        values[draw] = statistic(*(sample[places] for sample, places in zip(samples, chosen, strict=True)))
    value = statistic(*samples)
    low, high = np.quantile(values, (0.025, 0.975))
    middle = value - float(values.mean())
    return Estimate(value, max(least, middle + float(low)), middle + float(high))


def estimate_mean(values: RealArray, labels: IntArray, draws: int = DRAWS) -> Estimate:
    """Give the mean of values [N] and its interval."""
    return estimate(lambda chosen: float(chosen.mean()), (values,), (labels,), draws=draws)


def _draw(groups: list[IntArray], draw: int) -> IntArray:
    chosen = np.random.default_rng([draw, 97]).integers(len(groups), size=len(groups))
    return np.concatenate([groups[place] for place in chosen])
