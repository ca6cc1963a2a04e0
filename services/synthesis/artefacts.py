"""One image as a file: PNG or DICOM, marked synthetic in its metadata; the same bytes for the same seed and model."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from services.cine.cine import UInt8Array
from services.models.repository import ModelIdentity
from services.synthesis.plan import ImageFormat, Unit

NOTICE = "Synthetic echocardiogram, made by a model. It shows nobody. Not for diagnosis."
"""Stands in every file."""

_PNG_START_BYTES = 33
"""Signature and IHDR chunk (PNG, third edition, section 5): text may come right after them."""

_CORNER = (1, 110)
_CORNER_SCALE = 0.3
_WORD = "SYNTHETIC"


@dataclass(frozen=True)
class Artefact:
    """One file.

    Attributes:
        data: all of it.
        sha256: of it, hexadecimal.
    """

    data: bytes
    sha256: str


def write_image(frame: UInt8Array, unit: Unit, model: ModelIdentity, image_format: ImageFormat) -> Artefact:
    """Write one image.

    Args:
        frame: [H, W] of 0..255.
        unit: what it shows; only its view, style and seed go into the file.
        model: that made it.
        image_format: of the file.
    """
    write = _write_dicom if image_format is ImageFormat.DICOM else _write_png
    data = write(frame, unit, model)
    return Artefact(data, hashlib.sha256(data).hexdigest())


def _write_png(frame: UInt8Array, unit: Unit, model: ModelIdentity) -> bytes:
    plain = cv2.imencode(".png", frame)[1].tobytes()
    texts = {"Title": f"Synthetic {unit.cell.view}", "Disclaimer": NOTICE, "Source": _words(unit, model)}
    chunks = b"".join(_text_chunk(key, value) for key, value in texts.items())
    return plain[:_PNG_START_BYTES] + chunks + plain[_PNG_START_BYTES:]


def _text_chunk(key: str, value: str) -> bytes:
    """Write a tEXt chunk (PNG, third edition, section 11.3.3.2)."""
    body = b"tEXt" + key.encode("latin-1") + b"\0" + value.encode("latin-1", "replace")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _write_dicom(frame: UInt8Array, unit: Unit, model: ModelIdentity) -> bytes:
    """Write a secondary capture (PS3.3 section A.8.1) of no patient, at no time."""
    pixels = _with_word(frame)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(model.sha256, _cell_words(unit), str(unit.seed))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta = meta
    for keyword, value in (_whose(unit, model) | _what(unit, model, pixels)).items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, meta.MediaStorageSOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _whose(unit: Unit, model: ModelIdentity) -> dict[str, object]:
    """Give patient, study and series: nobody, all images of these weights, all images of one view and style."""
    unknown = (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
    )
    return dict.fromkeys(unknown, "") | {
        "ReferringPhysicianName": "",
        "StudyID": "",
        "StudyInstanceUID": _uid(model.sha256),
        "SeriesInstanceUID": _uid(model.sha256, _cell_words(unit)),
        "SeriesNumber": None,
        "InstanceNumber": None,
        "Modality": "US",
        "SeriesDescription": f"SYNTHETIC {unit.cell.view}",
        "Manufacturer": "Echoplane",
        "ManufacturerModelName": model.name,
        "SoftwareVersions": model.sha256,
    }


def _what(unit: Unit, model: ModelIdentity, pixels: UInt8Array) -> dict[str, object]:
    """Give the picture, and that it is made up (PS3.3 sections C.8.6.1, C.12.1, C.7.6.3)."""
    return {
        "ImageType": ["DERIVED", "SECONDARY"],
        "ConversionType": "SYN",
        "SyntheticData": "YES",
        "BurnedInAnnotation": "NO",  # none that names a patient or a date
        "PatientOrientation": "",
        "DerivationDescription": NOTICE,
        "ImageComments": _words(unit, model),
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
    }


def _with_word(frame: UInt8Array) -> UInt8Array:
    """Write the word over the lower left corner, on black: a picture taken off a screen loses its metadata."""
    marked = np.ascontiguousarray(frame).copy()
    (width, height), below = cv2.getTextSize(_WORD, cv2.FONT_HERSHEY_SIMPLEX, _CORNER_SCALE, 1)
    left, bottom = _CORNER
    marked[bottom - height - 1 : bottom + below, : left + width + 1] = 0
    cv2.putText(marked, _WORD, _CORNER, cv2.FONT_HERSHEY_SIMPLEX, _CORNER_SCALE, 255, 1)
    return np.asarray(marked, np.uint8)


def _words(unit: Unit, model: ModelIdentity) -> str:
    return f"view={unit.cell.view} style={unit.cell.style} seed={unit.seed} model={model.name} sha256={model.sha256}"


def _cell_words(unit: Unit) -> str:
    return f"{unit.cell.view}/{unit.cell.style}"


def _uid(*words: str) -> UID:
    """Derive a UID from words (PS3.5 section B.2): the same image has the same wherever it is made."""
    digest = hashlib.sha256("/".join(words).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16])}")
