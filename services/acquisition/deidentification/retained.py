"""What of an object is retained beside its pixels: numbers, and words of the standard; no text of the input.

The profile removes what is known to identify, and says itself that this fails where the standard grows or a vendor adds
something (PS3.15 E.1.1, note 5); so the attributes it does not name stay only if they are listed here.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.valuerep import DSfloat

from services.cine.dicom.attributes import numbers, value_of

NUMBERS = (
    "SeriesNumber",  # PS3.3 C.7.3.1, General Series
    "InstanceNumber",  # C.7.6.1, General Image
    "AcquisitionNumber",
    "PixelAspectRatio",  # C.7.6.3, Image Pixel
    "WindowCenter",  # C.11.2, VOI LUT
    "WindowWidth",
    "RescaleIntercept",  # C.11.1, Modality LUT
    "RescaleSlope",
    "FrameTime",  # C.7.6.5, Cine
    "FrameTimeVector",
    "StartTrim",
    "StopTrim",
    "RecommendedDisplayFrameRate",
    "CineRate",
    "FrameDelay",
    "EffectiveDuration",
    "ActualFrameDuration",
    "PreferredPlaybackSequencing",
    "HeartRate",  # C.8.5.6, US Image
    "UltrasoundColorDataPresent",
    "DepthOfScanField",
    "MechanicalIndex",
    "BoneThermalIndex",
    "CranialThermalIndex",
    "SoftTissueThermalIndex",
    "LossyImageCompressionRatio",  # C.7.6.1.1.5
)
"""Attributes of the US image objects (PS3.3 A.6, A.7) that hold nothing but numbers."""

REGION_NUMBERS = (
    "RegionSpatialFormat",
    "RegionDataType",
    "RegionFlags",
    "RegionLocationMinX0",
    "RegionLocationMinY0",
    "RegionLocationMaxX1",
    "RegionLocationMaxY1",
    "ReferencePixelX0",
    "ReferencePixelY0",
    "PhysicalUnitsXDirection",
    "PhysicalUnitsYDirection",
    "ReferencePixelPhysicalValueX",
    "ReferencePixelPhysicalValueY",
    "PhysicalDeltaX",
    "PhysicalDeltaY",
    "TransducerFrequency",
    "PulseRepetitionFrequency",
    "DopplerCorrectionAngle",
    "SteeringAngle",
)
"""Of an item of the Sequence of Ultrasound Regions (C.8.5.5)."""

WORDS = {
    "LossyImageCompression": frozenset({"00", "01"}),
    "LossyImageCompressionMethod": frozenset(
        {
            "ISO_10918_1",
            "ISO_14495_1",
            "ISO_15444_1",
            "ISO_15444_15",
            "ISO_13818_2",
            "ISO_14496_10",
            "ISO_23008_2",
        }
    ),
}
"""Attributes of which only the standard's own words are retained (C.7.6.1.1.5)."""

REGIONS = "SequenceOfUltrasoundRegions"
_FRAME_INCREMENTS = {int(Tag(keyword)) for keyword in ("FrameTime", "FrameTimeVector")}
_WHOLE_RANGES = {
    "US": (0, 2**16 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "UL": (0, 2**32 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "IS": (-(2**31), 2**31 - 1),
}

KEYWORDS = (*NUMBERS, *WORDS, REGIONS, "FrameIncrementPointer")
"""All that is retained as it is; what writes the pixels adds what describes them."""


def retain(source: Dataset) -> Dataset:
    """Copy what is retained; a value that is not what its attribute may hold counts as absent.

    Args:
        source: attributes as they came, of which only KEYWORDS are looked at.

    Returns:
        New elements: no byte of the source is copied.
    """
    kept = _copied_numbers(source, NUMBERS)
    for keyword, allowed in WORDS.items():
        found = value_of(source, keyword)
        words = [word for word in ([found] if isinstance(found, str) else found or ()) if word in allowed]  # type: ignore[attr-defined]
        if words:
            setattr(kept, keyword, words)
    pointer = value_of(source, "FrameIncrementPointer")
    if isinstance(pointer, int) and pointer in _FRAME_INCREMENTS:
        kept.FrameIncrementPointer = pointer
    regions = value_of(source, REGIONS)
    if isinstance(regions, Sequence):
        setattr(kept, REGIONS, [_copied_numbers(region, REGION_NUMBERS) for region in regions])
    return kept


def _copied_numbers(source: Dataset, keywords: Iterable[str]) -> Dataset:
    kept = Dataset()
    for keyword in keywords:
        if keyword in source and (values := numbers(source, keyword)):
            representation = dictionary_VR(keyword)
            if representation in _WHOLE_RANGES:
                low, high = _WHOLE_RANGES[representation]
                if not all(value.is_integer() and low <= value <= high for value in values):
                    continue
            made = [_number(value, representation) for value in values]
            kept.add_new(keyword, representation, made if len(made) > 1 else made[0])
    return kept


def _number(value: float, representation: str) -> int | float | DSfloat:
    if representation in _WHOLE_RANGES:
        return int(value)
    return DSfloat(value, auto_format=True) if representation == "DS" else value
