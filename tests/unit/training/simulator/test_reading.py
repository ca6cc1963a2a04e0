"""The recorded reading of the recognisability sheet, and that it is of the pictures of today."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from training.simulator.contact_sheet import quiz_sheet

FOLDER = Path(__file__).parents[4] / "training/simulator/reading"
SEED, SIZE_PX = 20261122, 256


def test_the_fresh_reader_named_most_tiles_and_the_readme_says_how_many() -> None:
    answers = {str(a["tile"]): a["view"] for a in json.loads((FOLDER / "answers.json").read_text())}
    reading = json.loads((FOLDER / "reading.json").read_text())
    right = sum(reading[tile] == view for tile, view in answers.items())
    assert len(answers) == 40
    assert right >= 26  # five answers, one still of any source each
    assert f"**{right} of 40**" in (FOLDER / "README.md").read_text()


def test_the_sheet_that_was_read_is_what_is_drawn_today() -> None:
    sheet, answers = quiz_sheet(SEED, size_px=SIZE_PX)
    assert answers == json.loads((FOLDER / "answers.json").read_text())
    kept = cv2.imread(str(FOLDER / "sheet.jpg"))
    assert kept is not None
    assert np.abs(sheet.astype(int) - kept).mean() < 4  # of 255: what JPEG loses
