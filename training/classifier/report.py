"""Everything that is measured of a trained classifier, in JSON's types, as the card prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from services.cine.cine import BoolArray
from services.cine.views import TARGET_VIEWS
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
from training.classifier.simulation import families

COVERAGES = (1.0, 0.9, 0.8)

SUBGROUPS: tuple[tuple[str, int, tuple[float, ...]], ...] = (
    ("LVEF", 0, (0.0, 0.4, 0.52, 1.0)),
    ("heart rate, 1/min", 1, (0.0, 60.0, 90.0, 300.0)),
    ("septum, mm", 2, (0.0, 10.0, 13.0, 50.0)),
)
"""Name, column of the traits and limits: reduced, mildly reduced and normal LVEF; slow, usual and fast hearts; walls
that are normal, mildly thick and thicker (Lang 2015, tables 4 and 6, both sexes together)."""

LEAST_CINES = 10
"""A smaller subgroup is not reported."""


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
    """Measure the test cines, by family, by how far a style is from training, by subgroup, and changed.

    Cines half-way between two planes have no right answer and are only counted.

    Args:
        measured: what the network said.
        calibration: temperature and threshold.
        config: names the families of training and calibration and the number of bootstrap draws.
    """
    test, changed = (_scale(cines, calibration) for cines in (measured.test, measured.changed))
    calibrated_on = _scale(measured.calibrated_on, calibration)
    is_seen = _is_of(test, config.data.train_families)
    groups = {
        "seen": test.take(is_seen),
        "unseen": test.take(~is_seen),
        "unseen_uncalibrated": test.take(~is_seen & ~_is_of(test, config.calibration.families)),
        "unseen_changed": changed.take(~_is_of(changed, config.data.train_families)),
    }
    draws = config.calibration.bootstrap_draws
    before = measured.calibrated_on.take(measured.calibrated_on.is_clear)
    return {
        "groups": {name: measure(cines, calibration, draws) for name, cines in groups.items() if len(cines.labels)},
        "families": {family: measure(test.take(_is_of(test, (family,))), calibration, draws) for family in families()},
        "subgroups": {name: measure(cines, calibration, draws) for name, cines in subgroups(groups["unseen"])},
        "calibration": measure(calibrated_on, calibration, draws),
        "calibration_log_loss_before": log_loss(before.logits, before.labels),
        "half_way_cines": int((~measured.test.is_clear).sum()),
    }


def subgroups(cines: CinePredictions) -> Iterator[tuple[str, CinePredictions]]:
    """Give the cines of each plane and of each range of what is known of the heart, where there are enough."""
    for plane in np.unique(cines.planes):
        yield from _if_enough(f"plane {plane}", cines.take(cines.planes == plane))
    for name, column, limits in SUBGROUPS:
        for low, high in pairwise(limits):
            values = cines.traits[:, column]
            yield from _if_enough(f"{name} {low:g}-{high:g}", cines.take((values >= low) & (values < high)))


def measure(cines: CinePredictions, calibration: Calibration, draws: int) -> dict[str, Any]:
    """Measure calibrated cines that have a right answer.

    `others_refused` is the share of what is none of the four views that gets none of their names.
    """
    logits, labels = cines.logits, cines.labels
    answered = softmax(logits).max(axis=1) >= calibration.abstain_below
    answer = logits.argmax(axis=1)
    is_right, is_other = answer == labels, labels >= len(TARGET_VIEWS)
    is_refused = ~answered | (answer >= len(TARGET_VIEWS))
    return {
        "cines": len(labels),
        "subjects": len(np.unique(cines.subjects)),
        "balanced_accuracy": balanced_accuracy(logits, labels),
        "interval_95": accuracy_interval(cines, draws),
        "recalls": [None if np.isnan(value) else float(value) for value in recalls(logits, labels)],
        "confusion": confusion(logits, labels).tolist(),
        "balanced_log_loss": log_loss(logits, labels),
        "calibration_error": expected_calibration_error(logits, labels),
        "selective_accuracy": {f"{share:.2f}": selective_accuracy(logits, labels, share) for share in COVERAGES},
        "answered": float(answered.mean()),
        "accuracy_answered": float(is_right[answered].mean()) if answered.any() else None,
        "named_wrongly": float((answered & ~is_right).mean()),
        "others_refused": float(is_refused[is_other].mean()) if is_other.any() else None,
    }


def _scale(cines: CinePredictions, calibration: Calibration) -> CinePredictions:
    return cines.take(cines.is_clear).divided(calibration.temperature)


def _is_of(cines: CinePredictions, wanted: tuple[str, ...]) -> BoolArray:
    known = families()
    return np.isin(cines.styles, [style for family in wanted for style in known[family]])


def _if_enough(name: str, cines: CinePredictions) -> Iterator[tuple[str, CinePredictions]]:
    if len(cines.labels) >= LEAST_CINES:
        yield name, cines
