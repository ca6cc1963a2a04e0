"""What first bytes tell, and files that end too soon."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cine.budget import ReadLimits
from services.cine.cine import CineFormat
from services.cine.errors import CineUnreadableError, Reason
from services.cine.media.containers import (
    elementary_demuxer,
    is_animated_png,
    is_whole,
    picture_size,
    png_without_remarks,
)
from services.cine.reading import read_cine
from tests.builders import (
    apng_bytes,
    avi_bytes,
    fan_frames,
    gif_bytes,
    jpeg_bytes,
    mp4_bytes,
    png_bytes,
    video_bytes,
    webm_bytes,
)

FRAMES = fan_frames(6, 48, 64)
WHOLE = {
    CineFormat.AVI: avi_bytes(FRAMES),
    CineFormat.MP4: mp4_bytes(FRAMES),
    CineFormat.WEBM: webm_bytes(FRAMES),
    CineFormat.GIF: gif_bytes(FRAMES),
    CineFormat.PNG: png_bytes(FRAMES[0]),
    CineFormat.JPEG: jpeg_bytes(FRAMES[0]),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_every_beginning_of_a_file_is_not_whole(kind: CineFormat) -> None:
    data = WHOLE[kind]
    assert is_whole(data, kind)
    assert is_whole(memoryview(data), kind)
    ends = np.linspace(16, len(data) - 1, 60).astype(int)
    assert not any(is_whole(data[:end], kind) for end in ends if not _ends_a_box(data, kind, end))


def _ends_a_box(data: bytes, kind: CineFormat, end: int) -> bool:
    """Whether an MP4 is cut between two of its boxes: then its index is gone, which FFmpeg notices."""
    return kind is CineFormat.MP4 and data[end + 4 : end + 8] in (b"free", b"mdat", b"moov")


@pytest.mark.parametrize("kind", [CineFormat.GIF, CineFormat.PNG, CineFormat.AVI, CineFormat.JPEG, CineFormat.MP4])
def test_padding_behind_a_file_does_no_harm(kind: CineFormat) -> None:
    assert is_whole(WHOLE[kind] + bytes(4), kind)
    assert read_cine(WHOLE[kind] + bytes(4), ReadLimits()).rows == 48


@given(st.binary(max_size=300), st.sampled_from(list(WHOLE)))
def test_noise_behind_a_magic_number_ends_the_walk(noise: bytes, kind: CineFormat) -> None:
    assert is_whole(WHOLE[kind][:16] + noise, kind) in (True, False)


def live(data: bytes) -> bytes:
    """Give a WebM file as a live recorder leaves it: its segment and its clusters have no size."""
    for name in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):
        at = data.index(name) + 4
        size_bytes = 9 - data[at].bit_length()
        unknown = (0x1FF >> size_bytes & 0xFF | 0x100 >> size_bytes).to_bytes(1) + b"\xff" * (size_bytes - 1)
        data = data[:at] + unknown + data[at + size_bytes :]
    return data


def test_a_live_recording_is_read_and_its_cut_is_noticed() -> None:
    data = live(WHOLE[CineFormat.WEBM])
    assert read_cine(data, ReadLimits()).frame_count == 6
    with pytest.raises(CineUnreadableError) as caught:
        read_cine(data[: len(data) * 2 // 3], ReadLimits())
    assert caught.value.reason is Reason.PIXELS_DAMAGED


@pytest.mark.parametrize("bad", [b"\x1a\x45\xdf\xa3\x00", b"\x1a\x45\xdf\xa3\x80\x00\x80"])
def test_elements_without_an_id_or_a_size_are_damage(bad: bytes) -> None:
    assert not is_whole(bad + bytes(20), CineFormat.WEBM)


def test_a_second_riff_chunk_must_be_whole_too() -> None:
    avi = WHOLE[CineFormat.AVI]
    assert is_whole(avi + b"RIFF\x04\0\0\0AVIX", CineFormat.AVI)
    assert not is_whole(avi + b"RIFF\x40\0\0\0AVIX", CineFormat.AVI)


@pytest.mark.parametrize("first", [b"wide", b"free", b"skip"])
def test_a_mov_may_begin_with_room(first: bytes) -> None:
    data = struct.pack(">I4s", 8, first) + video_bytes(FRAMES, "mov", "mjpeg", "yuvj420p", is_full_range=True)
    at = data.index(b"stco") + 12
    moved = data[:at] + struct.pack(">I", struct.unpack_from(">I", data, at)[0] + 8) + data[at + 4 :]
    assert read_cine(moved, ReadLimits()).frame_count == 6


@pytest.mark.parametrize(
    ("container", "codec", "demuxer"),
    [
        ("h264", "libx264", "h264"),
        ("hevc", "libx265", "hevc"),
        ("mpeg2video", "mpeg2video", "mpegvideo"),
        ("mpeg1video", "mpeg1video", "mpegvideo"),
        ("vob", "mpeg2video", "mpeg"),
        ("mpegts", "libx264", "mpegts"),
        ("mpegts", "mpeg2video", "mpegts"),
        ("mp4", "libx264", "mp4"),
        ("mov", "libx265", "mp4"),
    ],
)
def test_the_demuxer_is_told_from_the_first_bytes(container: str, codec: str, demuxer: str) -> None:
    assert elementary_demuxer(video_bytes(FRAMES, container, codec, "yuv420p")) == demuxer


def test_packets_with_time_stamps_before_them_are_a_transport_stream() -> None:
    packets = np.frombuffer(video_bytes(FRAMES, "mpegts", "libx264", "yuv420p"), np.uint8).reshape(-1, 188)
    assert elementary_demuxer(np.pad(packets, ((0, 0), (4, 0))).tobytes()) == "mpegts"


@pytest.mark.parametrize("data", [b"", b"\0\0\1", b"\0\0\1\xff\0", b"G", b"RIFF", bytes(500), b"\0\0\1\x1f\0"])
def test_bytes_of_no_stream_have_no_demuxer(data: bytes) -> None:
    assert elementary_demuxer(data) is None


@pytest.mark.parametrize("kind", [CineFormat.GIF, CineFormat.PNG, CineFormat.JPEG])
def test_a_picture_tells_its_size_before_it_is_decoded(kind: CineFormat) -> None:
    assert picture_size(WHOLE[kind], kind) == (48, 64)
    assert picture_size(WHOLE[CineFormat.AVI], CineFormat.AVI) is None


def test_an_animated_png_is_told_from_a_still() -> None:
    assert is_animated_png(apng_bytes(FRAMES))
    assert not is_animated_png(WHOLE[CineFormat.PNG])


def test_remarks_in_a_png_are_left_out() -> None:
    data = WHOLE[CineFormat.PNG]
    remark = struct.pack(">I", 5) + b"tEXt" + b"a\0bcd" + bytes(4)
    assert png_without_remarks(data[:33] + remark + data[33:]) == data
