"""How far two sets of pictures lie apart in a feature space: Frechet and kernel distance."""

from __future__ import annotations

import numpy as np

from services.cine.cine import IntArray
from training.evaluation.synthesis.numbers import RealArray


def frechet_distance(real: RealArray, made: RealArray) -> float:
    """Give the squared Frechet distance between Gaussians fitted to features [N, D] and [M, D].

    Biased upward by about D / N: compare only sets of the same size.

    Reference:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, equation 6. The trace of the root of a
        product is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric.
    """
    one, two = real.astype(np.float64), made.astype(np.float64)
    means = one.mean(axis=0) - two.mean(axis=0)
    first, second = (np.cov(features, rowvar=False, ddof=0) for features in (one, two))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0))
    return max(0.0, float(means @ means + np.trace(first) + np.trace(second) - 2 * roots.sum()))


def kernel_distance(real: RealArray, made: RealArray) -> float:
    """Give the unbiased squared maximum mean discrepancy of features [N, D] and [N, D], kernel (x.y / D + 1)^3.

    May be negative for two samples of one distribution.
    """
    return KernelTerms(real, made).distance(np.arange(len(real)), np.arange(len(made)))


class KernelTerms:
    """The kernel between all features of two sets [N, D] each, from which the distance of any draw of them follows.

    Pairs of one place in both sets are left out of the cross term too, which keeps it unbiased and makes a set against
    itself exactly 0.

    Reference:
        Binkowski et al., "Demystifying MMD GANs", 2018, section 4; Gretton et al., "A Kernel Two-Sample Test", 2012,
        equation 4.
    """

    def __init__(self, real: RealArray, made: RealArray) -> None:
        one, two = real.astype(np.float64), made.astype(np.float64)
        self._terms = [_kernel(one, one), _kernel(two, two), _kernel(one, two)]
        for term in self._terms:
            np.fill_diagonal(term, 0.0)

    def distance(self, real: IntArray, made: IntArray) -> float:
        """Give the distance of drawn places [N] and [M]; a place that is drawn twice is no pair with itself."""
        of_real, of_made = (np.bincount(drawn, minlength=len(self._terms[0])) for drawn in (real, made))
        sides = ((of_real, of_real), (of_made, of_made), (of_real, of_made))
        means = [
            one @ term @ two / (one.sum() * two.sum() - one @ two)
            for term, (one, two) in zip(self._terms, sides, strict=True)
        ]
        return float(means[0] + means[1] - 2 * means[2])


def _kernel(one: RealArray, two: RealArray) -> RealArray:
    return np.asarray((one @ two.T / one.shape[1] + 1.0) ** 3)
