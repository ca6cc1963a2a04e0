"""DICOM ultrasound: only the attributes a cine needs are parsed, and each frame is decoded when it is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from services.cine.budget import ReadLimits
from services.cine.cine import DEFAULT_FRAME_TIME_MS, Cine, CineFormat, Region, RegionKind, TimesArray, TimingSource
from services.cine.dicom.attributes import DicomObject, known_name, numbers, parse, text, value_of, whole_number
from services.cine.dicom.pixels import OtherModality, frame_count_of, open_pixels
from services.cine.dicom.structure import Element
from services.cine.errors import CineUnreadableError, CineUnsupportedError, Reason
from services.cine.media.decoded_frames import DecodedFrames

LONGEST_STEP_MS = 60_000.0
"""From one frame to the next; a time beyond it is damage, and the next attribute is asked."""

REGION_SLACK_PX = 2
"""Scanners give the first column outside a region as its last, or count from one."""

_ULTRASOUND_CLASSES = (
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    uid.UID("1.2.840.10008.5.1.4.1.1.3"),  # both once more as they were before 1998
    uid.UID("1.2.840.10008.5.1.4.1.1.6"),
)  # PS3.4 B.5; Modality may be empty
_VOLUMES = (uid.EnhancedUSVolumeStorage,)
_FLOAT_KEYWORDS = ("FloatPixelData", "DoubleFloatPixelData")
_CM = 3  # PS3.3 C.8.5.5.1.15, Physical Units
_2D = 1  # C.8.5.5.1.1, Region Spatial Format
_KINDS: dict[tuple[float, ...], RegionKind] = {
    (_2D, 1): RegionKind.TISSUE,
    (_2D, 2): RegionKind.COLOUR_FLOW,
    (2, 1): RegionKind.M_MODE,
    (2, 2): RegionKind.M_MODE,
    (3, 3): RegionKind.SPECTRAL,
    (3, 4): RegionKind.SPECTRAL,
}
"""By Region Spatial Format and Region Data Type (C.8.5.5.1.2)."""


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
    found = parse(data, limits)
    pixels, attributes = _pixels(found), found.attributes
    rows, columns = whole_number(attributes, "Rows"), whole_number(attributes, "Columns")
    frame_count = frame_count_of(found, rows, columns)
    limits.check_shape(frame_count, rows, columns)
    modality = text(attributes, "Modality").strip("\0 ").upper()
    is_ultrasound = modality == "US" or (not modality and found.sop_class in _ULTRASOUND_CLASSES)
    shape = (frame_count, rows, columns)
    store = open_pixels(found, pixels, shape, limits) if is_ultrasound else OtherModality()
    if isinstance(store, DecodedFrames):  # writers of video count what they captured, not what the encoder made of it
        frame_count = store.frame_count
    times_ms, timing_source = _frame_times(attributes, frame_count)
    return Cine(
        format=CineFormat.DICOM,
        rows=rows,
        columns=columns,
        frame_times_ms=times_ms,
        timing_source=timing_source,
        regions=_regions(attributes, rows, columns),
        is_ultrasound=is_ultrasound,
        store=store,
    )


def _pixels(found: DicomObject) -> Element:
    """Give the pixel data of an object that is a cine, or at least an image.

    Raises:
        CineUnreadableError: it has none, and the message says what it is instead.
        CineUnsupportedError: a volume, or floating-point pixels.
    """
    name = known_name(found.sop_class) if found.sop_class else "that does not say what it is"
    if found.sop_class in _VOLUMES or any(keyword in found.attributes for keyword in _FLOAT_KEYWORDS):
        raise CineUnsupportedError(
            Reason.PIXELS_UNSUPPORTED,
            found=f"a volume or an image of fractions: an object {name}",
            expected="an ultrasound image or multi-frame image",
            advice="Send the two-dimensional cine itself.",
        )
    if found.pixels is None:
        raise CineUnreadableError(
            Reason.PIXELS_MISSING,
            found=f"a DICOM object without pixel data: {name}",
            expected="an ultrasound image object",
            advice="Send the image object itself, not a report, plan or index, and check that it is complete.",
        )
    return found.pixels


def _frame_times(dataset: Dataset, frame_count: int) -> tuple[TimesArray, TimingSource]:
    """Give the start of each frame, [T] ms, from the first attribute that holds it (PS3.3 C.7.6.5)."""
    if frame_count == 1:
        return np.zeros(1), TimingSource.NONE
    vector = numbers(dataset, "FrameTimeVector")
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
        if len(steps_ms) >= frame_count - 1 and min(steps_ms) >= 0 and 0 < max(steps_ms) <= LONGEST_STEP_MS:
            return np.cumsum([0.0, *steps_ms[: frame_count - 1]], dtype=np.float64), source
    return np.arange(frame_count, dtype=np.float64) * DEFAULT_FRAME_TIME_MS, TimingSource.NONE


def _period_ms(rate_hz: float) -> float:
    return 1000.0 / rate_hz if rate_hz > 0 else 0.0


def _first_positive(dataset: Dataset, keyword: str) -> float:
    values = numbers(dataset, keyword)
    return values[0] if values and values[0] > 0 else 0.0


def _regions(dataset: Dataset, rows: int, columns: int) -> tuple[Region, ...]:
    """Give the calibrated regions (PS3.3 C.8.5.5).

    One that is damaged or does not lie inside the frame is left out: archives shrink the pixels and keep the numbers,
    so neither its box nor its spacing can be believed.
    """
    items = value_of(dataset, "SequenceOfUltrasoundRegions")
    regions = [region for item in (items if isinstance(items, Sequence) else ()) if (region := _region(item))]
    clipped = [_clipped(region, rows, columns) for region in regions]
    return tuple(r for r in clipped if 0 <= r.left_px < r.right_px < columns and 0 <= r.top_px < r.bottom_px < rows)


def _clipped(region: Region, rows: int, columns: int) -> Region:
    """Bring a box back that leaves the frame by so little that only its corners are counted otherwise."""
    right, bottom = region.right_px, region.bottom_px
    return replace(
        region,
        right_px=columns - 1 if columns <= right < columns + REGION_SLACK_PX else right,
        bottom_px=rows - 1 if rows <= bottom < rows + REGION_SLACK_PX else bottom,
    )


def _region(item: Dataset) -> Region | None:
    corners = [numbers(item, f"RegionLocation{corner}") for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    if not all(corners):
        return None
    left, top, right, bottom = (int(corner[0]) for corner in corners)
    kind = numbers(item, "RegionSpatialFormat") + numbers(item, "RegionDataType")
    return Region(
        left_px=left,
        top_px=top,
        right_px=right,
        bottom_px=bottom,
        kind=_KINDS.get(tuple(kind), RegionKind.OTHER),
        row_spacing_mm=_spacing_mm(item, "Y"),
        column_spacing_mm=_spacing_mm(item, "X"),
    )


def _spacing_mm(item: Dataset, axis: str) -> float | None:
    unit, delta = numbers(item, f"PhysicalUnits{axis}Direction"), numbers(item, f"PhysicalDelta{axis}")
    return abs(delta[0]) * 10.0 if delta and delta[0] and unit == [_CM] else None
