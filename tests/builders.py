"""Makes cines, and the files they come in, in code and from a seed: nothing here was ever a patient."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import imagecodecs
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
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
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
    samples: NDArray[Any],
    syntax: str = "raw",
    photometric: str = "MONOCHROME2",
    planar: int = 0,
    fragments: Sequence[bytes] | None = None,
    **attributes: Any,
) -> bytes:
    """Write an ultrasound multi-frame object.

    Args:
        samples: [T, H, W] or [T, H, W, 3], 8 or 16 bit, stored as they are; jpeg: grey or RGB.
        syntax: "raw" (explicit little endian), "jpeg" (baseline), or a UID; those of LOSSLESS_CODECS are encoded.
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
        "BitsAllocated": samples.itemsize * 8,
        "BitsStored": samples.itemsize * 8,
        "HighBit": attributes.get("BitsStored", samples.itemsize * 8) - 1,
        "PixelRepresentation": int(samples.dtype.kind == "i"),
    }
    for keyword, value in (defaults | pixels | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.PixelData = _pixel_data(samples, syntax, photometric, planar, fragments)
    dataset["PixelData"].VR = "OB" if samples.itemsize == 1 else "OW"
    return save_dicom(dataset, {"raw": ExplicitVRLittleEndian, "jpeg": JPEGBaseline8Bit}.get(syntax, syntax))


def _pixel_data(
    samples: NDArray[Any], syntax: str, photometric: str, planar: int, fragments: Sequence[bytes] | None
) -> bytes:
    if fragments is None and syntax == "jpeg":
        fragments = [jpeg_bytes(frame, keep_rgb=photometric == "RGB") for frame in samples]
    elif fragments is None and syntax in LOSSLESS_CODECS:
        fragments = [LOSSLESS_CODECS[UID(syntax)](frame) for frame in samples]
    if fragments is not None:
        return bytes(encapsulate(list(fragments)))
    stored = samples.transpose(0, 3, 1, 2) if planar else samples  # [T,H,W,C] -> [T,C,H,W]
    stored = stored.byteswap() if syntax == ExplicitVRBigEndian else stored
    return stored.tobytes() + bytes(stored.nbytes % 2)


def rle_bytes(frame: NDArray[Any]) -> bytes:
    """Encode one frame, [H, W] or [H, W, 3], as DICOM RLE (PS3.5 annex G)."""
    planes = np.atleast_3d(frame).transpose(2, 0, 1)  # [H, W, C] -> [C, H, W]
    most_significant_first = np.ascontiguousarray(planes, planes.dtype.newbyteorder(">")).view(np.uint8)
    width = planes.itemsize
    segments = [
        b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in plane.reshape(len(plane), -1, width)[..., byte])
        for plane in most_significant_first
        for byte in range(width)
    ]
    segments = [segment + bytes(len(segment) % 2) for segment in segments]
    offsets = 64 + np.cumsum([0, *map(len, segments)])[:-1]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def jpeg_lossless_bytes(frame: NDArray[Any], bits: int | None = None, predictor: int = 1) -> bytes:
    """Encode one frame as JPEG lossless (ITU-T T.81 annex H), colours left as they are."""
    colour = {"colorspace": "RGB", "outcolorspace": "RGB"} if frame.ndim == 3 else {}
    bits = bits or frame.itemsize * 8
    return bytes(imagecodecs.jpeg8_encode(frame, lossless=True, predictor=predictor, bitspersample=bits, **colour))


LOSSLESS_CODECS = {
    RLELossless: rle_bytes,
    JPEGLossless: jpeg_lossless_bytes,
    JPEGLosslessSV1: jpeg_lossless_bytes,
    JPEGLSLossless: lambda frame: bytes(imagecodecs.jpegls_encode(frame)),
    JPEG2000Lossless: lambda frame: bytes(imagecodecs.jpeg2k_encode(frame, level=0, reversible=True)),
    HTJ2KLossless: lambda frame: bytes(imagecodecs.htj2k_encode(frame, reversible=True)),
}
"""How each transfer syntax encodes a frame."""


def described(samples: NDArray[Any], photometric: str) -> Dataset:
    """Describe 8-bit pixels that are then stored in a way of one's own."""
    dataset = Dataset()
    dataset.Modality, dataset.PhotometricInterpretation, dataset.FrameTime = "US", photometric, 40.0
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = samples.shape[:3]
    dataset.SamplesPerPixel = 3 if samples.ndim == 4 else 1
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.PlanarConfiguration = 7, 0, 0
    return dataset


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
    rate = Fraction(rate_hz).limit_denominator(1001)
    options = ({"x265-params": "log-level=none"} if codec == "libx265" else {}) | options
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


def webm_bytes(frames: UInt8Array, codec: str = "libvpx", rate_hz: float = 25.0, container: str = "webm") -> bytes:
    """Write WebM, VP8 by default."""
    options: dict[str, Any] = {"crf": "4", "b": "4M"} if codec.startswith("libvpx") else {}
    return video_bytes(frames, container, codec, "yuv420p", rate_hz, **options)


def dib_avi_bytes(
    pixels: NDArray[np.uint8], rows: int, columns: int, bits: int, fourcc: bytes = bytes(4), palette: bytes = b""
) -> bytes:
    """Write uncompressed AVI as Video for Windows lays it out (BITMAPINFOHEADER), without FFmpeg.

    Args:
        pixels: one frame a row as it is stored, [T, bytes of a frame]; BI_RGB lines run from the bottom up.
        rows: H, px.
        columns: W, px.
        bits: of one pixel.
        fourcc: biCompression, 0 for BI_RGB.
        palette: entries of blue, green, red and zero.
    """
    count, frame_bytes = pixels.shape
    header = struct.pack("<IiiHH4sIiiII", 40, columns, rows, 1, bits, fourcc, frame_bytes, 0, 0, len(palette) // 4, 0)
    stream = struct.pack("<4s4sIHHIIIIIIIIhhhh", b"vids", b"DIB ", 0, 0, 0, 0, 1, 25, 0, count, 0, 0, 0, 0, 0, 0, 0)
    main = struct.pack("<14I", 40_000, 0, 0, 16, count, 0, 1, 0, columns, rows, 0, 0, 0, 0)
    lists = _riff_list(b"strl", _riff_chunk(b"strh", stream) + _riff_chunk(b"strf", header + palette))
    heads = _riff_list(b"hdrl", _riff_chunk(b"avih", main) + lists)
    body = heads + _riff_list(b"movi", b"".join(_riff_chunk(b"00db", frame.tobytes()) for frame in pixels))
    index = b"".join(
        struct.pack("<4sIII", b"00db", 16, 4 + at * (8 + frame_bytes + frame_bytes % 2), frame_bytes)
        for at in range(count)
    )
    return _riff_chunk(b"RIFF", b"AVI " + body + _riff_chunk(b"idx1", index))


def _riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _riff_list(name: bytes, body: bytes) -> bytes:
    return _riff_chunk(b"LIST", name + body)


def apng_bytes(frames: UInt8Array, step_ms: int = 40) -> bytes:
    """Write an animated PNG."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, "PNG", save_all=True, append_images=others, duration=step_ms)
    return buffer.getvalue()


def metaimage_bytes(samples: NDArray[Any], is_compressed: bool = False, **fields: Any) -> bytes:
    """Write a MetaImage, samples [T, H, W], [H, W] or RGB [T, H, W, 3]; `fields` replace or, with None, drop a line."""
    names = {"u1": "UCHAR", "i1": "CHAR", "u2": "USHORT", "i2": "SHORT", "u4": "UINT", "i4": "INT", "f4": "FLOAT"}
    kind = ({"i8": "LONG_LONG", "u8": "ULONG_LONG"} | names).get(samples.dtype.str[1:], "DOUBLE")
    extents = samples.shape[:3][::-1]
    header: dict[str, Any] = {
        "ObjectType": "Image",
        "NDims": len(extents),
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": str(samples.dtype.byteorder == ">"),
        "CompressedData": str(is_compressed),
        "ElementSpacing": " ".join(["0.3", "0.2", "1.54"][: len(extents)]),
        "DimSize": " ".join(map(str, extents)),
        "ElementNumberOfChannels": 3 if samples.ndim == 4 else 1,
        "ElementType": f"MET_{kind}",
        "ElementDataFile": "LOCAL",
    }
    lines = [f"{key} = {value}\n" for key, value in (header | fields).items() if value is not None]
    return "".join(lines).encode() + (zlib.compress(samples.tobytes()) if is_compressed else samples.tobytes())


def nifti_bytes(
    samples: NDArray[Any],
    version: int = 1,
    zooms: Sequence[float] = (0.3, 0.2, 1.0),
    units: tuple[str, str] = ("mm", "unknown"),
    order: Literal["<", ">"] = "<",
    **fields: Any,
) -> bytes:
    """Write a NIfTI file through nibabel.

    Args:
        samples: [T, H, W] or [H, W], stored as (x, y, t).
        version: 1 or 2.
        zooms: steps along x, y, t.
        units: of space and time.
        order: of bytes.
        fields: header fields that are set last.
    """
    import nibabel  # slow to import

    classes: dict[int, Any] = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}
    header = classes[version].header_class(endianness=order)
    header.set_data_dtype(samples.dtype.newbyteorder(order))
    image = classes[version](np.asarray(samples.T), None, header)  # [T,H,W] -> [W,H,T]
    image.header.set_zooms(zooms[: samples.ndim])
    image.header.set_xyzt_units(*units)
    whole = bytearray(image.to_bytes())
    for name, value in fields.items():
        kind, at = image.header.template_dtype.newbyteorder(order).fields[name]
        whole[at : at + kind.itemsize] = np.asarray(value, kind.base).tobytes()
    return bytes(whole)


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
