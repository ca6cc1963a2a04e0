"""The pixels of a DICOM object: each frame is decoded when it is asked for, and only as large as it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from services.cine.budget import ReadLimits
from services.cine.cine import FrameStore, UInt8Array
from services.cine.dicom.attributes import DicomObject, known_name, text, value_of, whole_number
from services.cine.dicom.codecs import decode_rle
from services.cine.dicom.colour import SAMPLES_PER_PIXEL, YBR, SampleFormat, Samples, colours_of
from services.cine.dicom.fragments import count_frames, frames_from_fragments
from services.cine.dicom.frames import StoredFrames, does_not_decode, open_codestreams
from services.cine.dicom.structure import Element, damaged_pixels
from services.cine.errors import CineUnsupportedError, Reason
from services.cine.media.video import read_elementary

RAW_SYNTAXES = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }
)
CODESTREAM_SYNTAXES = frozenset(
    {
        uid.JPEGBaseline8Bit,
        uid.JPEGExtended12Bit,
        "1.2.840.10008.1.2.4.53",  # spectral selection and full progression, retired
        "1.2.840.10008.1.2.4.55",
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEGLSNearLossless,
        uid.JPEG2000Lossless,
        uid.JPEG2000,
        uid.HTJ2KLossless,
        uid.HTJ2KLosslessRPCL,
        uid.HTJ2K,
    }
)
"""The codestream itself says which of them it is; the name is not believed."""

VIDEO_SYNTAXES = frozenset(
    f"1.2.840.10008.1.2.4.{number}{part}" for number in range(100, 109) for part in ("", ".1")
)  # MPEG-2, H.264 and HEVC, and their fragmentable forms (PS3.5 A.4.5 to A.4.12)

_READ = "uncompressed, deflated, RLE, JPEG, JPEG-LS, JPEG 2000, MPEG-2, H.264 or HEVC"
_EXPORT = "Export the cine as JPEG baseline, or as 8-bit RGB or MONOCHROME2."


@dataclass(frozen=True)
class OtherModality:
    """Pixels that are not ultrasound: never decoded."""

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Refuse."""
        raise CineUnsupportedError(
            Reason.PIXELS_UNSUPPORTED,
            found="an image of another modality",
            expected="ultrasound (Modality US)",
            advice="Send an echocardiogram.",
        )

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Refuse."""
        return self.colour(index, reduction)


@dataclass(frozen=True)
class _RawSource:
    """Uncompressed frames, [T, H, W] or [T, H, W, 3]."""

    pixels: Samples

    def samples(self, index: int, reduction: int) -> Samples:
        frame: Samples = self.pixels[index]
        return frame


@dataclass(frozen=True)
class HalvedChromaSource:
    """Uncompressed YBR_FULL_422: two lumas, then the chroma of both (PS3.3 C.7.6.3.1.2), [T, H, W / 2, 4]."""

    pixels: UInt8Array

    def samples(self, index: int, reduction: int) -> Samples:
        """Give one frame, the chroma repeated."""
        groups = self.pixels[index]
        rows, pairs, _ = groups.shape
        frame = np.empty((rows, pairs, 2, 3), np.uint8)
        frame[..., 0], frame[..., 1:] = groups[..., :2], groups[:, :, None, 2:]
        return np.asarray(frame.reshape(rows, pairs * 2, 3))  # [H, W/2, 2, 3] -> [H, W, 3]


@dataclass(frozen=True)
class _RunLengthSource:
    frames: Sequence[memoryview]
    shape: tuple[int, int, int]
    width_bytes: int

    def samples(self, index: int, reduction: int) -> Samples:
        frame = decode_rle(self.frames[index], self.shape, self.width_bytes)
        if frame is None:
            raise does_not_decode(index, *self.shape[:2])
        return frame if self.shape[2] == 3 else frame[..., 0]


def frame_count_of(found: DicomObject, rows: int, columns: int) -> int:
    """Give how many frames an object has: as many as it says, or where it says nothing, as many as are there."""
    claimed = whole_number(found.attributes, "NumberOfFrames", 0)
    if claimed or found.pixels is None:
        return max(1, claimed)
    if found.pixels.fragments is not None:
        return 1 if found.syntax in VIDEO_SYNTAXES else count_frames(found.pixels.fragments)
    samples = whole_number(found.attributes, "SamplesPerPixel", 1)
    frame_bytes = rows * columns * samples * whole_number(found.attributes, "BitsAllocated", 8) // 8
    return max(1, len(found.pixels.value) // frame_bytes if frame_bytes else 1)


def open_pixels(found: DicomObject, pixels: Element, shape: tuple[int, int, int], limits: ReadLimits) -> FrameStore:
    """Open the pixels of an ultrasound image; none is decoded yet, but those of a video all are.

    Args:
        found: the object.
        pixels: its Pixel Data.
        shape: frames, rows, columns; already within the limits.
        limits: checked again while a video is decoded.

    Raises:
        CineUnreadableError: they are damaged.
        CineUnsupportedError: a transfer syntax or pixel format that is not read.
        LimitExceededError: over a limit.
    """
    if found.syntax not in RAW_SYNTAXES | CODESTREAM_SYNTAXES | VIDEO_SYNTAXES | {uid.RLELossless}:
        raise CineUnsupportedError(
            Reason.CODEC_UNSUPPORTED,
            found=f"the transfer syntax {known_name(found.syntax)}",
            expected=_READ,
            advice=_EXPORT,
        )
    if pixels.representation not in ("OB", "OW", "UN", ""):
        raise damaged_pixels("pixel data of an impossible type")
    frames, rows, columns = shape
    if found.syntax in VIDEO_SYNTAXES and pixels.fragments is not None:
        return read_elementary(b"".join(pixels.fragments[1:]), limits, frames, rows, columns)
    samples, form = sample_format(found.attributes, shape)
    is_ybr = form.interpretation in YBR
    if pixels.fragments is None:
        source = _raw_source(found, pixels, (*shape, samples), form)
        return StoredFrames(source, colours_of(form, found.attributes, is_ybr), rows)
    extended = value_of(found.attributes, "ExtendedOffsetTable")
    compressed = frames_from_fragments(pixels.fragments, extended if isinstance(extended, bytes) else b"", frames)
    if found.syntax == uid.RLELossless:
        runs = _RunLengthSource(compressed, (rows, columns, samples), form.allocated_bits // 8)
        return StoredFrames(runs, colours_of(form, found.attributes, is_ybr), rows)
    return open_codestreams(compressed, form, found.attributes, rows, columns)


def sample_format(attributes: Dataset, shape: tuple[int, int, int]) -> tuple[int, SampleFormat]:
    """Give samples per pixel and how each is stored.

    Raises:
        CineUnsupportedError: a format that is not read.
    """
    interpretation = text(attributes, "PhotometricInterpretation").strip("\0 ").upper()
    samples = whole_number(attributes, "SamplesPerPixel", 1)
    allocated = whole_number(attributes, "BitsAllocated", 8)
    stored = whole_number(attributes, "BitsStored", 0) or allocated
    high = whole_number(attributes, "HighBit", 0) or stored - 1
    is_read = SAMPLES_PER_PIXEL.get(interpretation) == samples and allocated in (8, 16) and min(shape) > 0
    if not is_read or stored > allocated:
        raise CineUnsupportedError(
            Reason.PIXELS_UNSUPPORTED,
            found=f"{samples} samples of {stored} in {allocated} bits a pixel in {shape[1]} x {shape[2]} pixels,"
            " or other colours",
            expected="8 or 16 bits in " + ", ".join(sorted(SAMPLES_PER_PIXEL)),
            advice=_EXPORT,
        )
    shift = high + 1 - stored if stored <= high + 1 <= allocated else 0
    is_signed = whole_number(attributes, "PixelRepresentation", 0) == 1
    return samples, SampleFormat(interpretation, allocated, stored, shift, is_signed)


def _raw_source(
    found: DicomObject, pixels: Element, shape: tuple[int, int, int, int], form: SampleFormat
) -> _RawSource | HalvedChromaSource:
    """View uncompressed bytes as frames; Planar Configuration 1 stores [T, C, H, W]."""
    frames, rows, columns, samples = shape
    data = _in_byte_order(pixels, form.allocated_bits)
    size = frames * rows * columns * samples
    has_halved_chroma = form.interpretation == "YBR_FULL_422" and len(data) < size and columns % 2 == 0
    size = size // 3 * 2 if has_halved_chroma else size
    width = form.allocated_bits // 8
    least_lie = size // (frames * max(rows, columns))  # what one row or column too few leaves over; less is padding
    if not 0 <= len(data) - size * width < max(2, least_lie * width):
        raise damaged_pixels(f"{len(data)} bytes of pixels where {size * width} belong")
    order = "<" if pixels.encoding.is_little else ">"
    stored = np.frombuffer(data, f"{order}u{width}", count=size)
    if has_halved_chroma:
        return HalvedChromaSource(stored.reshape(frames, rows, columns // 2, 4))
    if samples == 1:
        return _RawSource(stored.reshape(frames, rows, columns))
    if whole_number(found.attributes, "PlanarConfiguration", 0) == 1:
        return _RawSource(stored.reshape(frames, samples, rows, columns).transpose(0, 2, 3, 1))  # -> [T, H, W, C]
    return _RawSource(stored.reshape(shape))


def _in_byte_order(pixels: Element, allocated_bits: int) -> memoryview:
    """Give the stored bytes; single bytes in big-endian words (OW) lie the wrong way round."""
    if pixels.encoding.is_little or pixels.representation != "OW" or allocated_bits != 8 or len(pixels.value) % 2:
        return pixels.value
    return memoryview(np.frombuffer(pixels.value, np.uint16).byteswap().tobytes())
