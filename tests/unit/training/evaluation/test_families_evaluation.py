"""Leaving a family out: nobody sees it before the end, and intervals hold what was measured."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.classifier.making import draw_cines
from training.classifier.calibration import Calibration
from training.classifier.config import load_preset
from training.classifier.simulation import families
from training.classifier.splits import Split, order_cines
from training.evaluation.families import (
    MEASURES,
    REPORT_FILE,
    TABLE_FILE,
    LeftOut,
    interval,
    without_family,
    write_results,
)

SMOKE = load_preset("smoke")
FAMILIES = tuple(families())


def make_runs(noise: float = 1.0, seeds: int = 3) -> list[LeftOut]:
    runs = []
    for family in FAMILIES[:2]:
        for seed in range(1, seeds + 1):
            cines = draw_cines(noise, seed)
            of_family = cines.take(np.isin(cines.styles, families()[family]))
            runs.append(LeftOut(family, seed, Calibration(1.0, 0.5, 0.05, 0.9), of_family))
    return runs


@pytest.mark.parametrize("family", FAMILIES)
def test_neither_training_nor_calibration_sees_the_family(family: str) -> None:
    config = without_family(SMOKE, family, 2)
    assert config.loop.seed == 2
    for split in (Split.TRAIN, Split.CALIBRATION):
        styles = {order.style for order in order_cines(split, config)}
        assert not styles & set(families()[family])
        assert all(family in style for style in styles if style.startswith("random"))


def test_seeds_of_a_family_share_their_cines() -> None:
    first, second = (without_family(SMOKE, FAMILIES[0], seed) for seed in (1, 2))
    for split in Split:
        assert order_cines(split, first) == order_cines(split, second)


def test_interval_holds_the_mean_and_grows_with_what_differs_between_seeds() -> None:
    runs = make_runs()
    alike = [replace(run, cines=runs[0].cines) for run in runs]
    widths = []
    for each in (runs, alike):
        low, high = interval(each, 200)
        accuracies = [(run.cines.logits.argmax(axis=1) == run.cines.labels).mean() for run in each]
        assert low <= np.mean(accuracies) <= high
        widths.append(high - low)
    assert interval(runs, 200) == interval(runs, 200)
    assert all(0.0 < width < 0.2 for width in widths)


def test_every_training_and_group_is_a_line_and_every_family_a_row(tmp_path: Path) -> None:
    runs = make_runs()
    text = write_results(runs, SMOKE, tmp_path)
    with (tmp_path / TABLE_FILE).open() as file:
        lines = list(csv.DictReader(file))
    assert {(line["family"], int(line["seed"])) for line in lines} == {(run.family, run.seed) for run in runs}
    assert all(0.0 <= float(line["balanced_accuracy"]) <= 1.0 for line in lines)
    assert set(MEASURES) <= set(lines[0])
    assert {"all", "plane a4c", "plane subcostal"} <= {line["group"] for line in lines}
    assert (tmp_path / REPORT_FILE).read_text() == text
    for words in (*FAMILIES[:2], "**all**", "plane subcostal", "5%", "`smoke`"):
        assert words in text
