"""Videos, animations and stills: luma, times, containers that claim too much or end too soon."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from services.cine.budget import ReadLimits
from services.cine.cine import REDUCTIONS, Cine, CineFormat, TimingSource, UInt8Array
from services.cine.errors import CineUnreadableError, CineUnsupportedError, LimitExceededError, Reason
from services.cine.media.decoded_frames import COLOUR_EVERY, KEPT_SIDE_PX
from services.cine.reading import read_cine
from tests.builders import (
    as_rgb,
    avi_bytes,
    fan_frames,
    gif_bytes,
    jpeg_bytes,
    mp4_bytes,
    png_bytes,
    video_bytes,
    webm_bytes,
)

FRAMES = fan_frames(6, 64, 96)
STAIR = np.repeat(np.arange(0, 256, 8, dtype=np.uint8), 4)[None].repeat(64, axis=0)
GREYS = np.stack([STAIR, np.roll(STAIR, 64, axis=1), np.roll(STAIR, 32, axis=1)])
"""Three frames of a stair from black to white, [3, 64, 128]."""


def read(data: bytes, limits: ReadLimits | None = None) -> Cine:
    return read_cine(data, limits or ReadLimits())


def all_grey(cine: Cine) -> UInt8Array:
    return cine.grey_frames(range(cine.frame_count), 1)


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        (avi_bytes(GREYS), 3),
        (avi_bytes(GREYS, "rawvideo", "gray"), 0),
        (avi_bytes(GREYS, "rawvideo", "yuv420p"), 1),
        (avi_bytes(as_rgb(GREYS), "rawvideo", "bgr24"), 1),
        (mp4_bytes(GREYS), 3),
        (mp4_bytes(GREYS, is_full_range=True), 3),
        (mp4_bytes(GREYS, "mpeg4"), 4),
        (video_bytes(GREYS, "mp4", "libx264", "yuv444p", crf="4"), 3),
        (video_bytes(GREYS, "mp4", "libx264", "yuv420p10le", crf="4"), 3),
        (gif_bytes(GREYS), 0),
    ],
    ids=["mjpeg", "raw grey", "raw yuv", "raw rgb", "limited", "full", "mpeg4", "yuv444", "ten bits", "gif"],
)
def test_luma_is_that_of_the_source_in_full_and_in_limited_range(data: bytes, tolerance: int) -> None:
    cine = read(data)
    assert cine.frame_count == 3
    assert np.abs(all_grey(cine).astype(int) - GREYS).max() <= tolerance
    assert np.abs(cine.store.colour(0, 1).mean(axis=-1) - GREYS[0]).max() <= tolerance + 2


def test_colour_keeps_its_order() -> None:
    orange = np.full((2, 32, 48, 3), (220, 120, 30), np.uint8)
    for data in (avi_bytes(orange), mp4_bytes(orange), gif_bytes(orange), png_bytes(orange[0])):
        assert np.allclose(read(data).store.colour(0, 1).mean(axis=(0, 1)), (220, 120, 30), atol=6)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "I;16"])
def test_png_of_every_kind_is_one_frame_without_a_time(mode: str) -> None:
    buffer = io.BytesIO()
    source = Image.fromarray(FRAMES[0])
    stored = Image.fromarray(FRAMES[0].astype(np.uint16) * 257) if mode == "I;16" else source.convert(mode)
    stored.save(buffer, "PNG")
    cine = read(buffer.getvalue())
    assert np.abs(all_grey(cine)[0].astype(int) - FRAMES[0]).max() <= 1
    assert cine.timing_source is TimingSource.NONE


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("side_px", [2 * KEPT_SIDE_PX - 2, 2 * KEPT_SIDE_PX + 6])
def test_a_frame_has_the_size_that_was_asked_for_also_where_it_is_kept_at_half(side_px: int, reduction: int) -> None:
    cine = read(png_bytes(fan_frames(1, side_px, side_px + 30)[0]))
    shape = -(-side_px // reduction), -(-(side_px + 30) // reduction)
    assert cine.store.grey(0, reduction).shape == shape
    assert cine.store.colour(0, reduction).shape == (*shape, 3)


def test_a_colour_frame_is_that_of_its_stretch_of_the_cine() -> None:
    frames = np.zeros((COLOUR_EVERY + 2, 32, 32, 3), np.uint8)
    frames[COLOUR_EVERY:, :, :, 0] = 200
    store = read(avi_bytes(frames)).store
    assert store.colour(COLOUR_EVERY - 1, 1)[..., 0].max() < 20
    assert store.colour(COLOUR_EVERY + 1, 1)[..., 0].min() > 180


def test_a_title_that_is_not_utf8_is_no_damage() -> None:
    with av.open(buffer := io.BytesIO(), "w", format="avi") as output:
        output.metadata["title"] = "Muller"
        stream = output.add_stream("rawvideo", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "gray"
        for frame in FRAMES:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
    data = buffer.getvalue()
    assert b"Muller" in data
    assert read(data.replace(b"Muller", b"M\xfcller")).frame_count == 6


def test_a_codec_that_is_not_read_is_named() -> None:
    with pytest.raises(CineUnsupportedError, match="snow") as caught:
        read(avi_bytes(FRAMES, "snow", "yuv420p"))
    assert caught.value.reason is Reason.CODEC_UNSUPPORTED


def test_a_codec_that_nobody_knows_is_unsupported() -> None:
    with pytest.raises(CineUnsupportedError) as caught:
        read(avi_bytes(FRAMES).replace(b"MJPG", b"JANE"))
    assert caught.value.reason is Reason.CODEC_UNSUPPORTED
    assert "JANE" not in str(caught.value)


@pytest.mark.parametrize(("container", "codec"), [("avi", "pcm_s16le"), ("mp4", "aac")])
def test_sound_alone_has_no_pixels(container: str, codec: str) -> None:
    with av.open(buffer := io.BytesIO(), "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=8_000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8_000
        output.mux(stream.encode(av.AudioResampler("s16" if codec == "pcm_s16le" else "fltp").resample(sound)[0]))
        output.mux(stream.encode())
    with pytest.raises(CineUnreadableError) as caught:
        read(buffer.getvalue())
    assert caught.value.reason is Reason.PIXELS_MISSING


def test_a_stream_without_a_frame_has_no_pixels() -> None:
    whole = avi_bytes(FRAMES, "rawvideo", "gray")
    first = whole.index(b"movi") + 4
    assert whole[first : first + 4] == b"00dc"
    empty = whole.replace(b"00dc", b"JUNK")
    with pytest.raises(CineUnreadableError) as caught:
        read(empty)
    assert caught.value.reason is Reason.PIXELS_MISSING


CUTTABLE = {
    CineFormat.AVI: avi_bytes(FRAMES),
    CineFormat.MP4: mp4_bytes(FRAMES),
    CineFormat.GIF: gif_bytes(FRAMES),
    CineFormat.PNG: png_bytes(FRAMES[0]),
    CineFormat.WEBM: webm_bytes(FRAMES),
    CineFormat.JPEG: jpeg_bytes(FRAMES[0]),
}


@pytest.mark.parametrize("kind", CUTTABLE)
def test_a_file_that_is_cut_anywhere_is_damaged_and_never_a_shorter_cine(kind: CineFormat) -> None:
    data = CUTTABLE[kind]
    for end in np.linspace(16, len(data) - 8, 25).astype(int):
        with pytest.raises(CineUnreadableError) as caught:
            read(data[:end])
        assert caught.value.reason in (Reason.PIXELS_DAMAGED, Reason.PIXELS_MISSING)


def fast_start(data: bytes) -> bytes:
    """Move the index of an MP4 in front of its samples, as streaming servers do, through a fragmented copy."""
    with (
        av.open(io.BytesIO(data), "r") as source,
        av.open(buffer := io.BytesIO(), "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"}) as copy,
    ):
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    return buffer.getvalue()


def test_a_fragmented_mp4_is_read_and_its_cut_is_noticed() -> None:
    data = fast_start(CUTTABLE[CineFormat.MP4])
    assert read(data).frame_count == 6
    with pytest.raises(CineUnreadableError):
        read(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("tail", [b"\0" * 4, b"\0" * 64, struct.pack(">I4s", 0, b"free") + b"\0" * 30])
def test_padding_behind_an_mp4_does_no_harm(tail: bytes) -> None:
    assert read(CUTTABLE[CineFormat.MP4] + tail).frame_count == 6


def test_a_box_with_a_long_size_is_measured() -> None:
    data = CUTTABLE[CineFormat.MP4]
    box = struct.pack(">I4sQ", 1, b"free", 24) + bytes(8)
    assert read(data + box).frame_count == 6
    with pytest.raises(CineUnreadableError):
        read(data + struct.pack(">I4sQ", 1, b"free", 2**40) + bytes(8))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("side_px", [5_000, 65_535])
def test_a_png_that_claims_too_much_is_refused(side_px: int) -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side_px, side_px, 8, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")
    with pytest.raises(LimitExceededError) as caught:
        read(data)
    assert caught.value.reason is Reason.LIMIT_FRAME_SIZE


@pytest.mark.parametrize("data", [avi_bytes(FRAMES), mp4_bytes(FRAMES), gif_bytes(FRAMES), webm_bytes(FRAMES)])
def test_more_frames_than_allowed_are_refused_whatever_the_container_claims(data: bytes) -> None:
    with pytest.raises(LimitExceededError) as caught:
        read(data, ReadLimits(max_frames=5))
    assert caught.value.reason is Reason.LIMIT_FRAMES
    with pytest.raises(LimitExceededError) as caught:
        read(data, ReadLimits(max_side_px=90))
    assert caught.value.reason is Reason.LIMIT_FRAME_SIZE


def test_a_frame_size_that_changes_inside_the_file_is_damage() -> None:
    small, large = avi_bytes(FRAMES), avi_bytes(fan_frames(6, 80, 112))
    at = small.index(b"movi") + 4
    size = struct.unpack("<I", small[at + 4 : at + 8])[0]
    begin = large.index(b"\xff\xd8")
    jpeg = large[begin : large.index(b"\xff\xd9", begin) + 2]
    spliced = small[: at + 8 + size + size % 2]
    spliced += struct.pack("<4sI", b"00dc", len(jpeg)) + jpeg + bytes(len(jpeg) % 2)
    with pytest.raises(CineUnreadableError):
        read(spliced[:4] + struct.pack("<I", len(spliced) - 8) + spliced[8:])


@pytest.mark.parametrize("kind", CUTTABLE)
def test_a_head_without_a_body_is_unreadable(kind: CineFormat) -> None:
    head = {CineFormat.AVI: b"RIFF\x04\0\0\0AVI ", CineFormat.MP4: b"\0\0\0\x08ftyp"}.get(kind, CUTTABLE[kind][:13])
    with pytest.raises(CineUnreadableError):
        read(head + b";" if kind is CineFormat.GIF else head)
