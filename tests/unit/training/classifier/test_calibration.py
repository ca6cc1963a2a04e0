"""Laws of calibration, abstention and the measures reported with them."""

import numpy as np
import pytest

from training.classifier.calibration import calibrate, fit_temperature
from training.classifier.metrics import (
    accuracy_interval,
    balanced_accuracy,
    bootstrap_interval,
    confusion,
    expected_calibration_error,
    log_loss,
    recalls,
    selective_accuracy,
)
from training.classifier.predictions import CinePredictions, mean_by_cine, softmax


def make_predictions(factor: float = 1.0, count: int = 4000) -> CinePredictions:
    """Labels drawn from the very probabilities that the logits name, then the logits multiplied."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, 4)).astype(np.float32)
    labels = (softmax(logits).cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    scaled = np.asarray(logits * factor, np.float32)
    return CinePredictions(scaled, labels, np.zeros(count, np.int64), np.arange(count) // 8)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_undoes_a_known_factor(factor: float) -> None:
    assert fit_temperature(make_predictions(factor)) == pytest.approx(factor, rel=0.08)


def test_temperature_never_makes_the_loss_worse_nor_changes_an_answer() -> None:
    made = make_predictions(3.0)
    scaled = np.asarray(made.logits / fit_temperature(made), np.float32)
    assert log_loss(scaled, made.labels) <= log_loss(made.logits, made.labels)
    assert balanced_accuracy(scaled, made.labels) == balanced_accuracy(made.logits, made.labels)
    assert expected_calibration_error(scaled, made.labels) < expected_calibration_error(made.logits, made.labels)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 1.0])
def test_stated_coverage_is_kept_on_the_calibration_cines(coverage: float) -> None:
    calibration = calibrate(make_predictions(2.0), coverage)
    assert coverage <= calibration.coverage <= coverage + 0.01
    assert 0.0 <= calibration.abstain_below <= 1.0


def test_abstaining_on_the_least_confident_raises_accuracy() -> None:
    made = make_predictions()
    at = [selective_accuracy(made.logits, made.labels, share) for share in (1.0, 0.9, 0.8)]
    assert at[0] < at[1] < at[2]


def test_balanced_accuracy_does_not_reward_the_common_view() -> None:
    logits = np.tile(np.array([[0.0, 5.0, 0.0, 0.0]], np.float32), (100, 1))
    labels = np.array([1] * 97 + [0, 2, 3])
    assert balanced_accuracy(logits, labels) == 0.25
    assert list(recalls(logits, labels)) == [0.0, 1.0, 0.0, 0.0]
    assert confusion(logits, labels).sum() == 100


def test_bootstrap_interval_holds_the_estimate_and_shrinks_with_more_subjects() -> None:
    few, many = make_predictions(count=400), make_predictions(count=4000)
    widths = []
    for made in (few, many):
        low, high = bootstrap_interval(balanced_accuracy, made, draws=100)
        assert low <= balanced_accuracy(made.logits, made.labels) <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_interval_without_an_error_still_has_a_lower_end_below_one() -> None:
    labels = np.arange(40) % 4
    perfect = CinePredictions(np.eye(4, dtype=np.float32)[labels], labels, np.zeros(40, np.int64), np.arange(40) // 4)
    low, high = accuracy_interval(perfect, draws=20)
    assert 0.6 < low < 0.75  # ten subjects
    assert high == 1.0


def test_cine_answer_is_the_mean_over_its_frames() -> None:
    logits = np.arange(24, dtype=np.float32).reshape(6, 4)
    averaged = mean_by_cine(logits, np.array([0, 0, 0, 1, 2, 2]))
    assert np.allclose(averaged, [logits[:3].mean(axis=0), logits[3], logits[4:].mean(axis=0)])
