"""DICOM ultrasound: only the attributes a cine needs are parsed, and each frame is decoded when it is asked for."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, CineFormat, Region, RegionKind, TimesArray, TimingSource
from services.cine.dicom_attributes import numbers, parse, text, value_of, whole_number
from services.cine.dicom_pixels import OtherModality, open_pixels
from services.cine.errors import CineUnreadableError, Reason

DEFAULT_FRAME_TIME_MS = 33.3
"""Where a multi-frame object names no time at all."""

LONGEST_STEP_MS = 60_000.0
"""From one frame to the next; a time beyond it is damage, and the next attribute is asked."""

_ULTRASOUND_CLASSES = (UltrasoundImageStorage, UltrasoundMultiFrameImageStorage)  # PS3.4 B.5; Modality may be empty
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
    dataset = parse(data)
    if "PixelData" not in dataset:
        raise CineUnreadableError(
            Reason.PIXELS_MISSING,
            found="a DICOM object without pixel data",
            expected="an ultrasound image object",
            advice="Send the image object itself, not a report, plan or index, and check that it is complete.",
        )
    rows, columns = whole_number(dataset, "Rows"), whole_number(dataset, "Columns")
    frame_count = max(1, whole_number(dataset, "NumberOfFrames", 1))
    limits.check_shape(frame_count, rows, columns)
    modality = text(dataset, "Modality")
    is_ultrasound = modality == "US" or (not modality and text(dataset, "SOPClassUID") in _ULTRASOUND_CLASSES)
    times_ms, timing_source = _frame_times(dataset, frame_count)
    return Cine(
        format=CineFormat.DICOM,
        rows=rows,
        columns=columns,
        frame_times_ms=times_ms,
        timing_source=timing_source,
        regions=_regions(dataset, rows, columns),
        is_ultrasound=is_ultrasound,
        store=open_pixels(dataset, frame_count, rows, columns) if is_ultrasound else OtherModality(),
    )


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
    return tuple(r for r in regions if 0 <= r.left_px < r.right_px < columns and 0 <= r.top_px < r.bottom_px < rows)


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
