"""Do made pictures look like real ones, and are all real ones there? Precision, recall, density, coverage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.evaluation.synthesis.numbers import RealArray

PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS = 3, 5
"""Neighbours that make a radius, as in the papers."""

_CHUNK = 1024


@dataclass(frozen=True)
class Coverage:
    """What each picture contributes; the mean of each is the figure, 0 to 1 but for density, which has no upper end.

    Attributes:
        precision: whether a made picture is within reach of a real one, [M].
        recall: whether a real picture is within reach of a made one, [N].
        density: real pictures that a made one is in reach of, over how many that is by itself, [M].
        coverage: whether a real picture has a made one in reach, [N].
    """

    precision: RealArray
    recall: RealArray
    density: RealArray
    coverage: RealArray


def measure_coverage(real: RealArray, made: RealArray) -> Coverage:
    """Compare features [N, D] and [M, D], each set with more pictures than there are neighbours.

    Reference:
        Kynkaanniemi et al., "Improved Precision and Recall Metric", 2019, equation 1; Naeem et al., "Reliable Fidelity
        and Diversity Metrics", 2020, equations 5 and 6.
    """
    across = distances(real, made)  # [N, M]
    within = distances(real, real)
    wide, narrow = (radii(within, count) for count in (COVERAGE_NEIGHBOURS, PRECISION_NEIGHBOURS))
    of_made = radii(distances(made, made), PRECISION_NEIGHBOURS)
    hits = (
        (across <= narrow[:, None]).any(axis=0),
        (across <= of_made[None]).any(axis=1),
        (across <= wide[:, None]).sum(axis=0) / COVERAGE_NEIGHBOURS,
        across.min(axis=1) <= wide,
    )
    return Coverage(*(np.asarray(values, np.float64) for values in hits))


def radii(within: RealArray, neighbours: int) -> RealArray:
    """Give the distance to the k-th nearest other picture, from the distances within a set [N, N]; [N]."""
    return np.asarray(np.partition(within, neighbours, axis=1)[:, neighbours])


def distances(one: RealArray, two: RealArray) -> RealArray:
    """Give the Euclidean distance of each of one set [N, D] to each of the other [M, D], [N, M]."""
    left, right = one.astype(np.float64), two.astype(np.float64)
    lengths = (right * right).sum(axis=1)
    rows = []
    for start in range(0, len(left), _CHUNK):
        part = left[start : start + _CHUNK]
        squares = (part * part).sum(axis=1)[:, None] + lengths[None] - 2 * part @ right.T
        rows.append(np.sqrt(np.maximum(squares, 0.0)).astype(np.float32))
    return np.concatenate(rows)
