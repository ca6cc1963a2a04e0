"""Each row leaves out one thing and nothing else, and is held against the whole, run by run."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.cine.cine import FloatArray
from tests.unit.training.classifier.making import draw_cines
from training.classifier.calibration import Calibration
from training.classifier.config import load_preset
from training.classifier.splits import Split, order_cines
from training.configuration import to_plain
from training.evaluation.ablation import ROWS, TABLE_FILE, WHOLE, Judged, Row, Study, difference, write_results
from training.evaluation.families import LeftOut
from training.simulator.studio import PHYSICS

BASE = load_preset("small")


def changed_keys(row: Row) -> set[str]:
    before, after = to_plain(BASE), to_plain(row.config(BASE))
    return {key for part in ("data", "augmentation") for key in before[part] if before[part][key] != after[part][key]}


def make_runs(logits: FloatArray | None = None) -> list[LeftOut]:
    cines = draw_cines(2.0, 0)
    if logits is not None:
        cines = type(cines)(**vars(cines) | {"logits": logits})
    return [LeftOut("research", seed, Calibration(1.0, 0.5, 0.05, 0.9), cines) for seed in (1, 2, 3)]


def make_study(folder: Path) -> Study:
    config = replace(BASE, calibration=replace(BASE.calibration, bootstrap_draws=20))
    return Study(config, ("research",), (1, 2, 3), 0, 1, folder, folder)


def test_all_that_the_issue_names_is_left_out_once() -> None:
    assert [row.name for row in ROWS[1:]] == [
        *("moving speckle", "specular angle", "drop-out", "haze", "far-field gain", "style randomisation"),
        *("plane jitter", "background mixing", "crops"),
    ]
    assert sorted(row.without for row in ROWS if row.without) == sorted(PHYSICS)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("nothing", set()),
        ("haze", {"without"}),
        ("style randomisation", {"random_share"}),
        ("background mixing", {"outline_chance"}),
        ("crops", {"scale", "stretch", "shift_fraction", "cut_chance", "narrow_chance"}),
    ],
)
def test_a_row_changes_its_own_thing_and_nothing_else(name: str, keys: set[str]) -> None:
    row = next(row for row in ROWS if row.name == name)
    assert changed_keys(row) == keys


@pytest.mark.parametrize("row", [row for row in ROWS if row.without], ids=lambda row: row.without)
def test_what_the_simulator_leaves_out_is_left_out_of_training_alone(row: Row) -> None:
    few = replace(BASE, data=replace(BASE.data, train_subjects=2, test_subjects=2))
    config = row.config(few)
    assert {order.without for order in order_cines(Split.TRAIN, config)} == {(row.without,)}
    assert order_cines(Split.TEST, config) == order_cines(Split.TEST, few)


def test_change_is_paired_and_nought_against_itself() -> None:
    whole = make_runs()
    assert difference(whole, whole) == (0.0, 0.0)
    shuffled = np.random.default_rng(0).permutation(whole[0].cines.logits)
    change, error = difference(make_runs(shuffled), whole)
    assert change < -0.3
    assert error < 1e-6


def test_tables_hold_every_row_and_training(tmp_path: Path) -> None:
    whole = Judged(WHOLE, make_runs(), ("grey.cavity",), 90)
    worse = Judged(ROWS[3], make_runs(draw_cines(4.0, 1).logits), ("grey.cavity", "grey.lateral"), 90)
    text = write_results([whole, worse], make_study(tmp_path))
    with (tmp_path / TABLE_FILE).open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["without"], line["seed"]) for line in lines] == [
        (name, str(seed)) for name in ("nothing", "drop-out") for seed in (1, 2, 3)
    ]
    assert float(lines[3]["balanced_accuracy"]) < float(lines[0]["balanced_accuracy"])
    assert "2 of 90 | grey.lateral |" in text
