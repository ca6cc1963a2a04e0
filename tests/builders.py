"""Makes cines, and the files they come in, in code and from a seed: nothing here was ever a patient."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    UltrasoundMultiFrameImageStorage,
)

from services.cine.cine import BoolArray, UInt8Array

JPEG_QUALITY = 90
_HALF_ANGLE_RAD = 0.7


# ---- frames ---------------------------------------------------------------------------------------------------------


def fan_mask(rows: int = 120, columns: int = 160) -> BoolArray:
    """Draw the sector of `fan_frames`: its apex is near the top, [H, W]."""
    y, x = np.mgrid[:rows, :columns]
    down, aside = y - 0.06 * rows, x - (columns - 1) / 2
    is_near = np.hypot(down, aside) < 0.88 * rows
    return np.asarray(is_near & (np.abs(aside) <= np.tan(_HALF_ANGLE_RAD) * down))


def fan_frames(count: int = 12, rows: int = 120, columns: int = 160, seed: int = 0, beats: float = 1.0) -> UInt8Array:
    """Make a fan of speckle that moves up and down `beats` times, black outside, grey [T, H, W]."""
    grains = np.random.default_rng(seed).gamma(2.0, 45.0, (rows * 2, columns)).astype(np.float32)
    speckle = cv2.GaussianBlur(grains, (5, 5), 0)
    phases = np.sin(2 * np.pi * beats * np.arange(count) / count + 0.4)  # no two frames alike
    shifts = np.round(rows * (0.5 + 0.1 * phases)).astype(int)
    frames = np.stack([speckle[shift : shift + rows] for shift in shifts])
    return np.asarray(np.clip(frames, 20, 255) * fan_mask(rows, columns), np.uint8)


def still_frames(count: int = 12, rows: int = 120, columns: int = 160, seed: int = 0) -> UInt8Array:
    """Make a fan that does not move, grey [T, H, W]."""
    return np.repeat(fan_frames(1, rows, columns, seed), count, axis=0)


def as_rgb(frames: UInt8Array, tint: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> UInt8Array:
    """Turn grey frames [T, H, W] into RGB [T, H, W, 3], tinted."""
    return np.asarray(frames[..., None] * np.array(tint), np.uint8)


def with_colour_box(
    coloured: UInt8Array, flow: Sequence[tuple[int, int, int]] = ((220, 30, 10), (10, 40, 230)), share: float = 0.2
) -> UInt8Array:
    """Lay flickering flow over the middle of RGB frames [T, H, W, 3], `share` of their height and width."""
    mixed = coloured.copy()
    _, rows, columns, _ = mixed.shape
    high, wide = int(rows * share / 2), int(columns * share / 2)
    box = mixed[:, rows // 2 - high : rows // 2 + high, columns // 2 - wide : columns // 2 + wide]
    flicker = np.random.default_rng(1).uniform(0.8, 1.0, (*box.shape[:3], 1))
    colours = np.array(flow)[np.arange(box.shape[2]) % len(flow)]  # [W, 3]
    box[:] = np.asarray(flicker * colours, np.uint8)
    return mixed


def with_text(frames: UInt8Array, text: str) -> UInt8Array:
    """Burn words, a bright line along the border and a moving trace into grey frames, as a scanner does."""
    drawn = frames.copy()
    _, rows, columns = frames.shape
    for index, frame in enumerate(drawn):
        cv2.putText(frame, text, (2, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.3, 255, 1)
        cv2.rectangle(frame, (0, 0), (columns - 1, rows - 1), 200, 1)
        cv2.line(frame, (0, rows - 6), (columns * index // len(drawn), rows - 6), 255, 1)
    return drawn


# ---- DICOM ----------------------------------------------------------------------------------------------------------


def dicom_bytes(
    samples: UInt8Array,
    syntax: str = "raw",
    photometric: str = "MONOCHROME2",
    planar: int = 0,
    fragments: Sequence[bytes] | None = None,
    **attributes: Any,
) -> bytes:
    """Write an ultrasound multi-frame object.

    Args:
        samples: [T, H, W] or [T, H, W, 3]; raw: stored as they are, jpeg: grey or RGB.
        syntax: "raw" (explicit little endian), "jpeg" (baseline), or the UID of a transfer syntax to claim.
        photometric: Photometric Interpretation that is claimed.
        planar: Planar Configuration of raw colour.
        fragments: stored instead of the encoded samples.
        attributes: any others, by keyword; None leaves one out.
    """
    dataset = Dataset()
    defaults = {"SOPClassUID": UltrasoundMultiFrameImageStorage, "Modality": "US", "FrameTime": 40.0}
    pixels = {
        "NumberOfFrames": len(samples),
        "Rows": samples.shape[1],
        "Columns": samples.shape[2],
        "SamplesPerPixel": 3 if samples.ndim == 4 else 1,
        "PhotometricInterpretation": photometric,
        "PlanarConfiguration": planar if samples.ndim == 4 else None,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
    }
    for keyword, value in (defaults | pixels | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.PixelData = _pixel_data(samples, syntax, photometric, planar, fragments)
    dataset["PixelData"].VR = "OB"
    return save_dicom(dataset, {"raw": ExplicitVRLittleEndian, "jpeg": JPEGBaseline8Bit}.get(syntax, syntax))


def _pixel_data(
    samples: UInt8Array, syntax: str, photometric: str, planar: int, fragments: Sequence[bytes] | None
) -> bytes:
    if syntax == "jpeg" or fragments is not None:
        keep_rgb = photometric == "RGB"
        return bytes(encapsulate(list(fragments or [jpeg_bytes(frame, keep_rgb) for frame in samples])))
    stored = samples.transpose(0, 3, 1, 2) if planar else samples  # [T,H,W,C] -> [T,C,H,W]
    return stored.tobytes() + bytes(stored.size % 2)


def save_dicom(dataset: Dataset, syntax: str) -> bytes:
    """Write a data set with its preamble and file meta information (PS3.10 section 7.1)."""
    dataset.file_meta, dataset.preamble = FileMetaDataset(), bytes(128)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    buffer = io.BytesIO()
    is_little = syntax != ExplicitVRBigEndian
    dcmwrite(buffer, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=is_little)
    return buffer.getvalue()


def region_item(left: int, top: int, right: int, bottom: int, delta_cm: float = 0.05, **attributes: Any) -> Dataset:
    """Make one item of the Sequence of Ultrasound Regions: two-dimensional tissue, calibrated in cm."""
    item = Dataset()
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX, item.PhysicalDeltaY = delta_cm, delta_cm * 2
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def jpeg_bytes(frame: UInt8Array, keep_rgb: bool = False, subsampling: str = "4:2:2") -> bytes:
    """Encode one frame, grey or RGB, as JPEG baseline; `keep_rgb` stores RGB itself, marked as Adobe does."""
    buffer = io.BytesIO()
    colour = {"keep_rgb": True} if keep_rgb else {"subsampling": subsampling} if frame.ndim == 3 else {}
    Image.fromarray(frame).save(buffer, "JPEG", quality=JPEG_QUALITY, **colour)
    return buffer.getvalue()


def without_adobe(jpeg: bytes) -> bytes:
    """Take an RGB JPEG every hint that it is RGB: the Adobe marker, and R, G and B as names of its components."""
    start = jpeg.index(b"\xff\xee")
    plain = bytearray(jpeg[:start] + jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big") :])
    frame_header, scan_header = plain.index(b"\xff\xc0") + 10, plain.index(b"\xff\xda") + 5
    plain[frame_header : frame_header + 9 : 3] = plain[scan_header : scan_header + 6 : 2] = b"\x01\x02\x03"
    return bytes(plain)


# ---- video and images -----------------------------------------------------------------------------------------------


def video_bytes(
    frames: UInt8Array,
    container: str,
    codec: str,
    pixel_format: str,
    rate_hz: float = 25.0,
    is_full_range: bool = False,
    times_ms: Sequence[int] | None = None,
    **options: Any,
) -> bytes:
    """Encode grey or RGB frames with FFmpeg; `times_ms` gives frames of uneven length."""
    buffer = io.BytesIO()
    rate = Fraction(rate_hz).limit_denominator(1000)
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixel_format
        stream.codec_context.color_range = ColorRange.JPEG if is_full_range else ColorRange.MPEG
        stream.codec_context.time_base = 1 / rate if times_ms is None else Fraction(1, 1000)
        for index, samples in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(samples, format="gray" if samples.ndim == 2 else "rgb24")
            frame = frame.reformat(format=pixel_format, dst_color_range=stream.codec_context.color_range)
            frame.pts = index if times_ms is None else times_ms[index]
            frame.time_base = stream.codec_context.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()


def avi_bytes(frames: UInt8Array, codec: str = "mjpeg", pixel_format: str = "yuvj420p", rate_hz: float = 25.0) -> bytes:
    """Write AVI, Motion JPEG by default."""
    options: dict[str, Any] = (
        {"strict": "unofficial", "flags": "qscale", "global_quality": "240"} if codec == "mjpeg" else {}
    )
    return video_bytes(frames, "avi", codec, pixel_format, rate_hz, is_full_range=codec == "mjpeg", **options)


def mp4_bytes(frames: UInt8Array, codec: str = "libx264", rate_hz: float = 25.0, is_full_range: bool = False) -> bytes:
    """Write MP4, H.264 by default."""
    options: dict[str, Any] = (
        {"crf": "10", "preset": "ultrafast"} if codec == "libx264" else {"qscale": "2", "flags": "qscale"}
    )
    return video_bytes(frames, "mp4", codec, "yuv420p", rate_hz, is_full_range, **options)


def gif_bytes(frames: UInt8Array, step_ms: int = 40) -> bytes:
    """Write an animated GIF."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=step_ms, loop=0)
    return buffer.getvalue()


def gif_bomb(count: int, side_px: int) -> bytes:
    """Write few bytes that become many black frames."""
    one = gif_bytes(np.zeros((1, side_px, side_px), np.uint8))
    at = one.index(b"\x2c\0\0\0\0")  # image descriptor, then compressed pixels, then the trailer
    return one[:at] + one[at:-1] * count + one[-1:]


def png_bytes(frame: UInt8Array) -> bytes:
    """Write one frame, grey or RGB, as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG")
    return buffer.getvalue()


# ---- a model --------------------------------------------------------------------------------------------------------


def tiny_repository(folder: Path) -> Path:
    """Write a model repository whose view classifier keeps the contract and has learned nothing."""
    from tests.unit.models.tiny_model import make_graph, write_model  # onnx is slow to import

    write_model(folder, make_graph())
    return folder


def circle_mask(rows: int, columns: int, radius_px: float) -> NDArray[np.uint8]:
    """Draw a white disc in the middle of a black frame, [H, W]."""
    y, x = np.mgrid[:rows, :columns]
    return np.asarray(255 * (np.hypot(y - (rows - 1) / 2, x - (columns - 1) / 2) <= radius_px), np.uint8)
