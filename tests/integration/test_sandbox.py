"""The sandbox with its real processes: same answers, no memory of earlier cines, every violent end a typed error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from services.cine.errors import EchoplaneError, InputError, LimitExceededError, ReaderUnavailableError, Reason
from services.cine.intake import Intake, IntakeOptions, take_in
from services.cine.selection import Selection
from services.runtime.sandbox import Sandbox, SandboxLimits
from tests.builders import (
    avi_bytes,
    dicom_bytes,
    fan_frames,
    gif_bomb,
    gif_bytes,
    jpeg_bytes,
    mp4_bytes,
    png_bytes,
    still_frames,
)

OPTIONS = IntakeOptions()
GOOD = dicom_bytes(fan_frames(12, 64, 80))
SLOW = gif_bomb(1_500, 640)
"""Few bytes that take seconds to decode."""

KINDS: dict[str, Callable[[np.ndarray], bytes]] = {
    "raw DICOM": dicom_bytes,
    "JPEG DICOM": lambda frames: dicom_bytes(frames, "jpeg"),
    "AVI": avi_bytes,
    "MP4": mp4_bytes,
    "GIF": gif_bytes,
    "PNG": lambda frames: png_bytes(frames[0]),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


Found = TypeVar("Found")


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def wait_for(found: Callable[[], Found], deadline_s: float = 10.0) -> Found:
    end = time.monotonic() + deadline_s
    while not (result := found()) and time.monotonic() < end:
        time.sleep(0.002)
    assert result, "it did not come in time"
    return result


def warm_parents() -> set[int]:
    names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(os.getpid())}
    return {pid for pid, name in names.items() if b"warm_parent" in name}


@pytest.fixture
def alone() -> Iterator[tuple[Sandbox, int]]:
    """A sandbox of the test's own, warm, and the process id of its warm parent."""
    before = warm_parents()
    with Sandbox() as sandbox:
        sandbox.take_in(GOOD, OPTIONS)
        (parent,) = warm_parents() - before
        yield sandbox, parent


def assert_same(there: Intake, here: Intake) -> None:
    for name in ("outline_px", "frame_indices", "frame_times_ms", "model_input"):
        assert np.array_equal(getattr(there, name), getattr(here, name))
    assert (there.findings, there.cine) == (here.findings, here.cine)


def outcome(read: Callable[[bytes, IntakeOptions], Intake], data: bytes) -> Intake | tuple[Reason, str]:
    try:
        return read(data, OPTIONS)
    except InputError as error:
        return error.reason, str(error)


@pytest.mark.parametrize("selection", Selection)
@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_that_of_the_same_work_in_process(sandbox: Sandbox, kind: str, selection: Selection) -> None:
    options, data = IntakeOptions(selection=selection, max_frames=5), KINDS[kind](fan_frames())
    assert_same(sandbox.take_in(data, options), take_in(data, options))


@pytest.mark.parametrize("data", [b"", b"no cine", GOOD[:5_000], dicom_bytes(fan_frames(), Rows=9_999)])
def test_a_refusal_is_that_of_the_same_work_in_process(sandbox: Sandbox, data: bytes) -> None:
    assert outcome(sandbox.take_in, data) == outcome(take_in, data)


def cut(kind: str, frames: np.ndarray, share: float) -> bytes:
    """Cut a file; every other time only the JPEG data in it, so that a decoder is left with half a picture."""
    if kind == "JPEG DICOM" and share > 0.5:
        jpegs = [jpeg_bytes(frame) for frame in frames]
        return dicom_bytes(frames, "jpeg", fragments=[jpeg[: int(len(jpeg) * share)] + b"\xff\xd9" for jpeg in jpegs])
    data = KINDS[kind](frames)
    return data[: int(len(data) * share)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_pixel_of_an_earlier_cine_shows_in_a_later_one(sandbox: Sandbox, kind: str) -> None:
    bright = KINDS[kind](np.maximum(fan_frames(9, 64, 64, beats=2), still_frames(9, 64, 64, seed=1)))
    for number, share in enumerate(np.linspace(0.02, 0.98, 200)):
        damaged = cut(kind, fan_frames(3, 64, 64, seed=number % 7), float(share))
        expected = outcome(take_in, damaged)  # before this process has seen the bright cine
        assert sandbox.take_in(bright, OPTIONS).model_input.size
        found = outcome(sandbox.take_in, damaged)
        if isinstance(expected, Intake) and isinstance(found, Intake):
            assert_same(found, expected)
        else:
            assert found == expected


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(SandboxLimits(cpu_s=1), Reason.LIMIT_TIME), (SandboxLimits(wall_s=1), Reason.LIMIT_TIME)],
    ids=["processor", "clock"],
)
def test_a_cine_that_takes_too_long_is_ended_and_the_next_is_read(limits: SandboxLimits, reason: Reason) -> None:
    ends: list[str] = []
    with Sandbox(limits, ends.append) as sandbox:
        sandbox.take_in(GOOD, OPTIONS)
        before = time.monotonic()
        with pytest.raises(LimitExceededError) as caught:
            sandbox.take_in(SLOW, OPTIONS)
        assert time.monotonic() - before < 20
        sandbox.take_in(GOOD, OPTIONS)
    assert caught.value.reason is reason
    assert ends == ["answered", "time", "answered"]


def test_a_cine_that_needs_too_much_memory_is_ended_and_the_next_is_read(alone: tuple[Sandbox, int]) -> None:
    status = Path(f"/proc/{alone[1]}/status").read_text()
    size_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize"))
    ends: list[str] = []
    with Sandbox(SandboxLimits(memory_mib=size_kib // 1024 + 120), ends.append) as sandbox:
        sandbox.take_in(GOOD, OPTIONS)
        with pytest.raises(LimitExceededError) as caught:
            sandbox.take_in(SLOW, OPTIONS)
        sandbox.take_in(GOOD, OPTIONS)
    assert caught.value.reason is Reason.LIMIT_MEMORY
    assert ends == ["answered", "memory", "answered"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGABRT, Reason.DECODER_CRASHED),
        (signal.SIGSEGV, Reason.DECODER_CRASHED),
        (signal.SIGKILL, Reason.LIMIT_MEMORY),  # as the kernel does when memory runs out
    ],
)
def test_a_reader_that_dies_is_a_typed_error_and_its_parent_survives(
    alone: tuple[Sandbox, int], number: signal.Signals, reason: Reason
) -> None:
    sandbox, parent = alone
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(sandbox.take_in, SLOW, OPTIONS)
        (reader,) = wait_for(lambda: children(parent))
        os.kill(reader, number)
        with pytest.raises(InputError) as caught:
            call.result(timeout=20)
    assert caught.value.reason is reason
    sandbox.take_in(GOOD, OPTIONS)
    assert parent in warm_parents()


def test_an_answer_larger_than_allowed_is_refused() -> None:
    with Sandbox(SandboxLimits(output_mib=1)) as sandbox:
        many = IntakeOptions(max_frames=64)
        with pytest.raises(InputError) as caught:
            sandbox.take_in(dicom_bytes(fan_frames(60, 64, 64)), many)
        assert sandbox.take_in(GOOD, OPTIONS).model_input.size
    assert caught.value.reason is Reason.DECODER_CRASHED


def test_a_warm_parent_that_dies_is_told_once_and_replaced(alone: tuple[Sandbox, int]) -> None:
    sandbox, parent = alone
    os.kill(parent, signal.SIGKILL)
    with pytest.raises(ReaderUnavailableError):
        sandbox.take_in(GOOD, OPTIONS)
    assert sandbox.take_in(GOOD, OPTIONS).is_accepted
    assert parent not in warm_parents()


def test_a_warm_parent_that_hangs_is_given_up_and_replaced() -> None:
    ends: list[str] = []
    with Sandbox(SandboxLimits(wall_s=1), ends.append) as hanging:
        hanging.take_in(GOOD, IntakeOptions())
        os.kill(hanging._process.pid, signal.SIGSTOP)
        with pytest.raises(ReaderUnavailableError):
            hanging.take_in(GOOD, IntakeOptions())
        assert ends == ["answered", "lost"]
        assert hanging.take_in(GOOD, IntakeOptions()).is_accepted


def test_all_cines_at_work_hear_that_the_warm_parent_died_and_one_new_one_is_started(
    alone: tuple[Sandbox, int],
) -> None:
    sandbox, parent = alone
    others = warm_parents() - {parent}
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(sandbox.take_in, SLOW, OPTIONS) for _ in range(4)]
        wait_for(lambda: children(parent) if len(children(parent)) == 4 else [])
        os.kill(parent, signal.SIGKILL)
        for call in calls:
            with pytest.raises(ReaderUnavailableError):
                call.result(timeout=20)
    assert sandbox.take_in(GOOD, OPTIONS).is_accepted
    assert len(warm_parents() - others) == 1


def test_many_threads_get_each_their_own_answer(sandbox: Sandbox) -> None:
    cines = [KINDS[kind](fan_frames(8 + number)) for number, kind in enumerate(KINDS) if kind != "PNG"]
    expected = [take_in(data, OPTIONS) for data in cines]

    def ask(number: int) -> None:
        which = number % (len(cines) + 1)
        if which == len(cines):
            assert outcome(sandbox.take_in, GOOD[:4_000]) == outcome(take_in, GOOD[:4_000])
        else:
            assert_same(sandbox.take_in(cines[which], OPTIONS), expected[which])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(120)))


def test_three_hundred_cines_leave_no_descriptor_and_no_process_behind(alone: tuple[Sandbox, int]) -> None:
    sandbox, parent = alone
    data = [GOOD, GOOD[:4_000], avi_bytes(fan_frames(3)), b"no cine"]

    def open_descriptors() -> list[int]:
        return [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in ("self", parent)]

    before = open_descriptors()
    for number in range(300):
        outcome(sandbox.take_in, data[number % len(data)])
    wait_for(lambda: open_descriptors() == before)  # the parent closes the last reply after it has been read
    assert children(parent) == []


def test_closing_ends_the_warm_parent() -> None:
    before = warm_parents()
    with Sandbox() as sandbox:
        sandbox.take_in(GOOD, OPTIONS)
        assert len(warm_parents() - before) == 1
    assert warm_parents() == before


CONFINED = """
import os, resource, sys
from services.runtime.warm_parent import confine
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)  # root may fork beyond any limit; a gateway is not root
confine({"memory_mib": 2048, "cpu_s": 10, "wall_s": 10})
try:
    with open(sys.argv[1], "wb", buffering=0) as file:
        file.write(b"pixels")
    print("wrote")
except OSError as error:
    print("write", error.errno)
try:
    os._exit(0) if os.fork() == 0 else print("forked")
except OSError as error:
    print("fork", error.errno)
try:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
    print("raised")
except (ValueError, OSError) as error:
    print("stays")
"""


def test_a_confined_process_writes_no_file_forks_nothing_and_stays_confined(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.touch()
    target.chmod(0o666)
    for folder in [tmp_path, *tmp_path.parents[:3]]:
        folder.chmod(folder.stat().st_mode | 0o055)
    done = subprocess.run([sys.executable, "-c", CONFINED, target], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["write 27", "fork 11", "stays"]  # EFBIG, EAGAIN
    assert target.read_bytes() == b""


def test_every_end_is_told_to_the_owner() -> None:
    ends: list[str] = []
    with Sandbox(on_exit=ends.append) as sandbox:
        for data in (GOOD, b"no cine", GOOD):
            try:
                sandbox.take_in(data, OPTIONS)
            except EchoplaneError:
                continue
    assert ends == ["answered", "refused", "answered"]
