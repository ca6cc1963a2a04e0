"""The report measures every style and group, and the card prints all of it."""

import json

import numpy as np

from services.cine.views import TARGET_VIEWS
from training.classifier.calibration import calibrate
from training.classifier.card import write_classifier_card
from training.classifier.config import load_preset
from training.classifier.predictions import CinePredictions
from training.classifier.report import Measured, report_on
from training.configuration import to_plain
from training.simulator.styles import STYLES

CONFIG = load_preset("smoke")


def make_cines(noise: float, seed: int) -> CinePredictions:
    """Twelve subjects, every view in every style; the more noise the more errors."""
    rng = np.random.default_rng(seed)
    subjects, labels, styles = (axis.ravel() for axis in np.mgrid[:12, : len(TARGET_VIEWS), : len(STYLES)])
    logits = 3.0 * np.eye(len(TARGET_VIEWS))[labels] + rng.normal(0, noise, (len(labels), len(TARGET_VIEWS)))
    return CinePredictions(logits.astype(np.float32), labels, styles, subjects)


def make_measured() -> Measured:
    return Measured(test=make_cines(1.0, 0), changed=make_cines(3.0, 1), calibrated_on=make_cines(1.0, 2))


def test_report_holds_every_style_and_group_in_the_types_of_json() -> None:
    measured = make_measured()
    report = report_on(measured, calibrate(measured.calibrated_on, 0.9), CONFIG)
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(report))
    assert tuple(report["styles"]) == STYLES
    assert report["groups"]["seen"]["cines"] + report["groups"]["unseen"]["cines"] == len(measured.test.labels)
    assert report["groups"]["unseen_uncalibrated"]["cines"] < report["groups"]["unseen"]["cines"]
    assert report["groups"]["unseen_changed"]["balanced_accuracy"] < report["groups"]["unseen"]["balanced_accuracy"]


def test_interval_holds_the_estimate_and_confusion_counts_every_cine() -> None:
    measured = make_measured()
    for style in report_on(measured, calibrate(measured.calibrated_on, 0.9), CONFIG)["styles"].values():
        low, high = style["interval_95"]
        assert low <= style["balanced_accuracy"] <= high
        assert np.sum(style["confusion"]) == style["cines"] == 48


def test_card_prints_what_was_measured_and_what_it_is_not() -> None:
    measured = make_measured()
    calibration = calibrate(measured.calibrated_on, 0.9)
    report = report_on(measured, calibration, CONFIG)
    report |= {"sector_found": {"train": 0.995}, "frames": {"train": 1200}}
    checkpoint = {
        "config": to_plain(CONFIG),
        "commit": "0123456789ab",
        "calibration": vars(calibration),
        "compute": {
            "rendering_s": 30,
            "training_s": 1200,
            "device": "cpu",
            "precision": "bf16",
            "threads": 1,
            "cores": 2,
            "machine": "x86_64",
        },
        "report": report,
    }
    facts = {"parameters": 1_234_567, "multiply_adds": 87e6, "bytes": 4.9e6}
    card = write_classifier_card(checkpoint, facts, "f" * 64, 1e-6)
    for words in ("1,234,567", "0123456789ab", "99.5%", "f" * 64, "20 min", *STYLES, "Not a medical device"):
        assert words in card
