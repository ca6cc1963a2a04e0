"""Laws of calibration, abstention and the measures reported with them."""

import numpy as np
import pytest

from tests.unit.training.classifier.making import VIEWS, make_predictions
from training.classifier.calibration import (
    TooFewCinesError,
    calibrate,
    coverage_interval,
    find_threshold,
    fit_temperature,
    least_cines,
)
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
from training.classifier.predictions import CinePredictions, softmax


def draw(factor: float = 1.0, count: int = 4000, seed: int = 0) -> CinePredictions:
    """Labels drawn from the very probabilities that the logits name, then the logits multiplied."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, VIEWS))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return make_predictions(labels, logits * factor)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_undoes_a_known_factor(factor: float) -> None:
    assert fit_temperature(draw(factor)) == pytest.approx(factor, rel=0.08)


def test_temperature_never_makes_the_loss_worse_nor_changes_an_answer() -> None:
    made = draw(3.0)
    scaled = made.divided(fit_temperature(made)).logits
    assert log_loss(scaled, made.labels) <= log_loss(made.logits, made.labels)
    assert balanced_accuracy(scaled, made.labels) == balanced_accuracy(made.logits, made.labels)
    assert expected_calibration_error(scaled, made.labels) < expected_calibration_error(made.logits, made.labels)


def wrong_names(cines: CinePredictions, threshold: float) -> np.ndarray:
    """Share of each view's cines that get another view's name, [K]."""
    is_wrong = (cines.logits.argmax(axis=1) != cines.labels) & (softmax(cines.logits).max(axis=1) >= threshold)
    return np.array([is_wrong[cines.labels == view].mean() for view in range(VIEWS)])


@pytest.mark.parametrize("wrong_share", [0.02, 0.05, 0.2])
def test_wrong_names_stay_rare_in_every_view_of_further_cines(wrong_share: float) -> None:
    thresholds = [find_threshold(draw(count=600, seed=seed), wrong_share) for seed in range(30)]
    further = draw(count=20_000, seed=99)
    mean = np.mean([wrong_names(further, threshold) for threshold in thresholds], axis=0)
    assert (mean <= wrong_share).all()
    assert mean.max() > 0.2 * wrong_share  # and not by answering nothing


def test_fewer_wrong_names_cost_answers() -> None:
    answered = [calibrate(draw(), wrong_share).answered for wrong_share in (0.01, 0.05, 0.2)]
    assert answered[0] < answered[1] < answered[2]


def test_classifier_that_is_never_wrong_always_answers() -> None:
    labels = np.arange(200) % VIEWS
    assert calibrate(make_predictions(labels, 3.0 * np.eye(VIEWS)[labels]), 0.05).abstain_below == 0.0


def test_the_worst_style_sets_the_threshold() -> None:
    labels = np.arange(400) % VIEWS
    styles = np.where(np.arange(400) < 200, "camus", "portable")
    logits = 3.0 * np.eye(VIEWS)[np.where(styles == "portable", (labels + (np.arange(400) % 3 == 0)) % VIEWS, labels)]
    alone = make_predictions(labels[:200], logits[:200])
    assert find_threshold(make_predictions(labels, logits, styles), 0.1) > find_threshold(alone, 0.1) == 0.0


def test_too_few_cines_promise_nothing() -> None:
    assert least_cines(0.05) == 19
    with pytest.raises(TooFewCinesError, match="19"):
        find_threshold(draw(count=18), 0.05)
    assert 0.0 <= find_threshold(draw(count=19), 0.05) <= 1.0


def test_half_way_cines_do_not_calibrate() -> None:
    made = draw(count=800)
    shares = made.shares.copy()
    shares[:400] = 1.0 / VIEWS
    half = CinePredictions(**vars(made) | {"shares": shares})
    assert calibrate(half, 0.1) == calibrate(made.take(np.arange(800) >= 400), 0.1)


def test_coverage_is_surer_with_more_cines() -> None:
    few, many = coverage_interval(100, 0.05), coverage_interval(1000, 0.05)
    assert few[0] < many[0] < 0.95 < many[1] < few[1]


def test_abstaining_on_the_least_confident_raises_accuracy() -> None:
    made = draw()
    at = [selective_accuracy(made.logits, made.labels, share) for share in (1.0, 0.9, 0.8)]
    assert at[0] < at[1] < at[2]


def test_balanced_accuracy_does_not_reward_the_common_view() -> None:
    logits = np.tile(np.array([[0.0, 5.0, 0.0, 0.0, 0.0]], np.float32), (100, 1))
    labels = np.array([1] * 96 + [0, 2, 3, 4])
    assert balanced_accuracy(logits, labels) == pytest.approx(0.2)
    assert list(recalls(logits, labels)) == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert confusion(logits, labels).sum() == 100


def test_bootstrap_interval_holds_the_estimate_and_shrinks_with_more_subjects() -> None:
    few, many = draw(count=400), draw(count=4000)
    widths = []
    for made in (few, many):
        low, high = bootstrap_interval(balanced_accuracy, made, draws=100)
        assert low <= balanced_accuracy(made.logits, made.labels) <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_interval_without_an_error_still_has_a_lower_end_below_one() -> None:
    labels = np.arange(80) % VIEWS
    low, high = accuracy_interval(make_predictions(labels, np.eye(VIEWS)[labels]), draws=20)
    assert 0.6 < low < 0.75  # ten subjects
    assert high == 1.0


def test_a_few_cines_that_are_all_right_do_not_make_it_certain() -> None:
    labels = np.full(20, 1)
    few = make_predictions(labels, 4.0 * np.eye(VIEWS)[labels])
    many = make_predictions(np.full(2000, 1), 4.0 * np.eye(VIEWS)[np.full(2000, 1)])
    confidences = [softmax(made.divided(fit_temperature(made)).logits).max() for made in (few, many)]
    assert 0.8 < confidences[0] < confidences[1] < 1.0
