"""What a reader may not do, what happens to one that does it all the same, and that every format is read without it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from structlog.testing import capture_logs

from services.cine.errors import InputError, Reason
from services.cine.intake import Intake, IntakeOptions, take_in
from services.runtime.sandbox import Sandbox, SandboxLimits
from tests.builders import dicom_bytes, fan_frames
from tests.fuzz import seeds
from tests.integration.unruly_reader import DEEDS, ESCAPES, OUTPUT_BYTES, REFUSED

OPTIONS = IntakeOptions()
GOOD = dicom_bytes(fan_frames(12, 64, 80))
UNRULY = "tests.integration.unruly_reader"
LIMITS = SandboxLimits(memory_mib=2_048, cpu_s=2, wall_s=4, output_mib=OUTPUT_BYTES // 2**20)


@pytest.fixture(scope="module")
def unruly() -> Iterator[Sandbox]:
    with Sandbox(LIMITS, warm_parent=UNRULY) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def refusal(sandbox: Sandbox, deed: str) -> InputError:
    with pytest.raises(InputError) as caught:
        sandbox.take_in(deed.encode(), OPTIONS)
    return caught.value


CRASHES = {
    "segmentation fault": "SIGSEGV",
    "stack overflow": "SIGSEGV",
    "recursion": "RecursionError",
    "StopIteration": "StopIteration",
    "SystemExit": "SystemExit",
    "KeyboardInterrupt": "KeyboardInterrupt",
    "GeneratorExit": "GeneratorExit",
    "foreign error": "RuntimeError",
    "group of errors": "BaseExceptionGroup",
    "exit without an answer": "malformed answer",
    "exit with an unknown code": "exit code 77",
    "half an answer": "malformed answer",
    "output full of nothing": "malformed answer",
    "endless nesting": "malformed answer",
    "noise for a word": "malformed answer",
    "impossible word": "malformed answer",
}
ENDS = {
    "loop": Reason.LIMIT_TIME,
    "wait": Reason.LIMIT_TIME,
    "memory": Reason.LIMIT_MEMORY,
    "too much at once": Reason.LIMIT_MEMORY,
    "abort": Reason.DECODER_CRASHED,  # by which signal is the machine's affair: it may not send itself SIGABRT
    "no descriptors": Reason.FORMAT_UNKNOWN,  # its answer is where it belongs all the same
}


def test_every_deed_has_a_test() -> None:
    assert set(DEEDS) == {*CRASHES, *ENDS}


@pytest.mark.parametrize("deed", CRASHES)
def test_a_crash_is_a_typed_error_and_the_log_says_what_it_was(unruly: Sandbox, deed: str) -> None:
    with capture_logs() as logs:
        error = refusal(unruly, deed)
    assert error.reason is Reason.DECODER_CRASHED
    assert logs == [{"event": "reading_crashed", "log_level": "warning", "how": CRASHES[deed]}]
    assert CRASHES[deed] not in str(error)
    assert unruly.take_in(GOOD, OPTIONS).is_accepted


@pytest.mark.parametrize("deed", ENDS)
def test_any_other_end_is_a_typed_error_too(unruly: Sandbox, deed: str) -> None:
    assert refusal(unruly, deed).reason is ENDS[deed]
    assert unruly.take_in(GOOD, OPTIONS).is_accepted


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_reader_cannot_leave(unruly: Sandbox, escape: str) -> None:
    found = refusal(unruly, escape).found
    assert found == ("RuntimeError" if escape == "start a thread" else "ENOSYS")


WITHOUT_SECCOMP = {
    "read a file": "EACCES",
    "write a file": "EACCES",
    "list a folder": "EACCES",
    "call over TCP": "EACCES",
    "end the warm parent": "EPERM",
    "end a stranger": "EPERM",
    "trace the warm parent": "EPERM",
    "start a program": "EACCES",
    "raise a limit": "ValueError",
}


def test_landlock_alone_confines(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(REFUSED, "seccomp")
    with Sandbox(LIMITS, warm_parent=UNRULY) as sandbox:
        found = {escape: refusal(sandbox, escape).found for escape in WITHOUT_SECCOMP}
        assert sandbox.take_in(GOOD, OPTIONS).is_accepted
    assert found == WITHOUT_SECCOMP
    assert missing(capfd) == ["seccomp"]


def test_seccomp_alone_confines(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(REFUSED, "Landlock")
    with Sandbox(LIMITS, warm_parent=UNRULY) as sandbox:
        found = {escape: refusal(sandbox, escape).found for escape in ESCAPES if escape != "start a thread"}
        assert sandbox.take_in(GOOD, OPTIONS).is_accepted
    assert set(found.values()) == {"ENOSYS"}
    assert missing(capfd) == ["Landlock"]


def test_a_kernel_with_neither_still_reads_within_limits(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(REFUSED, "Landlock seccomp")
    with Sandbox(LIMITS, warm_parent=UNRULY) as sandbox:
        assert sandbox.take_in(GOOD, OPTIONS).is_accepted
        assert refusal(sandbox, "write a file").found == "EFBIG"
        assert refusal(sandbox, "raise a limit").found == "ValueError"
        assert refusal(sandbox, "loop").reason is Reason.LIMIT_TIME
    assert missing(capfd) == ["Landlock", "seccomp"]


def missing(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Read what the one line of the log says is missing."""
    (line,) = capfd.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["event"] == "confinement_incomplete"
    return list(told["missing"])


def outcome(data: bytes, where: Sandbox | None) -> Intake | str:
    try:
        return where.take_in(data, OPTIONS) if where else take_in(data, OPTIONS)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("name", seeds.NAMES)
def test_every_format_is_read_with_the_door_shut(sandbox: Sandbox, name: str) -> None:
    data = seeds.seed_bytes(name)
    there, here = outcome(data, sandbox), outcome(data, None)
    assert isinstance(there, Intake), there
    assert isinstance(here, Intake), here
    assert (there.findings, there.cine) == (here.findings, here.cine)
    assert np.array_equal(there.model_input, here.model_input)
