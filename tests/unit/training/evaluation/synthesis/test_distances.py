"""Distances between Gaussians are what theory says, and nothing lies between a set and itself."""

import numpy as np
import pytest

from training.evaluation.synthesis.distances import frechet_distance, kernel_distance


def normal(seed: int, count: int, spread: np.ndarray, mean: float = 0.0) -> np.ndarray:
    return mean + np.random.default_rng(seed).standard_normal((count, len(spread))) * spread


def test_a_set_is_at_no_distance_from_itself() -> None:
    features = normal(1, 300, np.linspace(0.2, 3, 16)).astype(np.float32)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert kernel_distance(features, features) == pytest.approx(0, abs=1e-12)


def test_frechet_distance_of_gaussians_is_that_of_theory() -> None:
    one, two = np.full(8, 1.0), np.full(8, 2.0)
    found = frechet_distance(normal(1, 40_000, one), normal(2, 40_000, two, mean=0.5))
    assert found == pytest.approx(8 * 0.5**2 + 8 * (2 - 1) ** 2, rel=0.03)


def test_frechet_distance_knows_correlation() -> None:
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    long = normal(3, 40_000, np.array([3.0, 1.0]))
    product = np.diag([9.0, 1.0]) @ turn @ np.diag([9.0, 1.0]) @ turn.T
    expected = 20 - 2 * np.sqrt(np.linalg.eigvals(product).real).sum()
    assert frechet_distance(long, normal(4, 40_000, np.array([3.0, 1.0])) @ turn.T) == pytest.approx(expected, rel=0.05)


def test_kernel_distance_is_unbiased() -> None:
    found = [kernel_distance(*(normal(2 * s + side, 60, np.ones(6)) for side in (0, 1))) for s in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0


def test_kernel_distance_of_a_moved_set_is_that_of_theory() -> None:
    """With one feature x and k = (xy + 1)^3 the distance is the sum of binomial(3, n) (E x^n - E y^n)^2."""
    found = kernel_distance(normal(5, 1500, np.ones(1)), normal(6, 1500, np.ones(1), mean=0.5))
    moments = [(0, 0.5), (1, 1.25), (0, 3 * 0.5 + 0.5**3)]
    expected = sum(factor * (x - y) ** 2 for factor, (x, y) in zip((3, 3, 1), moments, strict=True))
    assert found == pytest.approx(expected, rel=0.25)
