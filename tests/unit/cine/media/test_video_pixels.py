"""Pixels of every format against numpy or a second decoder: exact where the codec is, within a grey level where not."""

from __future__ import annotations

import io
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, UInt8Array
from services.cine.media.pixels import FramePainter
from services.cine.reading import read_cine
from tests.builders import as_rgb, avi_bytes, dib_avi_bytes, fan_frames, jpeg_bytes, video_bytes, webm_bytes

FRAMES = fan_frames(4, 64, 98)
BLOTS = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 80, 4), dtype=np.uint8), (0, 0), 2)
BLOTS = np.asarray((BLOTS.astype(int) - BLOTS.min()) * 255 // np.ptp(BLOTS), np.uint8)
"""Smooth, colourful, of every opacity, [64, 80, 4]."""


def read(data: bytes) -> Cine:
    return read_cine(data, ReadLimits())


def grey(cine: Cine) -> NDArray[np.int64]:
    return cine.grey_frames(range(cine.frame_count), 1).astype(np.int64)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    image.save(buffer := io.BytesIO(), kind, **options)
    return buffer.getvalue()


def on_black(image: Image.Image) -> UInt8Array:
    canvas = Image.new("RGBA", image.size, (0, 0, 0, 255))
    canvas.alpha_composite(image.convert("RGBA"))
    return np.asarray(canvas.convert("RGB"))


def seen_by_opencv(data: bytes) -> NDArray[np.int64]:
    """Decode with OpenCV's own build of FFmpeg, and its own way to grey, [T, H, W]."""
    video, frames = cv2.VideoCapture(io.BytesIO(data), cv2.CAP_FFMPEG, []), []  # type: ignore[call-overload]
    while (found := video.read())[0]:
        frames.append(cv2.cvtColor(found[1], cv2.COLOR_BGR2GRAY))
    return np.stack(frames).astype(np.int64)


def lines(samples: NDArray[np.uint8]) -> UInt8Array:
    """Lay frames out as BI_RGB does: the lowest line first, each filled up to four bytes, [T, bytes]."""
    flat = samples[:, ::-1].reshape(*samples.shape[:2], -1)
    return np.pad(flat, ((0, 0), (0, 0), (0, -flat.shape[2] % 4))).reshape(len(samples), -1)


def limited(samples: UInt8Array) -> UInt8Array:
    return np.asarray(np.rint(16 + samples * (219 / 255)), np.uint8)


GREYS = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
NEGATIVE = b"".join(bytes([255 - grey] * 3 + [0]) for grey in range(256))
BGR = as_rgb(FRAMES)
LUMA = limited(FRAMES)
NO_CHROMA = np.full((4, 64 * 98 // 2), 128, np.uint8)
YUYV = np.stack([LUMA, np.full_like(LUMA, 128)], axis=-1)


@pytest.mark.parametrize(
    ("data", "truth"),
    [
        (dib_avi_bytes(lines(FRAMES), 64, 98, 8, palette=GREYS), FRAMES),
        (dib_avi_bytes(lines(FRAMES), 64, 98, 8, palette=NEGATIVE), 255 - FRAMES),
        (dib_avi_bytes(lines(BGR), 64, 98, 24), FRAMES),
        (dib_avi_bytes(lines(np.pad(BGR, ((0, 0), (0, 0), (0, 0), (0, 1)))), 64, 98, 32), FRAMES),
        (dib_avi_bytes(FRAMES.reshape(4, -1), 64, 98, 8, b"Y800"), FRAMES),
        (dib_avi_bytes(YUYV.reshape(4, -1), 64, 98, 16, b"YUY2"), FRAMES),
        (dib_avi_bytes(YUYV[..., ::-1].reshape(4, -1), 64, 98, 16, b"UYVY"), FRAMES),
        (dib_avi_bytes(np.hstack([LUMA.reshape(4, -1), NO_CHROMA]), 64, 98, 12, b"I420"), FRAMES),
        (dib_avi_bytes(np.hstack([LUMA.reshape(4, -1), NO_CHROMA]), 64, 98, 12, b"YV12"), FRAMES),
    ],
    ids=["palette", "negative", "24 bits", "32 bits", "Y800", "YUY2", "UYVY", "I420", "YV12"],
)
def test_uncompressed_avi_of_every_layout(data: bytes, truth: UInt8Array) -> None:
    is_limited = any(code in data for code in (b"YUY2", b"UYVY", b"I420", b"YV12"))
    assert np.abs(grey(read(data)) - truth).max() <= int(is_limited)  # 219 codes cannot hold 256 levels


def test_colour_of_uncompressed_avi_keeps_its_order() -> None:
    bgr = np.full((1, 64, 98, 3), (30, 120, 220), np.uint8)
    assert np.array_equal(read(dib_avi_bytes(lines(bgr), 64, 98, 24)).store.colour(0, 1), bgr[0, ..., ::-1])


def test_damage_that_decodes_to_more_than_ten_bits_is_white() -> None:
    frame = av.VideoFrame(64, 4, "yuv420p10le")
    for plane in frame.planes:
        plane.update(b"\xff" * plane.buffer_size)
    assert (FramePainter(is_transparent=False).paint(frame, wants_colour=False)[0] == 255).all()


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [("ffv1", "gray"), ("ffv1", "bgr0"), ("huffyuv", "rgb24"), ("ffvhuff", "gray"), ("utvideo", "gbrp")],
)
def test_lossless_video_is_exact(codec: str, pixels: str) -> None:
    assert np.array_equal(grey(read(avi_bytes(FRAMES, codec, pixels))), FRAMES)


@pytest.mark.parametrize(
    "data",
    [
        video_bytes(FRAMES, "mp4", "libx264", "yuv420p"),
        video_bytes(FRAMES, "mov", "libx264", "yuv420p", is_full_range=True),
        video_bytes(FRAMES, "mp4", "libx265", "yuv420p"),
        video_bytes(FRAMES, "mp4", "libx265", "gray"),
        video_bytes(FRAMES, "mp4", "mpeg4", "yuv420p"),
        video_bytes(FRAMES, "mov", "prores_ks", "yuv422p10le"),
        video_bytes(FRAMES, "mov", "mjpeg", "yuvj420p", is_full_range=True),
        avi_bytes(FRAMES),
        avi_bytes(FRAMES[..., :96], "msvideo1", "rgb555le"),
        avi_bytes(FRAMES[..., :96], "cinepak", "rgb24"),
        avi_bytes(FRAMES, "msmpeg4v2", "yuv420p"),
        avi_bytes(FRAMES, "msmpeg4", "yuv420p"),
        webm_bytes(FRAMES),
        webm_bytes(FRAMES, "libvpx-vp9"),
        webm_bytes(FRAMES, "libx264", container="matroska"),
    ],
    ids=[
        "h264",
        "h264 full",
        "hevc",
        "hevc grey",
        "mpeg4",
        "prores",
        "mjpeg mov",
        "mjpeg avi",
        "msvideo1",
        "cinepak",
        "msmpeg4v2",
        "msmpeg4",
        "vp8",
        "vp9",
        "h264 mkv",
    ],
)
def test_lossy_video_is_within_a_grey_level_of_opencv(data: bytes) -> None:
    assert np.abs(grey(read(data)) - seen_by_opencv(data)).max() <= 1


def test_av1_is_decoded() -> None:
    smooth = np.asarray(cv2.GaussianBlur(FRAMES[0], (0, 0), 3), np.uint8)
    data = webm_bytes(np.stack([smooth] * 2), "libsvtav1")
    assert np.abs(grey(read(data)) - smooth).mean() < 3


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}, {"keep_rgb": True}],
    ids=["422", "progressive", "420", "444", "rgb"],
)
def test_colour_jpeg_is_within_a_grey_level_of_pillow_and_of_opencv(options: dict[str, Any]) -> None:
    data = saved(Image.fromarray(BLOTS[..., :3]), "JPEG", quality=90, **options)
    ours = grey(read(data))[0]
    assert np.abs(ours - np.asarray(Image.open(io.BytesIO(data)).convert("L"))).max() <= 1
    assert np.abs(ours - cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)).max() <= 1


@pytest.mark.parametrize(("mode", "channels", "tolerance"), [("L", 0, 1), ("CMYK", slice(4), 2)])
def test_grey_and_ink_jpeg_are_near_pillows(mode: str, channels: Any, tolerance: int) -> None:
    data = saved(Image.fromarray(np.ascontiguousarray(BLOTS[..., channels]), mode), "JPEG", quality=90)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.int64)
    assert np.abs(grey(read(data))[0] - expected).max() <= tolerance


def test_an_orientation_mark_is_left_alone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    cine = read(saved(Image.fromarray(BLOTS[..., 0]), "JPEG", exif=exif))
    assert (cine.rows, cine.columns) == BLOTS.shape[:2]


def test_a_second_picture_behind_a_still_is_not_a_second_frame() -> None:
    still = jpeg_bytes(FRAMES[0])
    assert read(still + jpeg_bytes(FRAMES[1, :32])).frame_count == 1


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (Image.fromarray(BLOTS, "RGBA"), {}),
        (Image.fromarray(np.ascontiguousarray(BLOTS[..., 2:]), "LA"), {}),
        (Image.fromarray(BLOTS[..., :3]).quantize(64), {"transparency": 3}),
        (Image.fromarray(BLOTS[..., :3]), {}),
        (Image.fromarray(BLOTS[..., 0]).convert("1"), {}),
    ],
    ids=["rgba", "grey and alpha", "palette", "rgb", "bits"],
)
def test_png_is_exactly_what_pillow_shows_on_black(image: Image.Image, options: dict[str, Any]) -> None:
    data = saved(image, "PNG", **options)
    shown = on_black(Image.open(io.BytesIO(data)))
    cine = read(data)
    assert np.array_equal(cine.store.colour(0, 1), shown)
    assert np.array_equal(cine.store.grey(0, 1), cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY))


def test_sixteen_bits_are_scaled_by_their_whole_range() -> None:
    samples = np.random.default_rng(0).integers(0, 65_536, (64, 80), np.uint16)
    assert np.array_equal(grey(read(saved(Image.fromarray(samples), "PNG")))[0], np.rint(samples / 257))


def holes(count: int = 4) -> list[Image.Image]:
    """Make pictures with a transparent surrounding that shrinks."""
    radius = np.hypot(*np.mgrid[-32:32, -40:40])
    masks = [np.where(radius < 12 + 4 * k, 255, 0) for k in range(count)]
    return [
        Image.fromarray(np.dstack([np.roll(BLOTS[..., :3], k, 0), mask]).astype(np.uint8))
        for k, mask in enumerate(masks)
    ]


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
@pytest.mark.parametrize(("kind", "tolerance"), [("GIF", 0), ("PNG", 1)])
def test_animation_with_transparency_is_what_pillow_shows_on_black(kind: str, tolerance: int, disposal: int) -> None:
    first, *others = holes()
    options: dict[str, Any] = {"blend": 1} if kind == "PNG" else {}
    disposal = min(disposal, 2) if kind == "PNG" else disposal
    data = saved(first, kind, save_all=True, append_images=others, duration=40, disposal=disposal, **options)
    theirs, cine = Image.open(io.BytesIO(data)), read(data)
    assert cine.frame_count == 4
    for index, ours in enumerate(grey(cine)):
        theirs.seek(index)
        assert np.abs(ours - cv2.cvtColor(on_black(theirs), cv2.COLOR_RGB2GRAY)).max() <= tolerance


def test_gif_frames_that_hold_only_what_changed_are_whole() -> None:
    frames = np.repeat(FRAMES[:1], 5, axis=0)
    for index, frame in enumerate(frames):
        frame[20:30, 20 + 5 * index : 30 + 5 * index] = 250
    first, *others = [Image.fromarray(frame) for frame in frames]
    data = saved(first, "GIF", save_all=True, append_images=others, duration=40, optimize=True)
    assert np.array_equal(grey(read(data)), frames)


def test_palette_video_keeps_its_palette() -> None:
    frame = av.VideoFrame(96, 64, "pal8")
    frame.planes[0].update(np.ascontiguousarray(FRAMES[0, :, :96]).tobytes())
    frame.planes[1].update(np.frombuffer(GREYS, np.uint32).tobytes())
    with av.open(buffer := io.BytesIO(), "w", format="avi") as output:
        stream: Any = output.add_stream("msrle", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "pal8"
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    assert np.array_equal(grey(read(buffer.getvalue()))[0], FRAMES[0, :, :96])
