"""Damaged files through the whole reader: an Intake or a typed error, nothing else, and within its time.

`pytest tests/fuzz --hypothesis-profile=night` looks much longer, and elsewhere each time.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cine.budget import ReadLimits
from services.cine.errors import InputError
from services.cine.intake import Intake, IntakeOptions, take_in
from tests.builders import as_rgb, avi_bytes, dicom_bytes, fan_frames, gif_bytes, mp4_bytes, png_bytes, region_item

FRAMES = fan_frames(4, 48, 64)
REGIONS = [region_item(0, 0, 60, 40)]
FILES = {
    "raw DICOM": dicom_bytes(as_rgb(FRAMES), photometric="RGB", planar=1, SequenceOfUltrasoundRegions=REGIONS),
    "JPEG DICOM": dicom_bytes(FRAMES, "jpeg", FrameTime=None, FrameTimeVector=[0, 40, 41, 39]),
    "AVI": avi_bytes(FRAMES),
    "raw AVI": avi_bytes(FRAMES, "rawvideo", "gray"),
    "MP4": mp4_bytes(FRAMES),
    "GIF": gif_bytes(FRAMES),
    "PNG": png_bytes(FRAMES[0]),
}
LIMITS = ReadLimits(max_bytes=2**20, max_frames=200, max_side_px=2_048, max_total_pixels=20_000_000)
MOST_CPU_S = 5.0
HEADER_BYTES = 700
EXTREMES = (0, 1, 2, 7, 8, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)

EXAMPLES = settings().max_examples
"""Of the profile that was chosen: push or night."""

Change = Callable[[bytearray], None]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Draw one way to damage a file; mostly in its header, where claims are made."""
    place = draw(st.one_of(st.integers(0, HEADER_BYTES), st.integers(0, 2**20), st.integers(-400, -1)))
    kind = draw(st.sampled_from(["bits", "bytes", "number", "insert", "delete", "repeat", "move", "cut"]))
    amount = draw(st.integers(1, 64))
    noise = draw(st.binary(min_size=1, max_size=8))
    number = struct.pack(draw(st.sampled_from("<>")) + "I", draw(st.sampled_from(EXTREMES)))
    width = draw(st.sampled_from([2, 4]))

    def change(data: bytearray) -> None:
        at = place % max(1, len(data))
        part = bytes(data[at : at + amount])
        if kind == "bits":
            data[at : at + 1] = bytes(byte ^ (1 << amount % 8) for byte in data[at : at + 1])
        elif kind == "bytes":
            data[at : at + len(noise)] = noise
        elif kind == "number":
            data[at : at + width] = number[:width]
        elif kind in ("insert", "repeat"):
            data[at:at] = noise if kind == "insert" else part * (amount % 5 + 1)
        elif kind == "move":
            del data[at : at + amount]
            data += part
        else:
            del data[at : at + amount if kind == "delete" else None]

    return change


def check(data: bytes) -> None:
    """Read and hold the reader to its promise."""
    start = time.process_time()
    try:
        intake = take_in(data, IntakeOptions(limits=LIMITS))
    except InputError:
        pass
    else:
        assert_whole(intake)
    assert time.process_time() - start < MOST_CPU_S


def assert_whole(intake: Intake) -> None:
    count = len(intake.frame_indices)
    assert intake.model_input.shape == (count, 1, 112, 112)
    assert np.abs(intake.model_input).max(initial=0) <= 1
    assert np.isfinite(intake.frame_times_ms).all()
    assert (np.diff(intake.frame_times_ms) >= 0).all()
    assert ((intake.frame_indices >= 0) & (intake.frame_indices < intake.cine.frame_count)).all()


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=6 * EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(damage=st.lists(changes(), min_size=1, max_size=4))
def test_a_damaged_file_is_an_intake_or_a_typed_error(kind: str, damage: list[Change]) -> None:
    data = bytearray(FILES[kind])
    for change in damage:
        change(data)
    check(bytes(data))


@settings(max_examples=3 * EXAMPLES)
@given(
    head=st.sampled_from(
        [bytes(128) + b"DICM", b"\x08\x00\x05\x00CS\x0a\x00", b"RIFF\x20\0\0\0AVI ", b"\0\0\0\x10ftyp"]
    )
    | st.sampled_from([b"GIF89a", b"\x89PNG\r\n\x1a\n", b""]),
    body=st.binary(max_size=400),
)
def test_noise_behind_a_magic_number_is_a_typed_error(head: bytes, body: bytes) -> None:
    check(head + body)


@given(st.sampled_from(sorted(FILES)), st.sampled_from(sorted(FILES)), st.integers(0, 2**16), st.integers(0, 2**16))
def test_the_head_of_one_file_on_the_body_of_another_is_an_intake_or_a_typed_error(
    first: str, second: str, head: int, body: int
) -> None:
    check(FILES[first][:head] + FILES[second][body:])
