"""The one door: an ultrasound object in, the same cine out with nothing in it that names a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pydicom import uid

from services.acquisition.deidentification.blackening import blackened
from services.acquisition.deidentification.encoders import ENCODERS, FALLBACK
from services.acquisition.deidentification.header import clean_header
from services.acquisition.deidentification.pixel_attributes import describe_loss, describe_pixels
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.acquisition.deidentification.sector_mask import sector_mask
from services.acquisition.deidentification.stored_pixels import open_stored_pixels
from services.acquisition.deidentification.writing import file_chunks
from services.cine.budget import ReadLimits
from services.cine.dicom.attributes import DicomObject, parse
from services.cine.dicom.pixels import RAW_SYNTAXES
from services.cine.dicom.structure import open_structure
from services.cine.errors import EchoplaneError


class Target(Protocol):
    """What is written to, front to back; a file, or less."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


def deidentify(data: bytes | memoryview, target: Target, pseudonyms: Pseudonyms, limits: ReadLimits) -> None:
    """Write an ultrasound object without what names a person.

    Basic Application Level Confidentiality Profile with the Clean Pixel Data Option (PS3.15 E.2, E.3.1). Pixels inside
    the sector are the same, bit for bit, where the transfer syntax loses nothing; where it does, they are what a
    decoder of the original gives, stored as lossless JPEG-LS, and the attributes say that they once were lossy.

    Untrusted bytes are decoded here: it belongs inside the sandbox.

    Args:
        data: the whole file, PS3.10 with or without preamble; may be mapped rather than read.
        target: what is written to, front to back, a frame at a time. After an error throw away what it holds.
        pseudonyms: replace UIDs.
        limits: what the object may cost.

    Raises:
        IdentityRemainsError: burnt-in text cannot be told from echo.
        CineUnreadableError: damaged (one damaged frame is enough), or without what an image must have.
        CineUnsupportedError: no ultrasound image, or of a kind that is not read.
        LimitExceededError: over a limit.
    """
    try:
        for chunk in _clean_chunks(data, pseudonyms, limits):
            target.write(chunk)
    except EchoplaneError as error:
        raise error from None  # what lies behind it may repeat what it could not read


def _clean_chunks(data: bytes | memoryview, pseudonyms: Pseudonyms, limits: ReadLimits) -> Iterator[bytes]:
    mask = sector_mask(data, limits)
    header = clean_header(open_structure(data, limits).elements(limits), pseudonyms, limits)
    found = parse(data, limits)
    rows, columns = mask.inside.shape
    pixels = open_stored_pixels(found, (mask.frame_count, rows, columns), limits)
    syntax = _syntax(found)
    describe_pixels(header, found, pixels, (mask.frame_count, rows, columns))
    if syntax == FALLBACK != found.syntax:
        describe_loss(header, found)
    yield from file_chunks(header, syntax, pixels, blackened(pixels, mask.inside))


def _syntax(found: DicomObject) -> str:
    """Choose the transfer syntax: the same one where it loses nothing."""
    if found.pixels is not None and found.pixels.fragments is None:
        return found.syntax if found.syntax in RAW_SYNTAXES else str(uid.ExplicitVRLittleEndian)
    return found.syntax if found.syntax in ENCODERS else str(FALLBACK)
