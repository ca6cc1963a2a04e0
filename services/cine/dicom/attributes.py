"""Gives the attributes that a cine needs as plain values; a damaged one is an error or counts as absent."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from pydicom import config, uid
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

from services.cine.budget import ReadLimits
from services.cine.dicom.structure import PIXEL_DATA, Element, open_structure
from services.cine.errors import CineUnreadableError, Reason

_WANTED_KEYWORDS = (
    "SOPClassUID",
    "Modality",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "WindowCenter",
    "WindowWidth",
    "RescaleSlope",
    "RescaleIntercept",
    *(
        f"{kind}{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for kind, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
    ),
    "FloatPixelData",
    "DoubleFloatPixelData",
    "ExtendedOffsetTable",
    "FrameTime",
    "FrameTimeVector",
    "CineRate",
    "RecommendedDisplayFrameRate",
    "SequenceOfUltrasoundRegions",
)  # no patient attribute is ever converted
_WANTED = {tag_for_keyword(keyword) for keyword in _WANTED_KEYWORDS}
_FLOATS = {tag_for_keyword("FloatPixelData"), tag_for_keyword("DoubleFloatPixelData")}

config.settings.reading_validation_mode = config.IGNORE  # pydicom logs what it finds invalid, word for word


@dataclass(frozen=True)
class DicomObject:
    """The attributes of an object that a cine needs, and its pixels.

    Attributes:
        syntax: Transfer Syntax UID.
        sop_class: what kind of object it says it is, a UID; empty where it says nothing.
        attributes: converted from bytes when they are asked for.
        pixels: Pixel Data as it is stored, None where there is none.
    """

    syntax: str
    sop_class: str
    attributes: Dataset
    pixels: Element | None


def parse(data: bytes | memoryview, limits: ReadLimits) -> DicomObject:
    """Parse the attributes that a cine needs.

    Raises:
        CineUnreadableError: no DICOM, damaged, or cut short.
        LimitExceededError: over a limit.
    """
    structure, pixels = open_structure(data, limits), None
    kept: dict[BaseTag, DataElement | RawDataElement] = {}
    for element in structure.elements(limits):
        if element.tag == PIXEL_DATA:
            pixels = element
        elif element.tag in _WANTED:
            kept[Tag(element.tag)] = raw_element(element, limits)
    attributes = Dataset(kept)
    sop_class = text(attributes, "SOPClassUID") or structure.media_class
    return DicomObject(structure.syntax, sop_class, attributes, pixels)


def raw_element(element: Element, limits: ReadLimits) -> RawDataElement:
    """Give an element to pydicom, which converts it when it is asked for.

    Raises:
        LimitExceededError: it is too long.
    """
    is_float = element.tag in _FLOATS
    limits.check_text(0 if is_float else len(element.value))
    value = b"" if is_float else bytes(element.value)  # that there are any is all one needs to know
    if element.representation == "OW" and not element.encoding.is_little:  # pydicom leaves words as they are
        value = np.frombuffer(value[: len(value) // 2 * 2], np.uint16).byteswap().tobytes()
    return RawDataElement(Tag(element.tag), element.representation or None, len(value), value, 0, *element.encoding)


def known_name(identifier: str) -> str:
    """Give the name that PS3.6 has for a UID; one that is not there is text from the input and is not repeated."""
    name = str(uid.UID(identifier, validation_mode=config.IGNORE).name)
    return "of a kind that DICOM does not list" if name == identifier else name


def whole_number(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """Give an attribute that must be there, or have a default, as a number from 0.

    Raises:
        CineUnreadableError: it is neither.
    """
    value = value_of(dataset, keyword)
    try:
        number = default if value is None and default is not None else int(value)  # type: ignore[call-overload]
        if number < 0:
            raise ValueError("negative")
        return int(number)
    except (TypeError, ValueError, OverflowError) as error:  # of the wrong kind, empty, or multiple
        raise CineUnreadableError(
            Reason.HEADER_DAMAGED,
            found=f"no usable {keyword}",
            expected="a whole number (PS3.3 C.7.6.3, Image Pixel Module)",
            advice="Send the original file again.",
        ) from error


def text(dataset: Dataset, keyword: str) -> str:
    """Give an attribute as text, empty where it is absent or damaged."""
    value = value_of(dataset, keyword)
    return value if isinstance(value, str) else ""


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Give the finite values of a numeric attribute, none where it is absent or damaged."""
    value = value_of(dataset, keyword)
    try:
        found = [float(item) for item in (value if isinstance(value, MultiValue | list) else [value])]  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return []
    return found if np.isfinite(found).all() else []


def value_of(dataset: Dataset, keyword: str) -> object:
    """Give the value of an attribute, None where it is absent or damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dataset.get(keyword)
    except Exception:  # pydicom converts at first use and raises almost anything
        return None
