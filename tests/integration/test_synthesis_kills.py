"""Killed at any moment, a job loses nothing, doubles nothing and shows nothing half."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.synthesis.ledger import Ledger
from services.synthesis.store import Store
from services.synthesis.worker import Worker
from tests.integration.killed_workers import ORDER
from tests.unit.synthesis.making import IDENTITY, Suspicious, studio

KILLS = 30


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def in_peace(folder: Path) -> dict[str, bytes]:
    """Make the same job without a kill, and give its files."""
    ledger = Ledger(folder / "jobs.sqlite")
    job = ledger.create("peace", ORDER, IDENTITY.sha256, time.time())
    worker = Worker(ledger, studio(copy_filter=Suspicious()), Store(str(folder / "out")), "me")
    asyncio.run(worker.work_once())
    return files_of(folder / "out" / job.job_id)


@pytest.mark.parametrize("seed", [1])
def test_a_job_killed_thirty_times_is_the_job_that_was_not(tmp_path: Path, seed: int) -> None:
    command = [sys.executable, "-m", "tests.integration.killed_workers", str(tmp_path), str(KILLS), str(seed)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    done = told["done"]
    assert done == sorted(done), "an image was lost"
    assert len({count for count in done if 0 < count < ORDER.total}) >= 3, "the kills came too early or too late"
    assert files_of(tmp_path / "out" / told["job_id"]) == in_peace(tmp_path / "peace")
