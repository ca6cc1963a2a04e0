"""The report measures every family, group and subgroup, and the card prints all of it."""

import json
from dataclasses import replace

import numpy as np

from tests.unit.training.classifier.making import STYLES, draw_cines
from training.classifier.calibration import calibrate
from training.classifier.card import write_classifier_card
from training.classifier.config import load_preset
from training.classifier.predictions import CinePredictions
from training.classifier.report import Measured, report_on, subgroups
from training.classifier.simulation import families
from training.configuration import to_plain

FAMILIES = tuple(families())
SMOKE = load_preset("smoke")
CONFIG = replace(
    SMOKE,
    data=replace(SMOKE.data, train_families=FAMILIES[:2]),
    calibration=replace(SMOKE.calibration, families=FAMILIES[2:3]),
)


def make_measured() -> Measured:
    return Measured(test=draw_cines(1.0, 0), changed=draw_cines(3.0, 1), calibrated_on=draw_cines(1.0, 2))


def test_report_holds_every_family_and_group_in_the_types_of_json() -> None:
    measured = make_measured()
    report = report_on(measured, calibrate(measured.calibrated_on, 0.1), CONFIG)
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(report))
    assert tuple(report["families"]) == FAMILIES
    groups = report["groups"]
    assert groups["seen"]["cines"] + groups["unseen"]["cines"] == len(measured.test.labels)
    assert groups["unseen_uncalibrated"]["cines"] < groups["unseen"]["cines"]
    assert groups["unseen_changed"]["balanced_accuracy"] < groups["unseen"]["balanced_accuracy"]
    assert 0.0 <= groups["unseen"]["others_refused"] <= 1.0


def test_interval_holds_the_estimate_and_confusion_counts_every_cine() -> None:
    measured = make_measured()
    for name, family in report_on(measured, calibrate(measured.calibrated_on, 0.1), CONFIG)["families"].items():
        low, high = family["interval_95"]
        assert low <= family["balanced_accuracy"] <= high
        assert np.sum(family["confusion"]) == family["cines"] == 12 * 5 * len(families()[name])


def test_half_way_cines_are_counted_and_not_judged() -> None:
    measured = make_measured()
    shares = measured.test.shares.copy()
    shares[:7] = np.array([0.5, 0, 0, 0, 0.5])
    half_way = replace(measured, test=CinePredictions(**vars(measured.test) | {"shares": shares}))
    report = report_on(half_way, calibrate(measured.calibrated_on, 0.1), CONFIG)
    assert report["half_way_cines"] == 7
    assert sum(family["cines"] for family in report["families"].values()) == len(shares) - 7


def test_subgroups_hold_every_cine_once_for_each_trait() -> None:
    cines = draw_cines(1.0, 0)
    found = dict(subgroups(cines))
    for trait in ("plane", "LVEF", "heart rate", "septum"):
        assert sum(len(part.labels) for name, part in found.items() if name.startswith(trait)) == len(cines.labels)


def test_card_prints_what_was_measured_and_what_it_is_not() -> None:
    measured = make_measured()
    calibration = calibrate(measured.calibrated_on, 0.1)
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
        "left_out": "the table of families",
    }
    facts = {"parameters": 1_234_567, "multiply_adds": 87e6, "bytes": 4.9e6}
    card = write_classifier_card(checkpoint, facts, "f" * 64, 1e-6)
    for words in ("1,234,567", "0123456789ab", "99.5%", "f" * 64, "20 min", *FAMILIES, "Not a medical device"):
        assert words in card
    for words in ("OTHER", "the table of families", "plane subcostal", "no\npromise on real ones"):
        assert words in card
    assert len(STYLES) >= len(FAMILIES)
