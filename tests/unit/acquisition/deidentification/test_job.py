"""How a clean object crosses the border: bounded, and nothing in it believed."""

from __future__ import annotations

import io
import json
import mmap
from typing import Any

import pytest

from services.acquisition.deidentification.deidentify import deidentify
from services.acquisition.deidentification.job import KIND, WORKS, Deidentify, warm_up, work
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.cine.budget import ReadLimits
from services.cine.errors import IdentityRemainsError, InputError, LimitExceededError, Reason
from services.runtime import border
from tests.builders import dicom_bytes, fan_frames, still_frames

KEY = bytes(range(32))
JOB = Deidentify(KEY, ReadLimits())
GOOD = dicom_bytes(fan_frames(12, 60, 80), SOPInstanceUID="1.2.826.7.3", PatientName="Lundqvist^Astrid")
BEGINNING = bytes(128) + b"DICM"


def clean_of(data: bytes) -> bytes:
    """De-identify without a border."""
    target = io.BytesIO()
    deidentify(data, target, Pseudonyms(KEY), ReadLimits())
    return target.getvalue()


def done(data: bytes, room_bytes: int = 2**20) -> bytes:
    """Do the child's side of the job and give what it wrote."""
    with mmap.mmap(-1, room_bytes) as body:
        header = work(memoryview(data), json.loads(json.dumps(JOB.options())), body)
        return JOB.decode(header, memoryview(body[:]))


def decode(header: Any, body: bytes) -> bytes:
    output = json.dumps(header).encode().ljust(border.HEADER_BYTES) + body
    return border.decode_answer(JOB, memoryview(output))


def test_what_crosses_the_border_is_the_clean_file() -> None:
    assert WORKS[JOB.kind] is work
    assert done(GOOD) == clean_of(GOOD)
    assert b"Lundqvist" not in done(GOOD)


def test_the_key_is_shown_in_no_text() -> None:
    assert KEY.hex() not in repr(JOB)
    assert repr(KEY) not in repr(JOB)


def test_limits_cross_the_border() -> None:
    with pytest.raises(LimitExceededError), mmap.mmap(-1, 2**20) as body:
        work(memoryview(GOOD), Deidentify(KEY, ReadLimits(max_frames=3)).options(), body)


def test_an_object_that_does_not_fit_is_a_typed_error() -> None:
    with pytest.raises(LimitExceededError, match="once it is de-identified") as caught:
        done(GOOD, 2**14)
    assert caught.value.reason is Reason.LIMIT_BYTES


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"size_bytes": None},
        {"size_bytes": "200"},
        {"size_bytes": 131},
        {"size_bytes": -1},
        {"size_bytes": 10**9},
        {"size_bytes": 200.0},
        [],
    ],
)
def test_a_false_header_is_refused(told: Any) -> None:
    with pytest.raises(ValueError):
        decode(told, BEGINNING + bytes(200))


def test_a_file_with_a_preamble_is_not_ours() -> None:
    with pytest.raises(ValueError, match="begin"):
        decode({"size_bytes": 200}, b"Lundqvist".ljust(128, b"\0") + b"DICM" + bytes(200))
    assert decode({"size_bytes": 200}, BEGINNING + bytes(200)) == BEGINNING + bytes(68)


def test_the_refusal_of_a_still_crosses_the_border() -> None:
    with pytest.raises(IdentityRemainsError) as here:
        clean_of(dicom_bytes(still_frames(), SOPInstanceUID="1.2.3"))
    error = here.value
    parts = {"found": error.found, "expected": error.expected, "advice": error.advice}
    with pytest.raises(InputError) as there:
        decode({"error": "IdentityRemainsError", "reason": error.reason, **parts}, b"")
    assert type(there.value) is IdentityRemainsError
    assert str(there.value) == str(error)


def test_the_rehearsal_cleans_an_object() -> None:
    rehearse = warm_up()
    rehearse()
    rehearse()


def test_no_other_kind_is_done() -> None:
    assert set(WORKS) == {KIND}
