"""The recorded reading of the recognisability sheet."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parents[4] / "training/simulator/reading"


def test_the_fresh_reader_named_most_tiles_and_the_readme_says_how_many() -> None:
    answers = {str(a["tile"]): a["view"] for a in json.loads((FOLDER / "answers.json").read_text())}
    reading = json.loads((FOLDER / "reading.json").read_text())
    right = sum(reading[tile] == view for tile, view in answers.items())
    assert len(answers) == 40
    assert right >= 26  # five answers, one still of any source each
    assert f"**{right} of 40**" in (FOLDER / "README.md").read_text()
