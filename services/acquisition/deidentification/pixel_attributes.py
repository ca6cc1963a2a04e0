"""Describes the pixels of the clean object: what its samples are, and that some of them once were lossy."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from services.acquisition.deidentification.stored_pixels import StoredPixels
from services.cine.dicom.attributes import DicomObject, whole_number
from services.cine.dicom.colour import Palette
from services.cine.dicom.pixels import VIDEO_SYNTAXES

_MAY_BE_LOSSLESS: dict[str, str] = {
    uid.JPEGLSNearLossless: "ISO_14495_1",
    uid.JPEG2000: "ISO_15444_1",
    uid.HTJ2K: "ISO_15444_15",
}
"""Syntaxes under which an object may have lost nothing, and the method where it has (PS3.3 C.7.6.1.1.5.1)."""

_MPEG_2, _H264 = ("100", "101"), ("102", "103", "104", "105", "106")  # last part of their UIDs


def describe_pixels(header: Dataset, found: DicomObject, pixels: StoredPixels, shape: tuple[int, int, int]) -> None:
    """Add what describes the samples (PS3.3 C.7.6.3, Image Pixel Module).

    Args:
        header: of the clean object.
        found: the object as it came.
        pixels: its samples.
        shape: T, H and W.
    """
    form = pixels.form
    header.NumberOfFrames, header.Rows, header.Columns = shape
    header.SamplesPerPixel = pixels.samples_per_pixel
    header.PhotometricInterpretation = form.interpretation
    if pixels.samples_per_pixel == 3:
        is_native = found.pixels is not None and found.pixels.fragments is None
        header.PlanarConfiguration = int(is_native and whole_number(found.attributes, "PlanarConfiguration", 0) == 1)
    header.BitsAllocated, header.BitsStored = form.allocated_bits, form.stored_bits
    header.HighBit = form.shift_bits + form.stored_bits - 1
    header.PixelRepresentation = int(form.is_signed)
    if isinstance(pixels.colours, Palette):
        _add_palette(header, pixels.colours, pixels, "big" if found.syntax == uid.ExplicitVRBigEndian else "little")


def _add_palette(header: Dataset, palette: Palette, pixels: StoredPixels, order: Literal["big", "little"]) -> None:
    """Write the colours of all values anew (C.7.6.3.1.5), so that nothing hides in tables longer than they say."""
    form = pixels.form
    count = 2**form.stored_bits
    values = np.arange(form.lowest, form.lowest + count)
    colours = palette.colours[(values & (count - 1)) << form.shift_bits].astype(np.uint16) * 257  # 8 bits to 16
    words = colours.astype(colours.dtype.newbyteorder(order))
    representation, kind = ("SS", np.int16) if form.is_signed else ("US", np.uint16)
    descriptor = np.array([count, form.lowest, 16]).astype(kind).tolist()  # 2**16 entries are written as 0
    for channel, name in enumerate(("Red", "Green", "Blue")):
        header.add_new(f"{name}PaletteColorLookupTableDescriptor", representation, descriptor)
        header.add_new(f"{name}PaletteColorLookupTableData", "OW", words[:, channel].tobytes())


def describe_loss(header: Dataset, found: DicomObject) -> None:
    """Say that the pixels were compressed with loss, even though they are not any more (C.7.6.1.1.5).

    Args:
        header: of the clean object, pixels described.
        found: the object as it came, in a syntax that may have lost something.
    """
    if found.syntax in _MAY_BE_LOSSLESS and header.get("LossyImageCompression") == "00":
        return
    header.LossyImageCompression = "01"
    if "LossyImageCompressionMethod" not in header:
        header.LossyImageCompressionMethod = _MAY_BE_LOSSLESS.get(found.syntax) or _method(found.syntax)
    if "LossyImageCompressionRatio" not in header and found.pixels is not None:
        samples = header.NumberOfFrames * header.Rows * header.Columns * header.SamplesPerPixel
        stored_bytes = sum(len(fragment) for fragment in (found.pixels.fragments or ())[1:])
        ratio = samples * header.BitsAllocated / 8 / max(1, stored_bytes)
        header.LossyImageCompressionRatio = DSfloat(round(ratio, 2))


def _method(syntax: str) -> str:
    """Name the method of what always loses something: JPEG and video."""
    if syntax not in VIDEO_SYNTAXES:
        return "ISO_10918_1"
    number = syntax.removesuffix(".1").rsplit(".", 1)[1]
    return "ISO_13818_2" if number in _MPEG_2 else "ISO_14496_10" if number in _H264 else "ISO_23008_2"
