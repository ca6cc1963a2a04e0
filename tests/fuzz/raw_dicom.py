"""Writes DICOM element by element, true or not: pydicom would refuse to write most of it (PS3.5 section 7)."""

from __future__ import annotations

import struct

from pydicom import uid

from tests.fuzz.seeds import FRAMES

LITTLE = "1.2.840.10008.1.2.1"
UNDEFINED = 0xFFFFFFFF
_LONG = ("OB", "OW", "SQ", "UN", "UT", "UC")
DELIMITERS = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"


def element(tag: int, kind: str, body: bytes, length: int | None = None) -> bytes:
    """Write one explicit little endian element, its length true unless given."""
    claimed = len(body) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + kind.encode()
    return head + (bytes(2) + struct.pack("<I", claimed) if kind in _LONG else struct.pack("<H", claimed)) + body


def dicom_file(elements: bytes, syntax: str = LITTLE) -> bytes:
    """Write preamble, file meta information and elements as they are."""
    name = syntax.encode() + bytes(len(syntax) % 2)
    return bytes(128) + b"DICM" + element(0x00020010, "UI", name) + elements


def image_elements(**changed: bytes) -> dict[int, bytes]:
    """Give the elements of a sound image, by tag; `t00280010=b"..."` stands for another."""
    number = struct.pack
    elements = {
        0x00080060: element(0x00080060, "CS", b"US"),
        0x00181063: element(0x00181063, "DS", b"40"),
        0x00280002: element(0x00280002, "US", number("<H", 1)),
        0x00280004: element(0x00280004, "CS", b"MONOCHROME2 "),
        0x00280008: element(0x00280008, "IS", b"12"),
        0x00280010: element(0x00280010, "US", number("<H", 48)),
        0x00280011: element(0x00280011, "US", number("<H", 64)),
        0x00280100: element(0x00280100, "US", number("<H", 8)),
        0x7FE00010: element(0x7FE00010, "OB", FRAMES.tobytes()),
    }
    elements |= {int(name[1:], 16): written for name, written in changed.items()}
    return dict(sorted(elements.items()))


def dicom_with(tag: int, kind: str, body: bytes, length: int | None = None, syntax: str = LITTLE) -> bytes:
    """Write a sound image in which one element is another."""
    return dicom_file(b"".join(image_elements(**{f"t{tag:08x}": element(tag, kind, body, length)}).values()), syntax)


def encapsulated(pixels: bytes, syntax: str = uid.JPEGBaseline8Bit) -> bytes:
    return dicom_with(0x7FE00010, "OB", pixels + DELIMITERS[8:], UNDEFINED, syntax)


def item(body: bytes, length: int | None = None) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(body) if length is None else length) + body
