"""Precision, recall, density and coverage tell a set that misses modes from one that adds nonsense."""

import numpy as np
import pytest

from training.evaluation.synthesis.coverage import COVERAGE_NEIGHBOURS, distances, measure_coverage, radii


def cloud(seed: int, count: int, at: float) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 4)) + at


def test_a_set_covers_itself() -> None:
    found = measure_coverage(cloud(1, 200, 0), cloud(1, 200, 0))
    assert found.precision.mean() == found.recall.mean() == found.coverage.mean() == 1
    assert found.density.mean() == pytest.approx((COVERAGE_NEIGHBOURS + 1) / COVERAGE_NEIGHBOURS, abs=1e-6)


def test_two_samples_of_one_distribution_have_the_coverage_of_theory() -> None:
    """Naeem 2020, lemma 2: density is 1, coverage 1 - (N-1)...(N-k) / ((2N-1)...(2N-k)) for sets of equal size."""
    count, neighbours = 1000, np.arange(1, COVERAGE_NEIGHBOURS + 1)
    expected = 1 - np.prod((count - neighbours) / (2 * count - neighbours))
    found = measure_coverage(cloud(1, count, 0), cloud(2, count, 0))
    assert found.density.mean() == pytest.approx(1, abs=0.1)
    assert found.coverage.mean() == pytest.approx(expected, abs=0.03)


def test_a_missing_mode_costs_recall_and_coverage_only() -> None:
    real = np.concatenate([cloud(1, 200, 0), cloud(2, 200, 20)])
    found = measure_coverage(real, cloud(3, 400, 0))
    assert found.precision.mean() > 0.85
    assert found.recall.mean() == pytest.approx(0.5, abs=0.08)
    assert found.coverage.mean() == pytest.approx(0.5, abs=0.05)


def test_nonsense_costs_precision_and_density_only() -> None:
    found = measure_coverage(cloud(1, 400, 0), np.concatenate([cloud(3, 400, 0), cloud(4, 400, 60)]))
    assert found.precision.mean() == pytest.approx(0.5, abs=0.08)
    assert found.density.mean() == pytest.approx(0.5, abs=0.08)
    assert found.recall.mean() > 0.85
    assert found.coverage.mean() > 0.9


def test_distances_are_euclidean_and_radii_count_others() -> None:
    line = np.array([[0.0], [1.0], [3.0]])
    assert distances(line, line) == pytest.approx(np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0]]), abs=1e-6)
    assert radii(distances(line, line), 1) == pytest.approx([1, 1, 2])
