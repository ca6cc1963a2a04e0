"""Killed at any moment, two at a time, those who record a study lose nothing they told of and double nothing."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from services.acquisition.studies import Studies
from tests.unit.acquisition.studying import KEY, STUDY, cine

KILLS = 30


def test_what_was_told_to_be_recorded_is_there_once_after_any_kill(tmp_path: Path) -> None:
    path = tmp_path / "studies.sqlite"
    command = [sys.executable, "-m", "tests.integration.killed_recorders", str(path), str(KILLS), "1"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr
    pairs = json.loads(run.stdout)
    told = {cine(number).sha256 for numbers in pairs for number in numbers}
    found = [each.sha256 for each in Studies(path, KEY).get(STUDY).cines]
    assert len(found) == len(set(found))
    assert told <= set(found), "a cine was lost"
    assert len(found) - len(told) <= 2 * KILLS, "more than one a recorder that it had no time to tell of"
    assert sum(bool(numbers) for numbers in pairs) >= 3, "the kills came too early"
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
