"""DICOM bombs: fragments, offset tables and palettes that lie (PS3.5 A.4, PS3.3 C.7.6.3.1.5)."""

from __future__ import annotations

import struct

from pydicom.encaps import encapsulate_extended

from tests.builders import dicom_bytes, jpeg_bytes
from tests.fuzz.raw_dicom import encapsulated, item
from tests.fuzz.seeds import FRAMES

_JPEGS = [jpeg_bytes(frame) for frame in FRAMES]


# ---- fragments and offset tables ------------------------------------------------------------------------------------


def offsets_outside() -> bytes:
    """A Basic Offset Table that points beyond the pixels."""
    table = struct.pack("<12I", *[2**31 + 8 * n for n in range(12)])
    return encapsulated(item(table) + b"".join(map(item, _JPEGS)))


def offsets_negative() -> bytes:
    """A Basic Offset Table of minus ones."""
    return encapsulated(item(b"\xff" * 48) + b"".join(map(item, _JPEGS)))


def offsets_overlap() -> bytes:
    """A Basic Offset Table in which all frames begin at the same place."""
    return encapsulated(item(bytes(48)) + b"".join(map(item, _JPEGS)))


def offsets_fall() -> bytes:
    """A Basic Offset Table from the last to the first."""
    return encapsulated(item(struct.pack("<12I", *range(2_200, -1, -200))) + b"".join(map(item, _JPEGS)))


def offset_table_of_a_million() -> bytes:
    """A Basic Offset Table with a million entries."""
    return encapsulated(item(bytes(4_000_000)) + b"".join(map(item, _JPEGS)))


def extended_offsets_lie() -> bytes:
    """An Extended Offset Table of 64-bit lies."""
    _, _, lengths = encapsulate_extended(_JPEGS)
    lie = struct.pack("<12Q", *[2**63 + n for n in range(12)])
    return dicom_bytes(FRAMES, "jpeg", fragments=_JPEGS, ExtendedOffsetTable=lie, ExtendedOffsetTableLengths=lengths)


def extended_lengths_lie() -> bytes:
    """Extended Offset Table Lengths of 2^64 - 1."""
    _, offsets, _ = encapsulate_extended(_JPEGS)
    return dicom_bytes(
        FRAMES, "jpeg", ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=b"\xff" * 8 * 12, fragments=_JPEGS
    )


def hundred_thousand_empty_fragments() -> bytes:
    """100,000 fragments of no bytes."""
    return encapsulated(item(b"") * 100_000)


def fragment_of_4_gigabytes() -> bytes:
    """A fragment that claims 4 GiB."""
    return encapsulated(item(b"") + item(_JPEGS[0], 0xFFFFFFF0))


def fragments_without_end() -> bytes:
    """Fragments, and no delimiter."""
    return encapsulated(item(b"") + b"".join(map(item, _JPEGS)))[:-8]


def fragments_of_fragments() -> bytes:
    """A fragment that is itself an encapsulated item, 10,000 times."""
    body = _JPEGS[0]
    for _ in range(10_000):
        body = item(body[-200:], 2**31)
    return encapsulated(item(b"") + item(body))


def one_byte_fragments() -> bytes:
    """Each byte of a JPEG in a fragment of its own."""
    return encapsulated(item(b"") + b"".join(item(bytes([byte])) for jpeg in _JPEGS for byte in jpeg))


# ---- palettes -------------------------------------------------------------------------------------------------------


def _palette(descriptor: list[int], data: bytes) -> bytes:
    tables = {}
    for colour in ("Red", "Green", "Blue"):
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = descriptor
        tables[f"{colour}PaletteColorLookupTableData"] = data
    return dicom_bytes(FRAMES, photometric="PALETTE COLOR", **tables)


def palette_of_65536_that_is_empty() -> bytes:
    """A palette of 0 entries, which means 65,536, with two bytes."""
    return _palette([0, 0, 16], b"\0\0")


def palette_begins_at_65535() -> bytes:
    """A palette whose first index is the largest."""
    return _palette([256, 65_535, 8], bytes(256))


def palette_of_255_bits() -> bytes:
    """A palette of 255 bits an entry."""
    return _palette([256, 0, 255], bytes(256))


def palette_of_one_number() -> bytes:
    """A palette descriptor of one value, where three belong."""
    return _palette([256], bytes(256))


def palette_that_is_not_there() -> bytes:
    """PALETTE COLOR without a palette."""
    return dicom_bytes(FRAMES, photometric="PALETTE COLOR")
