"""From frames to cines, as the service does it: the mean of the log-probabilities answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.cine.cine import BoolArray, FloatArray, IntArray

LEAST_SHARE = 0.75
"""Share of one view in a cine from which that view is its right answer; between two of them no answer is wrong."""


@dataclass(frozen=True)
class CinePredictions:
    """One entry a cine.

    Attributes:
        logits: mean log-probabilities over the cine's frames, up to a constant, [N, K].
        shares: of each of ANSWERED_VIEWS in the cine, [N, K].
        styles, planes: names, [N].
        traits: LVEF (fraction), heart rate (1/min), septal thickness (mm), [N, 3]; NaN where there is no heart.
        subjects: seed of the heart, [N].
    """

    logits: FloatArray
    shares: FloatArray
    styles: NDArray[np.str_]
    planes: NDArray[np.str_]
    traits: FloatArray
    subjects: IntArray

    @property
    def labels(self) -> IntArray:
        """Index of the largest share, [N]."""
        return np.asarray(self.shares.argmax(axis=1))

    @property
    def is_clear(self) -> BoolArray:
        """Which cines have a right answer, [N]; a sweep half-way between two planes has none."""
        return np.asarray(self.shares.max(axis=1) >= LEAST_SHARE)

    def take(self, chosen: BoolArray) -> CinePredictions:
        """Keep some cines."""
        return CinePredictions(**{name: values[chosen] for name, values in vars(self).items()})

    def divided(self, temperature: float) -> CinePredictions:
        """Divide the log-odds."""
        return CinePredictions(**vars(self) | {"logits": np.asarray(self.logits / temperature, np.float32)})


def mean_by_cine(values: FloatArray, cines: IntArray) -> FloatArray:
    """Average frames [F, K] over their cine, [F] rising from 0; returns [N, K]."""
    counts = np.bincount(cines)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, cines, values)
    return (sums / counts[:, None]).astype(np.float32)


def softmax(logits: FloatArray) -> FloatArray:
    """Turn log-odds [N, K] into probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
