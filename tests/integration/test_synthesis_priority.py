"""What makes images gives way, its linear algebra too, and computes the same however many cores there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from echoplane.v1 import synthesis_pb2

from deploy.demo.gateway import running_gateway
from services.client import Client
from tests.builders import tiny_repository
from tests.integration.test_synthesis import settings_of
from tests.unit.models.copy_scenes import write_index
from tests.unit.models.tiny_synthesizer import sha256_of, write_synthesizer

pytestmark = pytest.mark.alone


@pytest.fixture(autouse=True)
def usual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("OMP", "OPENBLAS"):  # the tests themselves run with one thread
        monkeypatch.delenv(f"{library}_NUM_THREADS", raising=False)


def spent_ticks(pid: int) -> dict[bool, int]:
    """Give the processor time of a process's threads, in ticks: of those that give way, and of the others."""
    spent, ordinary = {True: 0, False: 0}, os.getpriority(os.PRIO_PROCESS, pid)
    for thread in Path(f"/proc/{pid}/task").iterdir():
        values = (thread / "stat").read_text().rpartition(")")[2].split()
        user, system, nice = values[11], values[12], values[16]  # proc(5), counted from the state
        spent[int(nice) > ordinary] += int(user) + int(system)
    return spent


async def test_a_filtered_batch_is_made_by_threads_that_give_way(tmp_path: Path) -> None:
    models = tiny_repository(tmp_path / "models")
    write_synthesizer(models)
    write_index(tmp_path / "index.npz", sha256_of(models))
    settings = settings_of(models, tmp_path, SYNTHESIS_COPY_INDEX=str(tmp_path / "index.npz"))
    with running_gateway(tmp_path / "log", settings) as gateway:
        async with Client(gateway.address) as client:
            before = spent_ticks(gateway.process.pid)
            request = synthesis_pb2.GenerateBatchRequest(per_view=100)
            images = [image async for image in client.generate_batch(request)]
            after = spent_ticks(gateway.process.pid)
    assert {image.copy_check for image in images} == {synthesis_pb2.COPY_CHECK_PASSED}
    assert after[True] - before[True] > 4 * (after[False] - before[False])


def test_the_command_line_multiplies_in_one_thread() -> None:
    look = "import os, services.cli, numpy; square = numpy.ones((1000, 1000)); square @ square; "
    command = [sys.executable, "-c", look + "print(len(os.listdir('/proc/self/task')))"]
    assert subprocess.run(command, capture_output=True, check=True, timeout=60).stdout == b"1\n"
