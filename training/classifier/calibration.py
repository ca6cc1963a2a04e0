"""Make confidences mean what they say on unseen styles, and choose below which one there is no answer.

The threshold is a split-conformal one. The prediction set of a cine is its most probable answer where the confidence is
over the threshold, and all five answers ("cannot tell") elsewhere; a wrong name is a set that misses the truth. What is
promised holds for cines that are drawn like the calibration cines, and for no others: simulated styles promise nothing
for real ones.

Reference:
    Vovk 2005, Algorithmic Learning in a Random World (conditional on label); Angelopoulos and Bates 2023, section 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from services.cine.cine import FloatArray
from training.classifier.metrics import log_loss
from training.classifier.predictions import CinePredictions, softmax

_TEMPERATURES = (0.05, 20.0)
_NARROWINGS = 60
"""Golden-section steps: the bracket shrinks by .618 each, far below what matters."""

_BETA_DRAWS = 100_000
_STEP = 1e-4
"""Thresholds are written with four places, rounded up."""


@dataclass(frozen=True)
class Calibration:
    """What export writes beside the weights.

    Attributes:
        temperature: divides the raw log-odds.
        abstain_below: cine confidence under which no view is named.
        wrong_share: most cines of a view that may be given another view's name.
        answered: share of the calibration cines that get a view.
    """

    temperature: float
    abstain_below: float
    wrong_share: float
    answered: float


def calibrate(predictions: CinePredictions, wrong_share: float) -> Calibration:
    """Fit temperature and threshold on cines of unseen styles; those without a right answer do not count.

    Temperature and threshold come from the same cines: one number fitted on hundreds moves confidences all alike.

    Args:
        predictions: raw mean log-odds of cines that were not trained on.
        wrong_share: as `Calibration.wrong_share`.

    Raises:
        TooFewCinesError: too few for such a promise.
    """
    clear = predictions.take(predictions.is_clear)
    temperature = fit_temperature(clear)
    calibrated = clear.divided(temperature)
    threshold = find_threshold(calibrated, wrong_share)
    answered = softmax(calibrated.logits).max(axis=1) >= threshold
    return Calibration(temperature, threshold, wrong_share, float(answered.mean()))


def fit_temperature(predictions: CinePredictions) -> float:
    """Find the temperature with the least class-balanced log loss; the loss has one minimum over its logarithm.

    One more cine of each answer is counted in with every cine's log-odds: where all of a few cines are right, nothing
    else would keep the confidence from 1.

    Reference:
        Guo 2017, On Calibration of Modern Neural Networks, section 4.2; Platt 1999, section 2.2, for the added counts.
    """
    count, answers = len(predictions.labels), predictions.logits.shape[1]
    added = float(answers / (count + answers))
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    low, high = (float(np.log(limit)) for limit in _TEMPERATURES)

    def loss(log_temperature: float) -> float:
        logits = np.asarray(predictions.logits / np.exp(log_temperature), np.float32)
        of_every_answer = [log_loss(logits, np.full(count, answer)) for answer in range(answers)]
        return (1.0 - added) * log_loss(logits, predictions.labels) + added * sum(of_every_answer) / len(
            of_every_answer
        )

    for _ in range(_NARROWINGS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


class TooFewCinesError(ValueError):
    """So few cines promise nothing; the message names how many it takes."""


def least_cines(wrong_share: float) -> int:
    """Give how many cines a promise takes: the smallest n with a rank ceil((n + 1)(1 - a)) among them."""
    return math.ceil(1.0 / wrong_share - 1e-9) - 1


def find_threshold(calibrated: CinePredictions, wrong_share: float) -> float:
    """Find the confidence that keeps wrong names rare in every view, and over all cines together.

    The score of a cine is its confidence where the answer is wrong and 0 where it is right. Of each group the threshold
    is the score of rank ceil((n + 1)(1 - wrong_share)), so that a wrong answer for a further cine of that group
    lies over it with a chance of at most wrong_share; the largest of these is used. A group of fewer than `least_cines`
    counts with all cines only. Groups are views: by view and style each had some twenty cines, whose highest score set
    the threshold, and two cines of three got no answer.

    Raises:
        TooFewCinesError: all cines together are fewer.
    """
    least = least_cines(wrong_share)
    if len(calibrated.labels) < least:
        raise TooFewCinesError(f"found {len(calibrated.labels)} cines, expected at least {least}")
    confidence = softmax(calibrated.logits).max(axis=1)
    scores = np.where(calibrated.logits.argmax(axis=1) == calibrated.labels, 0.0, confidence)
    groups = [scores[calibrated.labels == label] for label in np.unique(calibrated.labels)]
    worst = max(_rank(group, wrong_share) for group in [scores, *groups] if len(group) >= least)
    return 0.0 if worst == 0.0 else min(1.0, float(math.floor(worst / _STEP + 1.0) * _STEP))


def _rank(scores: FloatArray, wrong_share: float) -> float:
    return float(np.sort(scores)[math.ceil((len(scores) + 1) * (1.0 - wrong_share) - 1e-9) - 1])


def coverage_interval(cines: int, wrong_share: float) -> tuple[float, float]:
    """Give the 5th and 95th percentile of how often cines like these get no wrong name, given so many to calibrate on.

    Reference:
        Vovk 2012: over calibration sets the coverage is Beta(r, n + 1 - r), r the rank of the threshold's score.
    """
    rank = math.ceil((cines + 1) * (1.0 - wrong_share) - 1e-9)
    drawn = np.random.default_rng(0).beta(rank, cines + 1 - rank, _BETA_DRAWS)
    low, high = np.percentile(drawn, [5, 95])
    return float(low), float(high)
