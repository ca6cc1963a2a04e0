"""Killed at any moment, an inbox has every object that was acknowledged, once, and nothing half."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from services.acquisition.inbox import Inbox, InboxLimits, State
from tests.integration.killed_inbox import data_of, uid_of

KILLS = 25
LONGEST_S = 0.4
LIMITS = InboxLimits(least_free_bytes=0)


def told_before_a_kill(folder: Path, delay_s: float) -> set[int]:
    """Let objects be sent, kill the process so long after the first acknowledgement, give what was acknowledged."""
    command = [sys.executable, "-m", "tests.integration.killed_inbox", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(delay_s)
        process.kill()
        return {int(line) for line in (first + process.stdout.read()).splitlines()}


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    rng, told = random.Random(1), set[int]()
    for _ in range(KILLS):
        told |= told_before_a_kill(tmp_path, rng.uniform(0, LONGEST_S))
        with closing(Inbox(tmp_path, LIMITS)) as inbox:
            files = [path.read_bytes() for path in (tmp_path / "objects").iterdir()]
            assert len(files) == len(set(files)) == inbox.counts()[State.RECEIVED]
            assert {data_of(number) for number in told} <= set(files)
            assert list(inbox.incoming.iterdir()) == []
    assert len(told) > KILLS, "the kills came too early"


def test_an_object_is_known_again_after_a_kill(tmp_path: Path) -> None:
    number = min(told_before_a_kill(tmp_path, 0.0))
    with closing(Inbox(tmp_path, LIMITS)) as inbox:
        before, part = inbox.counts(), inbox.incoming / "part"
        part.write_bytes(data_of(number))
        assert not inbox.keep(part, uid_of(number), "north", 0.0).is_conflicting
        assert inbox.counts() == before
