"""Everything that is measured of a trained classifier, in JSON's types, as the card prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.cine.cine import BoolArray
from training.classifier.calibration import Calibration
from training.classifier.config import ClassifierConfig
from training.classifier.metrics import (
    accuracy_interval,
    balanced_accuracy,
    confusion,
    expected_calibration_error,
    log_loss,
    recalls,
    selective_accuracy,
)
from training.classifier.predictions import CinePredictions, softmax
from training.simulator.styles import SEEN_STYLES, STYLES

COVERAGES = (1.0, 0.9, 0.8)


@dataclass(frozen=True)
class Measured:
    """Raw log-odds of cines that were not trained on.

    Attributes:
        test: subjects in no other split, every style, as rendered.
        changed: the same cines, changed as training frames are.
        calibrated_on: the calibration cines.
    """

    test: CinePredictions
    changed: CinePredictions
    calibrated_on: CinePredictions


def report_on(measured: Measured, calibration: Calibration, config: ClassifierConfig) -> dict[str, Any]:
    """Measure the test cines, by style, by how far a style is from training, and changed.

    Args:
        measured: what the network said.
        calibration: temperature and threshold.
        config: names the calibration styles and the number of bootstrap draws.
    """
    scaled, changed = _scale(measured.test, calibration), _scale(measured.changed, calibration)
    style_of = np.array(STYLES)[scaled.styles]
    is_unseen = ~np.isin(style_of, SEEN_STYLES)
    groups = {
        "seen": _take(scaled, ~is_unseen),
        "unseen": _take(scaled, is_unseen),
        "unseen_uncalibrated": _take(scaled, is_unseen & ~np.isin(style_of, config.calibration.styles)),
        "unseen_changed": _take(changed, is_unseen),
    }
    draws, calibrated_on = config.calibration.bootstrap_draws, measured.calibrated_on
    return {
        "groups": {name: _measure(cines, calibration, draws) for name, cines in groups.items()},
        "styles": {style: _measure(_take(scaled, style_of == style), calibration, draws) for style in STYLES},
        "calibration": _measure(_scale(calibrated_on, calibration), calibration, draws),
        "calibration_log_loss_before": log_loss(calibrated_on.logits, calibrated_on.labels),
    }


def _measure(cines: CinePredictions, calibration: Calibration, draws: int) -> dict[str, Any]:
    logits, labels = cines.logits, cines.labels
    answered = softmax(logits).max(axis=1) >= calibration.abstain_below
    is_right = logits.argmax(axis=1) == labels
    return {
        "cines": len(labels),
        "subjects": len(np.unique(cines.subjects)),
        "balanced_accuracy": balanced_accuracy(logits, labels),
        "interval_95": accuracy_interval(cines, draws),
        "recalls": [float(value) for value in recalls(logits, labels)],
        "confusion": confusion(logits, labels).tolist(),
        "balanced_log_loss": log_loss(logits, labels),
        "calibration_error": expected_calibration_error(logits, labels),
        "selective_accuracy": {f"{share:.2f}": selective_accuracy(logits, labels, share) for share in COVERAGES},
        "answered": float(answered.mean()),
        "accuracy_answered": float(is_right[answered].mean()) if answered.any() else None,
    }


def _scale(cines: CinePredictions, calibration: Calibration) -> CinePredictions:
    logits = np.asarray(cines.logits / calibration.temperature, np.float32)
    return CinePredictions(logits, cines.labels, cines.styles, cines.subjects)


def _take(cines: CinePredictions, chosen: BoolArray) -> CinePredictions:
    return CinePredictions(cines.logits[chosen], cines.labels[chosen], cines.styles[chosen], cines.subjects[chosen])
