"""Videos made to harm: references to other files, sizes that lie, other streams, words that must not be repeated."""

from __future__ import annotations

import contextlib
import io
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from services.cine.budget import ReadLimits
from services.cine.errors import CineUnreadableError, InputError, LimitExceededError, Reason
from services.cine.media.decoded_frames import DecodedFrames
from services.cine.reading import read_cine
from tests.builders import (
    apng_bytes,
    avi_bytes,
    dib_avi_bytes,
    fan_frames,
    gif_bomb,
    gif_bytes,
    jpeg_bytes,
    mp4_bytes,
    video_bytes,
    webm_bytes,
)

FRAMES = fan_frames(6, 64, 96)
LONGEST_S = 5.0
"""Of processor time, for any file under a megabyte."""


def refused(data: bytes, limits: ReadLimits | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read_cine(data, limits or ReadLimits())
    return caught.value


# ---- other files ----------------------------------------------------------------------------------------------------


def alias(path: bytes) -> bytes:
    """Make a data reference by an alias record, as QuickTime's reference movies have it."""
    padded = path + bytes(len(path) % 2)
    record = bytes(10) + b"\x01x" + bytes(26) + bytes(12) + b"\x01x" + bytes(62) + bytes(36)
    record += struct.pack(">HH", 2, len(path)) + padded + struct.pack(">HH", 0xFFFF, 0)
    return struct.pack(">I4sI", 12 + len(record), b"alis", 0) + record


def referring(data: bytes, entry: bytes) -> bytes:
    """Replace the data reference of a movie whose index stands behind its samples."""
    at = data.index(b"dref") + 12
    grown = bytearray(data[:at] + entry + data[at + 12 :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        size_at = data.index(name) - 4
        struct.pack_into(">I", grown, size_at, struct.unpack_from(">I", data, size_at)[0] + len(entry) - 12)
    return bytes(grown)


def test_a_movie_that_refers_to_another_file_does_not_open_it(tmp_path: Path) -> None:
    whole = video_bytes(FRAMES, "mov", "mjpeg", "yuvj420p", is_full_range=True)
    (tmp_path / "other").write_bytes(whole)
    bomb = referring(whole, alias(bytes(tmp_path / "other")))
    willing = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(io.BytesIO(bomb), "r", "mov", willing) as container:
        assert len(list(container.decode(video=0))) == 6  # FFmpeg would, were it asked to
    assert refused(bomb).reason is Reason.PIXELS_MISSING


# ---- other streams --------------------------------------------------------------------------------------------------


def with_sound(container: str) -> bytes:
    with av.open(buffer := io.BytesIO(), "w", format=container) as output:
        sound: Any = output.add_stream("aac", rate=8_000)
        stream: Any = output.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for frame in FRAMES:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray").reformat(format="yuv420p")))
        output.mux(stream.encode())
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        wave.sample_rate = 8_000
        output.mux(sound.encode(wave))
        output.mux(sound.encode())
    return buffer.getvalue()


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska"])
def test_sound_beside_the_picture_is_left_alone(container: str) -> None:
    assert read_cine(with_sound(container), ReadLimits()).frame_count == 6


# ---- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["avi", "mp4", "mov", "matroska"])
def test_what_a_title_says_is_repeated_nowhere(
    container: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with av.open(buffer := io.BytesIO(), "w", format=container) as output:
        output.metadata["title"] = output.metadata["comment"] = "DOE^JANE"
        stream: Any = output.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for frame in FRAMES:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray").reformat(format="yuv420p")))
        output.mux(stream.encode())
    data = bytearray(buffer.getvalue())
    assert b"DOE^JANE" in data
    cine = read_cine(bytes(data), ReadLimits())
    middle = len(data) // 2
    data[middle : middle + 400] = b"DOE^JANE" * 50
    said = ""
    try:
        read_cine(bytes(data), ReadLimits())
    except InputError as error:
        said = str(error)
    out, err = capfd.readouterr()
    assert "JANE" not in said + repr(cine) + out + err + caplog.text
    assert not err


# ---- damage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [video_bytes(FRAMES, *kind, "yuv420p", b="2M") for kind in (("mp4", "libx264"), ("matroska", "mpeg4"))],
    ids=["h264", "mpeg4"],
)
def test_frames_that_the_decoder_had_to_make_up_are_named(data: bytes) -> None:
    harmed = bytearray(data)
    harmed[len(data) // 2 : len(data) // 2 + 30] = bytes(range(100, 130))
    whole_store, store = (read_cine(bytes(each), ReadLimits()).store for each in (data, harmed))
    assert isinstance(whole_store, DecodedFrames)
    assert isinstance(store, DecodedFrames)
    assert not whole_store.damaged
    assert store.damaged
    assert store.damaged <= frozenset(range(6))


def losing(kept: int) -> bytes:
    """Make an AVI of six frames whose index and all but the first frames are gone."""
    data = dib_avi_bytes(FRAMES.reshape(6, -1), 64, 96, 8, b"Y800")
    head, *frames = data[: data.index(b"idx1")].split(b"00db")
    return b"00db".join([head, *frames[:kept]]) + b"JUNK" + b"JUNK".join(frames[kept:]) + b"JUNK" + data[-100:]


def test_an_avi_that_lost_most_of_its_frames_is_damaged() -> None:
    assert read_cine(losing(3), ReadLimits()).frame_count == 3
    assert refused(losing(2)).reason is Reason.PIXELS_DAMAGED


def test_a_video_whose_packets_mostly_show_nothing_is_damaged() -> None:
    options: dict[str, Any] = {"x265-params": "log-level=none:keyint=4:min-keyint=4:scenecut=0:bframes=0"}
    data = bytearray(video_bytes(FRAMES, "mp4", "libx265", "yuv420p", **options))
    first = min(at for name in (b"\x26\x01", b"\x28\x01") if (at := data.find(name, data.index(b"mdat"))) >= 0)
    data[first] = 41 << 1  # a reserved type (ITU-T H.265 table 7-1): decoders wait for the next key frame, the fifth
    error = refused(bytes(data))
    assert error.reason is Reason.PIXELS_DAMAGED
    assert "2 frames that decode out of 6" in error.found


# ---- sizes ----------------------------------------------------------------------------------------------------------


def png_of(columns: int, rows: int, *chunks: tuple[bytes, bytes]) -> bytes:
    all_chunks = [(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in all_chunks
    )


def jpeg_of(rows: int, columns: int) -> bytes:
    data = bytearray(jpeg_bytes(FRAMES[0]))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, rows, columns)
    return bytes(data)


def gif_of(columns: int, rows: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", columns, rows) + gif_bytes(FRAMES)[10:]


@pytest.mark.parametrize(
    "data",
    [
        png_of(60_000, 60_000, (b"IDAT", zlib.compress(bytes(10**6)))),
        png_of(4_097, 1, (b"IDAT", zlib.compress(bytes(4_098)))),
        jpeg_of(65_500, 65_500),
        gif_of(65_535, 65_535),
        dib_avi_bytes(FRAMES.reshape(6, -1), 5_000, 5_000, 8, b"Y800"),
    ],
    ids=["png", "png line", "jpeg", "gif", "avi"],
)
def test_a_size_over_the_limit_is_refused_from_the_header(data: bytes) -> None:
    started = time.process_time()
    assert refused(data).reason in (Reason.LIMIT_FRAME_SIZE, Reason.LIMIT_PIXELS)
    assert time.process_time() - started < 0.5


def test_the_size_of_a_png_is_that_of_its_header_wherever_it_stands() -> None:
    whole = png_of(2**31 - 1, 2**31 - 1, (b"IDAT", zlib.compress(bytes(9))))
    text = struct.pack(">I", 8) + b"tEXt" + struct.pack(">II", 8, 8) + bytes(4)
    assert refused(whole[:8] + text + whole[8:]).reason is Reason.LIMIT_FRAME_SIZE


def test_png_pixels_that_inflate_beyond_the_picture_are_damaged() -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read_cine(png_of(64, 48, (b"IDAT", zlib.compress(bytes(2**20)))), ReadLimits())
    assert caught.value.reason is Reason.PIXELS_DAMAGED


@pytest.mark.parametrize("write", [mp4_bytes, webm_bytes, avi_bytes, apng_bytes, gif_bytes])
def test_a_size_over_the_limit_is_refused_in_every_container(write: Callable[..., bytes]) -> None:
    error = refused(write(FRAMES), ReadLimits(max_side_px=80))
    assert isinstance(error, LimitExceededError)
    assert error.reason is Reason.LIMIT_FRAME_SIZE


@pytest.mark.parametrize("write", [mp4_bytes, webm_bytes, avi_bytes, apng_bytes, gif_bytes])
def test_pixels_are_counted_while_decoding(write: Callable[..., bytes]) -> None:
    error = refused(write(FRAMES), ReadLimits(max_total_pixels=64 * 96 * 5))
    assert error.reason is Reason.LIMIT_PIXELS


def test_a_stream_that_is_larger_than_its_container_says_is_refused() -> None:
    data = mp4_bytes(FRAMES).replace(struct.pack(">HH", 96, 64), struct.pack(">HH", 16, 16))
    assert refused(data, ReadLimits(max_side_px=80)).reason in (Reason.LIMIT_FRAME_SIZE, Reason.PIXELS_DAMAGED)


TEXT_BOMB = (b"zTXt", b"x\0\0" + zlib.compress(bytes(50_000_000), 9))
BOMBS = {
    "texts": png_of(8, 8, *[TEXT_BOMB] * 16, (b"IDAT", zlib.compress(bytes(72)))),
    "gif": gif_bomb(400, 632),
    "empty elements": b"\x1a\x45\xdf\xa3" + b"\x80" * 500_000,
    "elements without an end": b"\x1a\x45\xdf\xa3\xff" + b"\x18\x53\x80\x67\xff" * 190_000,
    "boxes": b"\0\0\0\x08free" * 120_000,
    "boxes in boxes": b"\0\0\0\x08ftyp" + b"".join(struct.pack(">I4s", 8 * n, b"moov") for n in range(90_000, 0, -1)),
    "black": mp4_bytes(np.zeros((400, 632, 632), np.uint8)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_small_file_takes_long(name: str) -> None:
    assert len(BOMBS[name]) < 2**20
    started = time.process_time()
    with contextlib.suppress(CineUnreadableError):
        read_cine(BOMBS[name], ReadLimits())
    assert time.process_time() - started < LONGEST_S
