"""Parses a DICOM object and gives its attributes as plain values; a damaged one is an error or counts as absent."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from services.cine.budget import out_of_memory
from services.cine.errors import CineUnreadableError, InputError, Reason

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


def parse(data: bytes | memoryview) -> Dataset:
    """Parse the attributes that a cine needs.

    Raises:
        CineUnreadableError: no DICOM, or cut short.
        LimitExceededError: it claims more than memory holds.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what pydicom warns of shows in what it returns
            dataset = pydicom.dcmread(io.BytesIO(data), force=True, specific_tags=list(_WANTED_TAGS))
        if dataset:
            return dataset
        if dataset.file_meta:  # pydicom drops everything it has read when encapsulated pixels end too early
            raise damaged_pixels("a DICOM object that ends before its pixels do")
        raise InvalidDicomError
    except InputError:
        raise
    except MemoryError as error:
        raise out_of_memory() from error
    except Exception as error:  # pydicom raises almost anything on damaged headers; this process holds one cine only
        raise CineUnreadableError(
            Reason.HEADER_DAMAGED,
            found=f"a DICOM header that cannot be parsed ({type(error).__name__})",
            expected="a DICOM object as PS3.10 describes it",
            advice="Send the original file again.",
        ) from error


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


def damaged_pixels(found: str) -> CineUnreadableError:
    """Make the error of pixels that are not as many, or not as whole, as the header says."""
    return CineUnreadableError(
        Reason.PIXELS_DAMAGED,
        found=found,
        expected="as many whole frames as the header says",
        advice="The file is cut short or damaged; send the original again.",
    )
