"""How a child's answer crosses the border, and that nothing in it is believed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cine.errors import InputError, LimitExceededError, Reason
from services.cine.intake import Intake, IntakeOptions, take_in
from services.cine.selection import Selection
from services.runtime import border, cine_job, rehearsal
from tests.builders import avi_bytes, dicom_bytes, fan_frames, png_bytes, still_frames

HEADER_BYTES = 65_536
SIZE_BYTES = 2**19


TAKE_IN = cine_job.TakeIn(IntakeOptions())


def answer_to(data: bytes, options: IntakeOptions | None = None, read: cine_job.Read = take_in) -> bytes:
    """Run the job in this process and give what it wrote."""
    input_fd, output_fd = os.memfd_create("input"), os.memfd_create("output")
    try:
        os.write(input_fd, data)
        os.ftruncate(output_fd, SIZE_BYTES)
        job = border.encode_job(cine_job.TakeIn(options or IntakeOptions()), len(data), SIZE_BYTES)
        assert border.run({cine_job.KIND: cine_job.work_of(read)}, job, input_fd, output_fd) == 0
        return os.pread(output_fd, SIZE_BYTES, 0)
    finally:
        os.close(input_fd)
        os.close(output_fd)


ANSWER = answer_to(dicom_bytes(fan_frames()), IntakeOptions(max_frames=2)).rstrip(b"\0") + bytes(8)
HEADER: dict[str, Any] = json.loads(ANSWER[:HEADER_BYTES])


def with_header(**changed: Any) -> bytes:
    return json.dumps(HEADER | changed).encode().ljust(HEADER_BYTES) + ANSWER[HEADER_BYTES:]


def decode(output: bytes) -> Intake:
    return border.decode_answer(TAKE_IN, memoryview(output))


@pytest.mark.parametrize("selection", Selection)
@pytest.mark.parametrize(
    "data",
    [
        dicom_bytes(fan_frames()),
        avi_bytes(fan_frames(5)),
        png_bytes(still_frames()[0]),
        png_bytes(np.zeros((9, 9), np.uint8)),
    ],
    ids=["accepted", "short", "still", "no sector"],
)
def test_an_intake_crosses_the_border_unchanged(data: bytes, selection: Selection) -> None:
    options = IntakeOptions(selection=selection, max_frames=5)
    there, here = decode(answer_to(data, options)), take_in(data, options)
    for name in ("outline_px", "frame_indices", "frame_times_ms", "model_input"):
        assert np.array_equal(getattr(there, name), getattr(here, name))
        assert getattr(there, name).dtype == getattr(here, name).dtype
    for name in ("cine", "findings"):
        assert getattr(there, name) == getattr(here, name)


@pytest.mark.parametrize(
    "data", [b"", b"no cine", dicom_bytes(fan_frames(2), Rows=9), dicom_bytes(fan_frames(), Rows=9999)]
)
def test_an_error_crosses_the_border_unchanged(data: bytes) -> None:
    with pytest.raises(InputError) as here:
        take_in(data, IntakeOptions())
    with pytest.raises(InputError) as there:
        decode(answer_to(data))
    assert type(there.value) is type(here.value)
    assert (there.value.reason, str(there.value)) == (here.value.reason, str(here.value))


def test_limits_cross_the_border() -> None:
    with pytest.raises(LimitExceededError) as caught:
        decode(answer_to(avi_bytes(fan_frames()), IntakeOptions(limits=IntakeOptions().limits.__class__(max_frames=3))))
    assert caught.value.reason is Reason.LIMIT_FRAMES


def test_an_answer_is_a_copy() -> None:
    output = bytearray(ANSWER)
    intake = border.decode_answer(TAKE_IN, memoryview(output))
    before = intake.model_input.copy()
    output[HEADER_BYTES:] = bytes(len(output) - HEADER_BYTES)
    assert np.array_equal(intake.model_input, before)


@pytest.mark.parametrize(
    "changed",
    [
        {"shapes": HEADER["shapes"][:3]},
        {"shapes": [[5, 2], [-2], [2], [2, 1, 112, 112]]},
        {"shapes": [[5, 2], [2], [2], [2, 1, 112, 111]]},
        {"shapes": [[5, 2], [2], [2], [2**40, 1, 112, 112]]},
        {"shapes": [[5, 2], [2], [2], [2**56, 1, 112, 112]]},
        {"shapes": [[2**63, 2], [2], [2], [2, 1, 112, 112]]},
        {"shapes": [[5, 2], [2], [2], [2.5, 1, 112, 112]]},
        {"shapes": [[5, 2], [2], [1], [2, 1, 112, 112]]},
        {"shapes": {"outline_px": [5, 2]}},
        {"cine": HEADER["cine"] | {"frame_count": 1}},
        {"cine": HEADER["cine"] | {"frame_count": None}},
        {"cine": HEADER["cine"] | {"rows": float("inf")}},
        {"cine": HEADER["cine"] | {"rows": [1]}},
        {"cine": HEADER["cine"] | {"columns": 0}},
        {"cine": HEADER["cine"] | {"format": "EXE"}},
        {"cine": HEADER["cine"] | {"duration_ms": float("nan")}},
        {"cine": HEADER["cine"] | {"timing_source": "guess"}},
        {"cine": HEADER["cine"] | {"pixel_spacing_mm": [0.1, 0.0]}},
        {"cine": HEADER["cine"] | {"pixel_spacing_mm": [0.1]}},
        {"cine": None},
        {"timings_ms": {"read": 1.0}},
        {"timings_ms": [1, 2, 3, 4]},
        {"timings_ms": HEADER["timings_ms"] | {"read": 10**400}},
        {"findings": [["STILL", "no severity"]]},
        {"findings": [["PREGNANT", "", "REJECT"]]},
        {"findings": 3},
        {"error": "KeyboardInterrupt", "reason": "EMPTY", "found": "", "expected": "", "advice": ""},
        {"error": "CineUnreadableError", "reason": "PREGNANT", "found": "", "expected": "", "advice": ""},
        {"error": "CineUnreadableError", "reason": "EMPTY"},
        {"error": ["CineUnreadableError"], "reason": "EMPTY", "found": "", "expected": "", "advice": ""},
    ],
    ids=lambda changed: json.dumps(changed)[:60],
)
def test_a_false_header_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        decode(with_header(**changed))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5, -1.0001])
def test_model_input_out_of_its_range_is_refused(value: float) -> None:
    output = bytearray(ANSWER)
    size = sum(np.prod(shape) * width for shape, width in zip(HEADER["shapes"][:3], (4, 8, 8), strict=True))
    at = HEADER_BYTES + int(size) + 4_000
    output[at : at + 4] = np.float32(value).tobytes()
    with pytest.raises(ValueError, match="range"):
        border.decode_answer(TAKE_IN, memoryview(output))


@pytest.mark.parametrize(
    "output", [b"", b"[" * HEADER_BYTES, b"\xff" * 99, b"null", b"[]", b"3", b"{}", ANSWER[: HEADER_BYTES + 9]]
)
def test_bytes_that_are_no_answer_are_refused(output: bytes) -> None:
    with pytest.raises(ValueError):
        decode(output)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*HEADER, "error", "reason"]), json_values, min_size=1))
def test_whatever_a_header_says_the_answer_is_an_intake_a_typed_error_or_refused(changed: dict[str, Any]) -> None:
    try:
        intake = decode(with_header(**changed))
    except (ValueError, InputError):
        return
    assert len(intake.frame_indices) == len(intake.model_input)
    assert np.abs(intake.model_input).max(initial=0) <= 1


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(ValueError):
        decode(noise)


def test_an_answer_that_does_not_fit_is_told_without_one() -> None:
    answer = answer_to(dicom_bytes(fan_frames(40, 64, 64)), IntakeOptions(max_frames=40))
    with pytest.raises(border.UnexpectedError, match="ValueError"):
        decode(answer)


class ForeignError(OSError):
    """As a library has its own."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StopIteration(), "StopIteration"),
        (SystemExit(0), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (RecursionError("Doe^Jane"), "RecursionError"),
        (ForeignError("Doe^Jane"), "OSError"),
        (cv2.error("Doe^Jane"), "Exception"),
    ],
)
def test_of_what_a_library_raises_only_a_built_in_name_crosses_the_border(error: BaseException, kind: str) -> None:
    def read(data: memoryview, options: IntakeOptions) -> Intake:
        raise error

    answer = answer_to(b"any", read=read)
    assert b"Doe" not in answer
    with pytest.raises(border.UnexpectedError) as caught:
        decode(answer)
    assert caught.value.kind == kind


@pytest.mark.parametrize("kind", ["print", "__import__", "ForeignError", "", 3, None, ["OSError"]])
def test_a_name_that_is_no_built_in_error_is_refused(kind: object) -> None:
    with pytest.raises(ValueError, match="malformed"):
        decode(json.dumps({"unexpected": kind}).encode().ljust(HEADER_BYTES))


def no_memory_in_opencv() -> BaseException:
    error = cv2.error("no memory")
    error.code = cv2.Error.StsNoMem
    return error


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, ""), no_memory_in_opencv()])
def test_running_out_of_memory_is_an_exit_code(error: BaseException) -> None:
    def read(data: memoryview, options: IntakeOptions) -> Intake:
        raise error

    input_fd, output_fd = os.memfd_create("input"), os.memfd_create("output")
    os.write(input_fd, b"any")
    os.ftruncate(output_fd, SIZE_BYTES)
    job = border.encode_job(TAKE_IN, 3, SIZE_BYTES)
    assert border.run({cine_job.KIND: cine_job.work_of(read)}, job, input_fd, output_fd) == border.EXIT_MEMORY
    os.close(input_fd)
    os.close(output_fd)


def test_an_answer_is_whole_before_it_has_a_header() -> None:
    """A child that is ended while it writes leaves no header, and what has none is no answer."""
    with pytest.raises(ValueError):
        decode(bytes(HEADER_BYTES) + ANSWER[HEADER_BYTES:])


def test_warming_up_takes_a_cine_of_each_kind_in() -> None:
    for data in (rehearsal.sample_video(), rehearsal.sample_dicom()):
        intake = take_in(data, IntakeOptions())
        assert intake.is_accepted
        assert len(intake.model_input)


def test_a_track_of_subtitles_needs_no_further_module() -> None:
    code = "import sys, services.runtime.rehearsal; print('av.subtitles.codeccontext' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "True"
