"""The pixels of a DICOM object: uncompressed or JPEG baseline, each frame decoded when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from pydicom import config, uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from services.cine.budget import out_of_memory
from services.cine.cine import FrameStore, UInt8Array, reduce_frame
from services.cine.dicom_attributes import damaged_pixels, text, value_of, whole_number
from services.cine.errors import CineUnsupportedError, Reason

RAW_SYNTAXES = frozenset({uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian})
JPEG_SYNTAXES = frozenset({uid.JPEGBaseline8Bit})
COLOUR_SAMPLES = {"MONOCHROME1": 1, "MONOCHROME2": 1, "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3}
"""Samples per pixel of each Photometric Interpretation that is read (PS3.3 C.7.6.3.1.2)."""

# Without this marker a JPEG decoder takes three components for YCbCr; transform 0 says RGB (Adobe TN 5116).
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU-T T.81 table B.1: SOF0 to SOF15
_BARE_MARKERS = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD9)})  # stuffing, TEM, fill, RST0 to RST7, SOI


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
class _RawFrames:
    """Uncompressed frames, 8 bit.

    Attributes:
        pixels: [T, H, W, C].
        interpretation: Photometric Interpretation.
    """

    pixels: UInt8Array
    interpretation: str

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as RGB."""
        frame = reduce_frame(self.pixels[index], reduction)
        if self.interpretation == "RGB":
            return frame
        if self.interpretation == "YBR_FULL":
            return _rgb_from_ybr(frame)
        return np.repeat(self.grey(index, reduction)[..., None], 3, axis=-1)

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as luma."""
        frame = self.pixels[index]
        if self.interpretation == "YBR_FULL":
            frame = np.ascontiguousarray(frame[..., 0])
        elif self.interpretation == "RGB":
            frame = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
        elif self.interpretation == "MONOCHROME1":
            frame = 255 - frame[..., 0]
        else:
            frame = frame[..., 0]
        return reduce_frame(frame, reduction)


def _rgb_from_ybr(frame: UInt8Array) -> UInt8Array:
    """Convert full-range YCbCr to RGB (PS3.3 C.7.6.3.1.2); OpenCV wants the chroma the other way round."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame[..., [0, 2, 1]]), cv2.COLOR_YCrCb2RGB), np.uint8)


_COLOUR_FLAGS = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_GREY_FLAGS = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


@dataclass(frozen=True)
class _JpegFrames:
    """JPEG baseline fragments, one a frame, decoded at the size that is asked for (ITU-T T.81)."""

    fragments: list[bytes]
    interpretation: str
    rows: int
    columns: int

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as RGB."""
        frame = self._decode(index, reduction, _COLOUR_FLAGS[reduction])
        if self.interpretation == "MONOCHROME1":
            return 255 - frame
        return frame if reduction == 1 else np.ascontiguousarray(frame[..., ::-1])

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as luma."""
        frame = self._decode(index, reduction, _GREY_FLAGS[reduction])
        return 255 - frame if self.interpretation == "MONOCHROME1" else frame

    def _decode(self, index: int, reduction: int, flags: int) -> UInt8Array:
        data, frame = self.fragments[index], None
        if _jpeg_size(data) == (self.rows, self.columns):
            if self.interpretation == "RGB":
                data = data[:2] + _ADOBE_RGB + data[2:]
            try:
                frame = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
            except cv2.error as error:  # it answers damage with None; what is left is an allocation
                raise out_of_memory() from error
        if frame is None:
            raise damaged_pixels(f"frame {index} that does not decode to {self.rows} x {self.columns} pixels")
        return np.asarray(frame, np.uint8)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Read rows and columns from the frame header, so that a false one costs no memory (ITU-T T.81, B.2.2)."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 9 <= len(data):
        if data[at + 1] in _FRAME_HEADERS:
            return int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
        at += 1 if data[at + 1] in _BARE_MARKERS else 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def open_pixels(dataset: Dataset, frame_count: int, rows: int, columns: int) -> FrameStore:
    """Open the pixels of an ultrasound image; none is decoded yet.

    Raises:
        CineUnreadableError: they are damaged.
        CineUnsupportedError: a transfer syntax or pixel format that is not read.
    """
    syntax = text(dataset.file_meta, "TransferSyntaxUID") or uid.ImplicitVRLittleEndian
    if syntax not in RAW_SYNTAXES | JPEG_SYNTAXES:
        raise CineUnsupportedError(
            Reason.CODEC_UNSUPPORTED,
            found=f"the transfer syntax {_known_name(syntax)}",
            expected="uncompressed little endian or JPEG baseline",
            advice="Export the cine as JPEG baseline or uncompressed.",
        )
    interpretation = text(dataset, "PhotometricInterpretation")
    samples, bits = whole_number(dataset, "SamplesPerPixel", 1), whole_number(dataset, "BitsAllocated", 8)
    is_raw = syntax in RAW_SYNTAXES
    is_read = COLOUR_SAMPLES.get(interpretation) == samples and bits == 8 and rows and columns
    if not is_read or (is_raw and interpretation == "YBR_FULL_422"):
        raise CineUnsupportedError(
            Reason.PIXELS_UNSUPPORTED,
            found=f"{samples} samples of {bits} bits a pixel in {rows} x {columns} pixels, or other colours",
            expected="8 bits in " + ", ".join(sorted(COLOUR_SAMPLES)) + " (the last in JPEG only)",
            advice="Export the cine as JPEG baseline, or as 8-bit RGB or MONOCHROME2.",
        )
    data = value_of(dataset, "PixelData")
    if not isinstance(data, bytes):
        raise damaged_pixels("pixel data of an impossible type")
    if not is_raw:
        return _JpegFrames(_fragments(data, frame_count), interpretation, rows, columns)
    planes = whole_number(dataset, "PlanarConfiguration", 0) if samples == 3 else 0
    return _RawFrames(_raw_pixels(data, (frame_count, rows, columns, samples), planes), interpretation)


def _known_name(syntax: str) -> str:
    """Give the name that PS3.6 has for a UID; one that is not there is text from the input and is not repeated."""
    name = uid.UID(syntax, validation_mode=config.IGNORE).name
    return "of nobody known" if name == syntax else str(name)


def _raw_pixels(data: bytes, shape: tuple[int, int, int, int], planar_configuration: int) -> UInt8Array:
    """View uncompressed bytes as [T, H, W, C]; Planar Configuration 1 stores [T, C, H, W]."""
    frames, rows, columns, samples = shape
    size_bytes = frames * rows * columns * samples
    if not size_bytes <= len(data) <= size_bytes + 1:  # one byte of padding to an even length
        raise damaged_pixels(f"{len(data)} bytes of pixels where {size_bytes} belong")
    pixels = np.frombuffer(data, np.uint8, count=size_bytes)
    if planar_configuration == 1:
        return pixels.reshape(frames, samples, rows, columns).transpose(0, 2, 3, 1)  # [T,C,H,W] -> [T,H,W,C]
    return pixels.reshape(shape)


def _fragments(data: bytes, frame_count: int) -> list[bytes]:
    """Split encapsulated pixel data into one JPEG a frame (PS3.5 A.4)."""
    fragments: list[bytes] = []
    try:
        for fragment in generate_frames(data, number_of_frames=frame_count):
            fragments.append(fragment)
            if len(fragments) > frame_count:
                break
    except Exception as error:  # pydicom raises almost anything on damaged items
        raise damaged_pixels("encapsulated pixel data that cannot be split into frames") from error
    if len(fragments) != frame_count:
        raise damaged_pixels(f"{len(fragments)} frames where the header says {frame_count}")
    return fragments
