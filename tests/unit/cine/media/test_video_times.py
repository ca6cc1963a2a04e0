"""Times of the frames, in every container: within a millisecond, at one frame, at sixty and at six hundred."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, TimingSource
from services.cine.reading import read_cine
from tests.builders import apng_bytes, avi_bytes, fan_frames, gif_bytes, mp4_bytes, video_bytes, webm_bytes

UNEVEN_MS = [0, 20, 90, 100, 180, 300]
FRAMES = fan_frames(6, 32, 48)


def read(data: bytes) -> Cine:
    return read_cine(data, ReadLimits())


@pytest.mark.parametrize("count", [1, 60, 600])
def test_times_of_many_frames_do_not_drift(count: int) -> None:
    frames, rate_hz = fan_frames(count, 32, 48), 30_000 / 1001
    for data in (
        avi_bytes(frames, rate_hz=rate_hz),
        mp4_bytes(frames, rate_hz=rate_hz),
        webm_bytes(frames, rate_hz=rate_hz),
    ):
        times_ms = read(data).frame_times_ms
        assert np.abs(times_ms - np.arange(count) * 1000 / rate_hz).max() <= 1


@pytest.mark.parametrize("rate_hz", [Fraction(10), Fraction(30_000, 1001), Fraction(60), Fraction(120)])
def test_times_follow_the_frame_rate(rate_hz: Fraction) -> None:
    for write in (avi_bytes, mp4_bytes, webm_bytes):
        cine = read(write(FRAMES, rate_hz=float(rate_hz)))
        assert np.abs(cine.frame_times_ms - np.arange(6) * 1000 / float(rate_hz)).max() <= 1
        assert cine.timing_source is TimingSource.CONTAINER


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("mov", "libx264"), ("webm", "libvpx")])
@pytest.mark.parametrize("start_ms", [0, 200])
def test_frames_of_uneven_length_keep_their_times(container: str, codec: str, start_ms: int) -> None:
    times_ms = [start_ms + time_ms for time_ms in UNEVEN_MS]
    data = video_bytes(FRAMES, container, codec, "yuv420p", times_ms=times_ms)
    assert np.allclose(read(data).frame_times_ms, UNEVEN_MS, atol=1)


@pytest.mark.parametrize("container", ["mp4", "avi"])
def test_frames_that_are_stored_out_of_order_come_in_order(container: str) -> None:
    times_ms = read(video_bytes(FRAMES, container, "libx264", "yuv420p", bf="2", crf="10")).frame_times_ms
    assert np.allclose(times_ms, np.arange(6) * 40, atol=1)


def test_an_edit_list_shows_what_it_keeps() -> None:
    data = bytearray(video_bytes(FRAMES, "mov", "libx264", "yuv420p", bf="0", g="1"))
    at = data.index(b"elst") + 4
    assert struct.unpack_from(">II", data, at) == (0, 1)  # version 0, one edit
    duration, start = struct.unpack_from(">Ii", data, at + 8)
    one_frame = 12_800 // 25  # in units of the track
    struct.pack_into(">Ii", data, at + 8, duration * 4 // 6, start + 2 * one_frame)
    cine = read(bytes(data))
    assert np.allclose(cine.frame_times_ms, np.arange(4) * 40, atol=1)
    whole = read(video_bytes(FRAMES, "mov", "libx264", "yuv420p", bf="0", g="1"))
    assert np.array_equal(cine.store.grey(0, 1), whole.store.grey(2, 1))


@pytest.mark.parametrize("step_ms", [10, 20, 40, 100, 330])
def test_animations_keep_their_delays(step_ms: int) -> None:
    for data in (gif_bytes(FRAMES, step_ms), apng_bytes(FRAMES, step_ms)):
        assert np.allclose(read(data).frame_times_ms, np.arange(6) * step_ms, atol=1)


def test_a_gif_without_delays_is_shown_as_browsers_show_it() -> None:
    assert np.allclose(read(gif_bytes(FRAMES, 0)).frame_times_ms, np.arange(6) * 100)


@pytest.mark.parametrize("container", ["avi", "matroska", "mov", "mp4"])
def test_the_same_frames_have_the_same_times_in_any_container(container: str) -> None:
    times_ms = read(video_bytes(FRAMES, container, "mpeg4", "yuv420p", rate_hz=24)).frame_times_ms
    assert np.allclose(times_ms, np.arange(6) * 1000 / 24, atol=1)
