"""The sandbox with its real processes: same answers, no memory of earlier cines, every violent end a typed error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from services.cine.errors import EchoplaneError, InputError, LimitExceededError, ReaderUnavailableError, Reason
from services.cine.film import make_film
from services.cine.intake import Intake, IntakeOptions, take_in
from services.cine.preprocessing import MODEL_SIDE_PX
from services.cine.selection import Selection
from services.runtime.sandbox import Sandbox, SandboxLimits
from tests.bench.sandbox_cost import sandbox_cost
from tests.builders import (
    avi_bytes,
    dicom_bytes,
    fan_frames,
    gif_bomb,
    gif_bytes,
    mp4_bytes,
    png_bytes,
)
from tests.fuzz.pairs import CODECS, try_pairs

pytestmark = pytest.mark.alone

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


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


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


def spare_of(parent: int) -> int:
    """Wait until the one that waits for its cine is alone."""
    (spare,) = wait_for(lambda: found if len(found := children(parent)) == 1 else [])
    return spare


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_is_that_of_the_same_work_in_process(sandbox: Sandbox, kind: str) -> None:
    data = KINDS[kind](fan_frames())
    there, here = sandbox.film(data, OPTIONS), make_film(data, OPTIONS)
    assert np.array_equal(there.frames, here.frames)
    assert np.array_equal(there.times_ms, here.times_ms)
    assert (there.outline_px is None) == (here.outline_px is None)
    assert there.outline_px is None or here.outline_px is None or np.array_equal(there.outline_px, here.outline_px)


@pytest.mark.parametrize("data", [b"", b"no cine", GOOD[:5_000], dicom_bytes(fan_frames(), Rows=9_999)])
def test_a_refusal_is_that_of_the_same_work_in_process(sandbox: Sandbox, data: bytes) -> None:
    assert outcome(sandbox.take_in, data) == outcome(take_in, data)


@pytest.fixture(scope="module")
def untouched() -> Iterator[Sandbox]:
    """A sandbox that never sees a bright cine."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize("codec", CODECS)
def test_no_pixel_of_an_earlier_cine_shows_in_a_later_one(sandbox: Sandbox, untouched: Sandbox, codec: str) -> None:
    tally = try_pairs(CODECS[codec], 20, sandbox, untouched)
    assert (tally.pairs, tally.different) == (20, 0)


def test_a_leak_between_two_cines_would_show(sandbox: Sandbox) -> None:
    class Leaky(Sandbox):
        def take_in(self, data: bytes | memoryview, options: IntakeOptions) -> Intake:
            intake = super().take_in(data, options)
            earlier, self.last = getattr(self, "last", intake.model_input), intake.model_input
            shown = np.resize(earlier[:, :, MODEL_SIDE_PX // 2], (len(intake.model_input), 1, 1, MODEL_SIDE_PX))
            return replace(intake, model_input=np.concatenate([intake.model_input[:, :, 1:], shown], axis=2))

    with Leaky() as leaky:
        assert try_pairs(CODECS["raw DICOM"], 8, leaky, sandbox).different > 0


MOST_COST_MS = 60.0
"""Of the better quarter of the pairs; a quiet machine needs a tenth of it, a warm parent that is not warm ten times."""


def test_a_process_of_its_own_costs_little(sandbox: Sandbox) -> None:
    assert sandbox_cost(sandbox, avi_bytes(fan_frames(30, 112, 112)), pairs=20).low_ms < MOST_COST_MS


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
    reader = spare_of(parent)
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(sandbox.take_in, SLOW, OPTIONS)
        wait_for(lambda: len(children(parent)) == 2)  # it was handed the cine, and the next one waits
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
        wait_for(lambda: len(children(parent)) == 5)
        orphans = children(parent)
        os.kill(parent, signal.SIGKILL)
        for call in calls:
            with pytest.raises(ReaderUnavailableError):
                call.result(timeout=20)
    wait_for(lambda: not any(map(is_running, orphans)))
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

    spare_of(parent)
    before = open_descriptors()
    for number in range(300):
        outcome(sandbox.take_in, data[number % len(data)])
    spare_of(parent)
    wait_for(lambda: open_descriptors() == before)  # the parent closes the last reply after it has been read


def test_a_spare_reader_that_dies_is_replaced(alone: tuple[Sandbox, int]) -> None:
    sandbox, parent = alone
    os.kill(spare_of(parent), signal.SIGKILL)
    wait_for(lambda: not children(parent))
    assert sandbox.take_in(GOOD, OPTIONS).is_accepted
    assert parent in warm_parents()


OWNER = """
import sys
from services.cine.intake import IntakeOptions
from services.runtime.sandbox import Sandbox
Sandbox().take_in(sys.stdin.buffer.read(), IntakeOptions())
"""


def test_no_process_outlives_the_owner() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE) as owner:
        assert owner.stdin
        owner.stdin.write(SLOW)
        owner.stdin.close()
        (parent,) = wait_for(lambda: children(owner.pid))
        readers = wait_for(lambda: two if len(two := children(parent)) == 2 else [])
        owner.kill()
        wait_for(lambda: not any(map(is_running, [parent, *readers])))


def test_closing_ends_the_warm_parent() -> None:
    before = warm_parents()
    with Sandbox() as sandbox:
        sandbox.take_in(GOOD, OPTIONS)
        assert len(warm_parents() - before) == 1
    assert warm_parents() == before


def test_every_end_is_told_to_the_owner() -> None:
    ends: list[str] = []
    with Sandbox(on_exit=ends.append) as sandbox:
        for data in (GOOD, b"no cine", GOOD):
            try:
                sandbox.take_in(data, OPTIONS)
            except EchoplaneError:
                continue
    assert ends == ["answered", "refused", "answered"]
