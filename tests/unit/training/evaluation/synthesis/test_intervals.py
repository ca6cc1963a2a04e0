"""Intervals hold the truth as often as they say, and know that pictures of one heart are not independent."""

import numpy as np
import pytest

from training.evaluation.synthesis.distances import frechet_distance
from training.evaluation.synthesis.intervals import estimate, estimate_mean, groups_of


def test_groups_hold_every_place_once() -> None:
    labels = np.array([5, 2, 5, 9, 2])
    assert [group.tolist() for group in groups_of(labels)] == [[1, 4], [0, 2], [3]]


def test_the_interval_of_a_mean_is_about_that_of_theory() -> None:
    values = np.random.default_rng(1).standard_normal(2000)
    found = estimate_mean(values, np.arange(2000))
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.25)


def test_copies_of_a_value_in_one_group_add_nothing() -> None:
    values = np.random.default_rng(2).standard_normal(300)
    alone, repeated = (
        estimate_mean(values, np.arange(300)),
        estimate_mean(np.repeat(values, 5), np.repeat(np.arange(300), 5)),
    )
    assert (repeated.low, repeated.high) == pytest.approx((alone.low, alone.high))


def test_a_set_against_itself_stays_at_nothing() -> None:
    features, labels = np.random.default_rng(3).standard_normal((80, 4)), np.arange(80)
    found = estimate(frechet_distance, (features, features), (labels, labels))
    assert (found.value, found.low, found.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_the_interval_of_a_biased_distance_holds_its_value() -> None:
    one, two = np.random.default_rng(4).standard_normal((2, 60, 16))
    labels = np.arange(60)
    found = estimate(frechet_distance, (one, two), (labels, labels + 60), least=0.0)
    assert 0 < found.low < found.value < found.high
