"""DICOM ultrasound: only the attributes a cine needs are parsed, and each frame is decoded when it is asked for."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, CineFormat, Region, TimesArray, TimingSource, UInt8Array, reduce_frame
from services.cine.errors import CineUnreadableError, CineUnsupportedError, Reason

RAW_SYNTAXES = frozenset({uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian})
JPEG_SYNTAXES = frozenset({uid.JPEGBaseline8Bit})
COLOUR_SAMPLES = {"MONOCHROME1": 1, "MONOCHROME2": 1, "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3}
"""Samples per pixel of each Photometric Interpretation that is read (PS3.3 C.7.6.3.1.2)."""

DEFAULT_FRAME_TIME_MS = 33.3
"""Where a multi-frame object names no time at all."""

_WANTED_TAGS = [
    "SOPClassUID",
    "Modality",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "PixelData",
    "FrameTime",
    "FrameTimeVector",
    "CineRate",
    "RecommendedDisplayFrameRate",
    "SequenceOfUltrasoundRegions",
]  # no patient attribute is ever parsed

_CM = 3  # PS3.3 C.8.5.5.1.15, Physical Units
_SPATIAL_2D, _DATA_TISSUE = 1, 1  # C.8.5.5.1.2 Region Spatial Format, C.8.5.5.1.1 Region Data Type

# Without this marker a JPEG decoder takes three components for YCbCr; transform 0 says RGB (Adobe TN 5116).
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


def read_dicom(data: bytes | memoryview, limits: ReadLimits) -> Cine:
    """Open a DICOM object as a cine.

    Args:
        data: the whole file, PS3.10 with or without preamble.
        limits: checked before any pixel is touched.

    Returns:
        The cine, nothing decoded yet; `is_ultrasound` is False for another modality, whose pixels are not looked at.

    Raises:
        CineUnreadableError: damaged, or without pixels.
        CineUnsupportedError: a transfer syntax or pixel format that is not read.
        LimitExceededError: over a limit.
    """
    dataset = _parse(data)
    if "PixelData" not in dataset:
        raise CineUnreadableError(
            Reason.PIXELS_MISSING,
            found="a DICOM object without pixel data",
            expected="an ultrasound image object",
            advice="Send the image object itself, not a report, plan or index, and check that it is complete.",
        )
    rows, columns = _integer(dataset, "Rows"), _integer(dataset, "Columns")
    frame_count = max(1, _integer(dataset, "NumberOfFrames", 1))
    limits.check_shape(frame_count, rows, columns)
    is_ultrasound = str(dataset.get("Modality", "")) == "US"
    times_ms, timing_source = _frame_times(dataset, frame_count)
    return Cine(
        format=CineFormat.DICOM,
        rows=rows,
        columns=columns,
        frame_times_ms=times_ms,
        timing_source=timing_source,
        regions=_regions(dataset, rows, columns),
        is_ultrasound=is_ultrasound,
        store=_open_pixels(dataset, frame_count, rows, columns) if is_ultrasound else _OtherModality(),
    )


def _parse(data: bytes | memoryview) -> Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what pydicom warns of shows in what it returns
            dataset = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=list(_WANTED_TAGS))
        if dataset:
            return dataset
        if dataset.file_meta:  # pydicom drops everything it has read when encapsulated pixels end too early
            raise _damaged_pixels("a DICOM object that ends before its pixels do")
        raise InvalidDicomError
    except CineUnreadableError:
        raise
    except Exception as error:  # pydicom raises almost anything on damaged headers; this process holds one cine only
        raise CineUnreadableError(
            Reason.HEADER_DAMAGED,
            found=f"a DICOM header that cannot be parsed ({type(error).__name__})",
            expected="a DICOM object as PS3.10 describes it",
            advice="Send the original file again.",
        ) from error


def _integer(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    try:
        value = dataset.get(keyword)
        if value is None and default is not None:
            return default
        return int(value)
    except Exception as error:  # a value of the wrong kind, empty, or multiple; pydicom converts lazily
        raise CineUnreadableError(
            Reason.HEADER_DAMAGED,
            found=f"no usable {keyword}",
            expected="a whole number (PS3.3 C.7.6.3, Image Pixel Module)",
            advice="Send the original file again.",
        ) from error


def _frame_times(dataset: Dataset, frame_count: int) -> tuple[TimesArray, TimingSource]:
    """Give the start of each frame, [T] ms, from the first attribute that holds it (PS3.3 C.7.6.5)."""
    if frame_count == 1:
        return np.zeros(1), TimingSource.NONE
    vector = _numbers(dataset, "FrameTimeVector")
    candidates = (
        (TimingSource.FRAME_TIME, [_first_positive(dataset, "FrameTime")] * frame_count),
        (TimingSource.FRAME_TIME_VECTOR, vector[1:] if len(vector) == frame_count else []),
        (TimingSource.CINE_RATE, [_period_ms(_first_positive(dataset, "CineRate"))] * frame_count),
        (
            TimingSource.RECOMMENDED_DISPLAY_FRAME_RATE,
            [_period_ms(_first_positive(dataset, "RecommendedDisplayFrameRate"))] * frame_count,
        ),
    )
    for source, steps_ms in candidates:
        if len(steps_ms) >= frame_count - 1 and min(steps_ms) >= 0 and max(steps_ms) > 0:
            return np.cumsum([0.0, *steps_ms[: frame_count - 1]], dtype=np.float64), source
    return np.arange(frame_count, dtype=np.float64) * DEFAULT_FRAME_TIME_MS, TimingSource.NONE


def _period_ms(rate_hz: float) -> float:
    return 1000.0 / rate_hz if rate_hz > 0 else 0.0


def _first_positive(dataset: Dataset, keyword: str) -> float:
    numbers = _numbers(dataset, keyword)
    return numbers[0] if numbers and numbers[0] > 0 else 0.0


def _numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Give the finite values of a numeric attribute; a damaged one counts as absent, the next source is asked."""
    try:
        value = dataset.get(keyword)
        if value is None:
            return []
        numbers = [float(item) for item in (value if isinstance(value, Sequence) else [value])]
        return numbers if np.isfinite(numbers).all() else []
    except Exception:  # pydicom converts lazily and raises almost anything
        return []


def _regions(dataset: Dataset, rows: int, columns: int) -> tuple[Region, ...]:
    """Give the calibrated regions (PS3.3 C.8.5.5).

    One that is damaged or does not lie inside the frame is left out: archives shrink the pixels and keep the numbers,
    so neither its box nor its spacing can be believed.
    """
    try:
        items = list(dataset.get("SequenceOfUltrasoundRegions") or [])
    except Exception:  # as in _numbers
        return ()
    regions = [region for region in map(_region, items) if region is not None]
    return tuple(r for r in regions if 0 <= r.left_px < r.right_px < columns and 0 <= r.top_px < r.bottom_px < rows)


def _region(item: Dataset) -> Region | None:
    corners = [_numbers(item, f"RegionLocation{corner}") for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    if not all(corners):
        return None
    left, top, right, bottom = (int(corner[0]) for corner in corners)
    kind = _numbers(item, "RegionSpatialFormat") + _numbers(item, "RegionDataType")
    return Region(
        left_px=left,
        top_px=top,
        right_px=right,
        bottom_px=bottom,
        is_tissue=kind == [_SPATIAL_2D, _DATA_TISSUE],
        row_spacing_mm=_spacing_mm(item, "Y"),
        column_spacing_mm=_spacing_mm(item, "X"),
    )


def _spacing_mm(item: Dataset, axis: str) -> float | None:
    unit, delta = _numbers(item, f"PhysicalUnits{axis}Direction"), _numbers(item, f"PhysicalDelta{axis}")
    return abs(delta[0]) * 10.0 if delta and delta[0] and unit == [_CM] else None


@dataclass(frozen=True)
class _OtherModality:
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


@dataclass(frozen=True)
class _JpegFrames:
    """JPEG baseline fragments, one a frame, decoded at the size that is asked for (ITU-T T.81)."""

    fragments: list[bytes]
    interpretation: str
    rows: int
    columns: int

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as RGB."""
        flags = {
            1: cv2.IMREAD_COLOR_RGB,
            2: cv2.IMREAD_REDUCED_COLOR_2,
            4: cv2.IMREAD_REDUCED_COLOR_4,
            8: cv2.IMREAD_REDUCED_COLOR_8,
        }
        frame = self._decode(index, reduction, flags[reduction])
        return frame if reduction == 1 else np.ascontiguousarray(frame[..., ::-1])

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Give one frame as luma."""
        flags = {
            1: cv2.IMREAD_GRAYSCALE,
            2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
            4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
            8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
        }
        frame = self._decode(index, reduction, flags[reduction])
        return 255 - frame if self.interpretation == "MONOCHROME1" else frame

    def _decode(self, index: int, reduction: int, flags: int) -> UInt8Array:
        data = self.fragments[index]
        if self.interpretation == "RGB":
            data = data[:2] + _ADOBE_RGB + data[2:]
        try:
            frame = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:
            frame = None
        wanted = (-(-self.rows // reduction), -(-self.columns // reduction))
        if frame is None or frame.shape[:2] != wanted:
            raise _damaged_pixels(f"frame {index} that does not decode to {self.rows} x {self.columns} pixels")
        return np.asarray(frame, np.uint8)


def _open_pixels(dataset: Dataset, frame_count: int, rows: int, columns: int) -> _RawFrames | _JpegFrames:
    syntax = dataset.file_meta.get("TransferSyntaxUID", uid.ImplicitVRLittleEndian)
    if syntax not in RAW_SYNTAXES | JPEG_SYNTAXES:
        raise CineUnsupportedError(
            Reason.CODEC_UNSUPPORTED,
            found=f"the transfer syntax {uid.UID(syntax).name if uid.UID(syntax).is_valid else 'with a malformed UID'}",
            expected="uncompressed little endian or JPEG baseline",
            advice="Export the cine as JPEG baseline or uncompressed.",
        )
    interpretation = str(dataset.get("PhotometricInterpretation", ""))
    samples, bits = _integer(dataset, "SamplesPerPixel", 1), _integer(dataset, "BitsAllocated", 8)
    is_raw = syntax in RAW_SYNTAXES
    is_read = COLOUR_SAMPLES.get(interpretation) == samples and bits == 8 and rows and columns
    if not is_read or (is_raw and interpretation == "YBR_FULL_422"):
        raise CineUnsupportedError(
            Reason.PIXELS_UNSUPPORTED,
            found=f"{samples} samples of {bits} bits a pixel in {rows} x {columns} pixels",
            expected="8 bits in " + ", ".join(COLOUR_SAMPLES),
            advice="Export the cine as 8-bit RGB, YBR_FULL_422 or MONOCHROME2.",
        )
    if not is_raw:
        return _JpegFrames(_fragments(dataset.PixelData, frame_count), interpretation, rows, columns)
    planes = _integer(dataset, "PlanarConfiguration", 0) if samples == 3 else 0
    return _RawFrames(_raw_pixels(dataset.PixelData, (frame_count, rows, columns, samples), planes), interpretation)


def _raw_pixels(data: bytes, shape: tuple[int, int, int, int], planar_configuration: int) -> UInt8Array:
    """View uncompressed bytes as [T, H, W, C]; Planar Configuration 1 stores [T, C, H, W]."""
    frames, rows, columns, samples = shape
    size_bytes = frames * rows * columns * samples
    if not size_bytes <= len(data) <= size_bytes + 1:  # one byte of padding to an even length
        raise _damaged_pixels(f"{len(data)} bytes of pixels where {size_bytes} belong")
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
        raise _damaged_pixels("encapsulated pixel data that cannot be split into frames") from error
    if len(fragments) != frame_count:
        raise _damaged_pixels(f"{len(fragments)} frames where the header says {frame_count}")
    return fragments


def _damaged_pixels(found: str) -> CineUnreadableError:
    return CineUnreadableError(
        Reason.PIXELS_DAMAGED,
        found=found,
        expected="as many whole frames as the header says",
        advice="The file is cut short or damaged; send the original again.",
    )
