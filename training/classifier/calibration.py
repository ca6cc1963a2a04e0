"""Make confidences mean what they say on unseen styles, and choose below which one there is no answer.

Coverage on simulated styles is no promise for real cines: the card says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import FloatArray
from training.classifier.metrics import log_loss
from training.classifier.predictions import CinePredictions, softmax

_TEMPERATURES = (0.05, 20.0)
_NARROWINGS = 60
"""Golden-section steps: the bracket shrinks by .618 each, far below what matters."""


@dataclass(frozen=True)
class Calibration:
    """What export writes beside the weights.

    Attributes:
        temperature: divides the raw log-odds.
        abstain_below: cine confidence under which no view is named.
        coverage: share of the calibration cines at or above it.
    """

    temperature: float
    abstain_below: float
    coverage: float


def calibrate(predictions: CinePredictions, coverage: float) -> Calibration:
    """Fit temperature and threshold on cines of unseen styles.

    Args:
        predictions: raw mean log-odds of cines that were not trained on.
        coverage: wanted share of them that gets an answer.
    """
    temperature = fit_temperature(predictions)
    calibrated = np.asarray(predictions.logits / temperature, np.float32)
    threshold = find_threshold(calibrated, predictions, coverage)
    covered = softmax(calibrated).max(axis=1) >= threshold
    return Calibration(temperature, threshold, float(covered.mean()))


def fit_temperature(predictions: CinePredictions) -> float:
    """Find the temperature with the least class-balanced log loss; the loss has one minimum over its logarithm.

    Reference:
        Guo 2017, On Calibration of Modern Neural Networks, section 4.2.
    """
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    low, high = (float(np.log(limit)) for limit in _TEMPERATURES)

    def loss(log_temperature: float) -> float:
        return log_loss(np.asarray(predictions.logits / np.exp(log_temperature), np.float32), predictions.labels)

    for _ in range(_NARROWINGS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def find_threshold(calibrated: FloatArray, predictions: CinePredictions, coverage: float) -> float:
    """Find the largest confidence that the wanted share of cines reaches, rounded down to four places."""
    confidence = np.sort(softmax(calibrated).max(axis=1))
    allowed = int(np.floor((1.0 - coverage) * len(predictions.labels) + 1e-9))
    return float(np.floor(confidence[allowed] * 1e4) / 1e4)
