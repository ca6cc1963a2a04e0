"""Sheets of pictures have the tiles they promise."""

import json
from pathlib import Path

import cv2
import numpy as np

from training.simulator.cine import simulate_cine
from training.simulator.contact_sheet import (
    LABEL_PX,
    end_times_ms,
    kind_sheet,
    phase_strip,
    plane_sheet,
    quiz_sheet,
    style_sheet,
)
from training.simulator.variants import KINDS
from training.simulator.views.names import VIEW_CLASSES


def test_style_sheet_shows_both_ends_of_the_beat_for_every_view_of_a_subject() -> None:
    sheet = style_sheet("dynamic", range(1), size_px=24, views=("A4C", "PSAX"))
    assert sheet.shape == (24, 24 * 2 * 2, 3)
    assert not np.array_equal(sheet[:, :24], sheet[:, 24:48])


def test_phase_strip_shows_a_moving_beat() -> None:
    strip = phase_strip(2, "A4C", "tmed", phases=3, size_px=24)
    assert strip.shape == (24, 72, 3)
    assert not np.array_equal(strip[:, :24], strip[:, 24:48])


def test_kind_sheet_has_a_row_for_each_kind_and_a_column_for_each_style() -> None:
    sheet = kind_sheet("frozen", styles=("dynamic", "tmed"), height_px=60)
    assert sheet.shape == (len(KINDS["frozen"]) * (60 + LABEL_PX), 2 * 80, 3)


def test_quiz_answers_name_every_tile_but_the_picture_does_not(tmp_path: Path) -> None:
    sheet, answers = quiz_sheet(3, size_px=24, tiles=6)
    assert [answer["tile"] for answer in answers] == [1, 2, 3, 4, 5, 6]
    assert {answer["view"] for answer in answers} <= set(VIEW_CLASSES)
    assert sheet.shape == (24, 24 * 6, 3)
    assert cv2.imwrite(str(tmp_path / "quiz.png"), sheet)
    assert json.loads(json.dumps(answers)) == answers


def test_plane_sheet_has_a_tile_a_plane_and_subject() -> None:
    sheet = plane_sheet(range(2), ("a3c", "sweep_a4c_a2c"), size_px=32, columns=3)
    assert sheet.shape == (2 * 32, 3 * 32, 3)
    tiles = [sheet[32 * row :][:32, 32 * column :][:, :32] for row in range(2) for column in range(3)]
    assert all(picture.any() for picture in tiles[:4])
    assert not any(picture.any() for picture in tiles[4:])


def test_the_ends_of_the_beat_are_those_of_the_cine() -> None:
    times_ms = end_times_ms(3, "A4C")
    truth = simulate_cine(3, "A4C", "tmed", frame_times_ms=np.append(times_ms, times_ms.mean()), size_px=24).truth
    assert (truth.ed_frame, truth.es_frame) == (0, 1)
