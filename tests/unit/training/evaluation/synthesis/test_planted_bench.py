"""The bench divides by subject, counts what was found at the false alarms it says, and draws what was missed."""

from dataclasses import replace

import numpy as np

from services.models.copy_filter import CopyRecord, Judgement
from tests.unit.training.evaluation.synthesis.made_sets import pictures
from training.evaluation.synthesis.planted import (
    KINDS,
    WANTED_COPIES,
    Measured,
    Planted,
    count_false_alarms,
    count_short,
    draw_pairs,
    plant_all,
    summarise,
)
from training.evaluation.synthesis.planting import EASY_PLANTS
from training.evaluation.synthesis.subjects import divide


def judged(p_values: list[float]) -> list[Judgement]:
    record = CopyRecord(1.0, 0.0, 1.0, 1.0, 0, 0, subject=3)
    return [Judgement(value <= 0.01, replace(record, p_value=value)) for value in p_values]


def test_no_subject_is_in_two_parts() -> None:
    held = pictures(range(40), 6)
    parts = divide(replace(held, cines=np.repeat(np.arange(40), 6)))
    subjects = [set(part.subjects) for part in (parts.training, parts.calibration, parts.unknown)]
    assert [len(part) for part in subjects] == [20, 10, 10]
    assert len(set.union(*subjects)) == 40
    assert set(parts.unused.subjects) == subjects[0]
    assert (len(parts.training), len(parts.calibration)) == (40, 10)  # two frames of six, one of a stranger


def test_every_kind_is_planted_from_its_source() -> None:
    training = pictures(range(10))
    planted = {one.kind: one for one in plant_all(training, pictures(range(10)), pictures(range(50, 60)), 10, seed=1)}
    assert set(EASY_PLANTS) < set(planted)
    for one in planted.values():
        places = {bytes(frame): subject for frame, subject in zip(training.frames, training.subjects, strict=True)}
        assert [places[bytes(source)] for source in one.sources] == one.pictures.subjects.tolist()


def test_found_is_counted_at_one_percent_of_false_alarms() -> None:
    kinds = [
        Measured(Planted(kind, pictures(range(4)), pictures(range(4)).frames), judged([0.001, 0.004, 0.02, 0.5]))
        for kind in EASY_PLANTS
    ]
    alarms = np.concatenate([[0.004], np.linspace(0.03, 1, 99)])
    summary = summarise(kinds, alarms, threshold=0.001, seconds_a_batch=0.05)
    assert summary["kinds"]["crop"]["found"]["share"] == 0.75  # the quantile of 1 % lies between .004 and .03
    assert summary["kinds"]["crop"]["found_by_the_filter"]["share"] == 0.25
    assert summary["kinds"]["crop"]["named"]["hits"] == 1
    assert summary["false_alarms_of_the_filter"]["hits"] == 0
    assert not summary["first_group_holds"]


def test_kinds_that_are_missing_or_too_few_are_named() -> None:
    copies = pictures(range(4))
    few = Measured(Planted("mosaic", copies, copies.frames), judged([0.5] * 4))
    many = Measured(Planted("crop", copies, copies.frames), judged([0.5] * WANTED_COPIES))
    short = count_short([few, many])
    assert short == {kind: 4 if kind == "mosaic" else 0 for kind in KINDS if kind != "crop"}
    assert {"another_style", "renoised"} <= set(short)


def test_every_kind_that_is_planted_is_one_of_those_wanted() -> None:
    planted = plant_all(pictures(range(4)), pictures(range(4)), pictures(range(50, 54)), 2, seed=1)
    assert {one.kind for one in planted} <= set(KINDS)


def test_false_alarms_are_counted_where_they_happen() -> None:
    unknown = replace(pictures(range(8)), styles=np.array([0, 0, 0, 0, 1, 1, 1, 16]))
    found = count_false_alarms(judged([0.001, 0.5, 0.5, 0.5, 0.002, 0.5, 0.5, 0.5]), unknown)
    assert [one["hits"] for one in found["false_alarms_by_view"].values()] == [2, 0, 0, 0]
    assert [(one["hits"], one["count"]) for one in found["false_alarms_by_style"].values()] == [(1, 4), (1, 3)]


def test_pairs_are_drawn_side_by_side() -> None:
    sheet = draw_pairs(np.full((3, 112, 112), 9, np.uint8), np.full((3, 112, 112), 5, np.uint8))
    assert sheet.shape == (112, 8 * 112)
    assert sheet[50, [0, 112, 224, 336, 700]].tolist() == [9, 5, 9, 5, 0]
