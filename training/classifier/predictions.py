"""From frames to cines, as the service does it: the mean of the log-odds answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import FloatArray, IntArray


@dataclass(frozen=True)
class CinePredictions:
    """One entry a cine.

    Attributes:
        logits: mean log-odds over the cine's frames, [N, K].
        labels: index into TARGET_VIEWS, [N].
        styles: index into the simulator's STYLES, [N].
        subjects: seed of the heart, [N].
    """

    logits: FloatArray
    labels: IntArray
    styles: IntArray
    subjects: IntArray


def mean_by_cine(logits: FloatArray, cines: IntArray) -> FloatArray:
    """Average frames [F, K] over their cine, [F] rising from 0; returns [N, K]."""
    counts = np.bincount(cines)
    sums = np.zeros((len(counts), logits.shape[1]))
    np.add.at(sums, cines, logits)
    return (sums / counts[:, None]).astype(np.float32)


def softmax(logits: FloatArray) -> FloatArray:
    """Turn log-odds [N, K] into probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
