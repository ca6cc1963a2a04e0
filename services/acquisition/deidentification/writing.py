"""Writes a clean object as a DICOM file, frame by frame, with a preamble and file meta information of our own."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info

from services.acquisition.deidentification.encoders import ENCODERS
from services.acquisition.deidentification.stored_pixels import StoredPixels
from services.cine.dicom.colour import Samples
from services.cine.errors import LimitExceededError, Reason

IMPLEMENTATION_UID = "2.25.173226953148023519482016529385210773391"
IMPLEMENTATION_NAME = "ECHOPLANE_DEID"
"""Who wrote the file (PS3.7 D.3.3.2): PS3.15 E.1.1 item 7 wants the de-identifying application named there."""

_PREAMBLE = bytes(128) + b"DICM"
_PIXEL_DATA = (0x7FE0, 0x0010)
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_MOST_BYTES = 0xFFFFFFFE  # PS3.5 section 7.1.2: a length of 32 bits, even


def file_chunks(header: Dataset, syntax: str, pixels: StoredPixels, frames: Iterable[Samples]) -> Iterator[bytes]:
    """Give the bytes of the file, piece by piece; at most one frame is held at a time.

    Args:
        header: complete, but for the pixels.
        syntax: Transfer Syntax UID, an uncompressed one or one of ENCODERS.
        pixels: how samples are stored.
        frames: what is stored, each [H, W] or [H, W, 3].

    Raises:
        LimitExceededError: more pixels than an uncompressed object can hold.
    """
    yield _PREAMBLE + _file_meta(header, syntax)
    body = _data_set(header, syntax, pixels, frames)
    yield from _deflated(body) if syntax == uid.DeflatedExplicitVRLittleEndian else body


def _file_meta(header: Dataset, syntax: str) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = uid.UID(syntax)
    meta.ImplementationClassUID = uid.UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    return buffer.getvalue()


def _data_set(header: Dataset, syntax: str, pixels: StoredPixels, frames: Iterable[Samples]) -> Iterator[bytes]:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = syntax == uid.ImplicitVRLittleEndian
    buffer.is_little_endian = syntax != uid.ExplicitVRBigEndian
    write_dataset(buffer, header)
    yield buffer.getvalue()
    yield from _encapsulated(frames, syntax, pixels) if syntax in ENCODERS else _native(header, syntax, pixels, frames)


def _encapsulated(frames: Iterable[Samples], syntax: str, pixels: StoredPixels) -> Iterator[bytes]:
    """Put each frame into a fragment of its own, behind an empty offset table (PS3.5 A.4)."""
    form = pixels.form
    depth_bits = form.allocated_bits if form.is_signed else form.stored_bits
    yield struct.pack("<HH2sHI", *_PIXEL_DATA, b"OB", 0, _UNDEFINED) + struct.pack("<HHI", *_ITEM, 0)
    for frame in frames:
        data = ENCODERS[syntax](frame, depth_bits)
        data += bytes(len(data) % 2)
        yield struct.pack("<HHI", *_ITEM, len(data))
        yield data
    yield struct.pack("<HHI", *_SEQUENCE_END, 0)


def _native(header: Dataset, syntax: str, pixels: StoredPixels, frames: Iterable[Samples]) -> Iterator[bytes]:
    """Put all frames one behind the other (PS3.5 section 8.2), samples and their order as they came."""
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    samples = 2 if pixels.has_halved_chroma else pixels.samples_per_pixel
    size = header.NumberOfFrames * header.Rows * header.Columns * samples * pixels.form.allocated_bits // 8
    if size > _MOST_BYTES:
        raise LimitExceededError(
            Reason.LIMIT_BYTES,
            found=f"{size} bytes of pixels",
            expected=f"at most {_MOST_BYTES}, as many as an uncompressed object can hold (PS3.5 section 7.1.2)",
            advice="Send a shorter or compressed cine.",
        )
    length = size + size % 2
    if syntax == uid.ImplicitVRLittleEndian:
        yield struct.pack("<HHI", *_PIXEL_DATA, length)
    else:
        representation = b"OB" if pixels.form.allocated_bits == 8 else b"OW"
        yield struct.pack(f"{order}HH2sHI", *_PIXEL_DATA, representation, 0, length)
    is_planar = header.get("PlanarConfiguration", 0) == 1
    for frame in frames:
        yield _laid_out(frame, pixels.has_halved_chroma, is_planar).astype(f"{order}u{frame.itemsize}").tobytes()
    yield bytes(size % 2)


def _laid_out(frame: Samples, has_halved_chroma: bool, is_planar: bool) -> Samples:
    if has_halved_chroma:  # two lumas, then the chroma of both (PS3.3 C.7.6.3.1.2)
        groups = frame.reshape(len(frame), -1, 2, 3)  # [H, W, 3] -> [H, W/2, 2, 3]
        return np.concatenate([groups[..., 0], groups[:, :, 0, 1:]], axis=2)
    return frame.transpose(2, 0, 1) if is_planar else frame  # [H, W, C] -> [C, H, W]


def _deflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Deflate without a header, padded to an even length (PS3.5 A.5)."""
    encoder, size = zlib.compressobj(wbits=-zlib.MAX_WBITS), 0
    for chunk in chunks:
        packed = encoder.compress(chunk)
        size += len(packed)
        yield packed
    last = encoder.flush()
    yield last + bytes((size + len(last)) % 2)
