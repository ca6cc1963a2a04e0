"""A set made by several processes: the same bytes as by one, also after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ECHOPLANE = Path(sys.executable).with_name("echoplane")
CINES = 24
DEADLINE_S = 60.0


def command(out: Path, workers: int) -> list[str]:
    settings = ["--subjects", str(CINES // 4), "--seed", "40", "--size", "32", "--variant", "short"]
    return [str(ECHOPLANE), "simulate", "--out", str(out), "--workers", str(workers), *settings]


def finish(out: Path, workers: int) -> dict[str, bytes]:
    subprocess.run(command(out, workers), check=True, capture_output=True, timeout=DEADLINE_S)
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return finish(tmp_path_factory.mktemp("set") / "undisturbed", workers=1)


def lines_of(manifest: Path) -> int:
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def wait_until(condition: object, what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_two_workers_write_the_bytes_of_one(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    made = finish(tmp_path / "two", workers=2)
    assert len(made) == CINES + 2
    assert made == undisturbed


def test_a_killed_run_leaves_whole_files_and_goes_on(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "killed"
    running = subprocess.Popen(command(out, 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: lines_of(out / "manifest.partial.csv") > 3, "the first cines")
    workers = children_of(running.pid)
    running.send_signal(signal.SIGKILL)
    running.wait()
    wait_until(lambda: not any(_is_alive(pid) for pid in workers), "the workers to follow")
    left = {path.name: path.read_bytes() for path in out.iterdir()}
    assert "manifest.csv" not in left
    assert 3 <= lines_of(out / "manifest.partial.csv") - 1 < CINES
    assert all(data == undisturbed[name] for name, data in left.items() if name.endswith("C.npz"))
    assert finish(out, workers=2) == undisturbed


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be asked for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
