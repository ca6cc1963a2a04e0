"""Node and gateway killed at any moment: nothing that was acknowledged is lost, nothing is there twice.

`python -m tests.bench.kills --kills 200` does the same longer.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.kills import Outcome, kill_so_often

KILLS = 6


@pytest.mark.timeout(400)  # what waits may wait a minute
def test_killed_at_any_moment_they_lose_nothing_and_show_nothing_twice(tmp_path: Path) -> None:
    outcome = kill_so_often(tmp_path, KILLS, seed=1)
    assert outcome.faults == []
    assert outcome.kills.total() >= KILLS
    assert {process for process, _ in outcome.kills} == {"node", "gateway"}
    assert outcome.acknowledged > KILLS, "the kills came too early"
    assert outcome.answered
    with closing(sqlite3.connect(tmp_path / "inbox" / "inbox.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_is_lost_or_there_twice_is_told() -> None:
    outcome = Outcome()
    outcome.expect_once("reports", ["a", "b", "b", "d"], {"a", "b", "c"})
    assert outcome.faults == [
        "reports lost: 1, of them c",
        "reports twice: 1, of them b",
        "reports of nobody: 1, of them d",
    ]
