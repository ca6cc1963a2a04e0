"""Divides a file into the parts its format is made of, and writes parts as a file again, with lengths that fit or lie.

Only sound seeds are divided, so nothing here is careful. Whatever is not known to have an inside is one piece of bytes.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from pydicom import uid

from tests.fuzz.seeds import Grammar

Wrap = Callable[[bytes, int], bytes]
"""Puts a part's head, its length (true or not) and its tail around its bytes."""

_UNDEFINED = 0xFFFFFFFF


def bare(body: bytes, length: int) -> bytes:
    """Wrap nothing around."""
    return body


@dataclass
class Part:
    """A piece of a file.

    Attributes:
        body: its bytes, where it has no parts inside.
        inside: the parts it is made of.
        wrap: what is around them.
        lie: length that is claimed instead of the true one.
    """

    body: bytes = b""
    inside: list[Part] = field(default_factory=list)
    wrap: Wrap = bare
    lie: int | None = None

    def write(self) -> bytes:
        """Give its bytes."""
        whole = b"".join(part.write() for part in self.inside) if self.inside else self.body
        return self.wrap(whole, len(whole) if self.lie is None else self.lie)

    def walk(self) -> Iterator[tuple[list[Part], int]]:
        """Go through all parts below: the list each stands in, and where."""
        for index, part in enumerate(self.inside):
            yield self.inside, index
            yield from part.walk()


def divide(data: bytes, grammar: Grammar) -> Part:
    """Divide a sound file."""
    return Part(inside=_DIVIDERS[grammar](data))


# ---- DICOM (PS3.5 section 7) ----------------------------------------------------------------------------------------

_LONG = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UT", b"UC", b"UR"}


@dataclass(frozen=True)
class _Dialect:
    order: str
    is_explicit: bool


def _dicom(data: bytes) -> list[Part]:
    at = 132  # preamble and DICM; then group 0002, always explicit little endian
    while data[at : at + 2] == b"\x02\x00":
        at += 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    syntax = data[data.index(b"UI", 132) + 4 : at].rstrip(b"\0").decode()  # the only element that pydicom put there
    dialect = _Dialect(">" if syntax == uid.ExplicitVRBigEndian else "<", syntax != uid.ImplicitVRLittleEndian)
    meta = [Part(data[:132]), *_elements(data[132:at], _Dialect("<", True))]
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        return [*meta, Part(inside=_elements(zlib.decompress(data[at:], -15), dialect), wrap=_deflated)]
    return [*meta, *_elements(data[at:], dialect)]


def _deflated(body: bytes, length: int) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(body) + packer.flush()
    return packed + bytes(len(packed) % 2)


def _elements(data: bytes, dialect: _Dialect) -> list[Part]:
    found, at = [], 0
    while at < len(data):
        is_long = not dialect.is_explicit or data[at + 4 : at + 6] in _LONG
        head_end = at + (8 if is_long and dialect.is_explicit else 4 if is_long else 6)
        width = 4 if is_long else 2
        (length,) = struct.unpack_from(dialect.order + ("I" if is_long else "H"), data, head_end)
        head, start = data[at:head_end], head_end + width
        end = len(data) - 8 if length == _UNDEFINED else start + length  # only the pixels, the last, are undefined
        wrap = partial(_undefined if length == _UNDEFINED else _sized, head, dialect.order + "HI"[width == 4])
        has_items = data[start : start + 4] == struct.pack(dialect.order + "HH", 0xFFFE, 0xE000)
        inside = _items(data[start:end], dialect, is_pixels=length == _UNDEFINED) if has_items else []
        found.append(Part(data[start:end], inside, wrap))
        at = end + 8 * (length == _UNDEFINED)
    return found


def _items(data: bytes, dialect: _Dialect, is_pixels: bool) -> list[Part]:
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from(dialect.order + "I", data, at + 4)
        body = data[at + 8 : at + 8 + length]
        inside = _segments(body) if is_pixels else _elements(body, dialect)
        found.append(Part(body, inside, partial(_sized, data[at : at + 4], dialect.order + "I")))
        at += 8 + length
    return found


def _sized(head: bytes, number: str, body: bytes, length: int) -> bytes:
    return head + _packed(number, length) + body


def _undefined(head: bytes, number: str, body: bytes, length: int) -> bytes:
    claimed = _UNDEFINED if length == len(body) else length
    return head + _packed(number, claimed) + body + b"\xfe\xff\xdd\xe0\0\0\0\0"


def _packed(number: str, value: int) -> bytes:
    return struct.pack(number, value % (1 << 8 * struct.calcsize(number)))


# ---- JPEG, JPEG lossless, JPEG-LS, JPEG 2000 (ITU-T T.81 annex B, T.87 annex C, T.800 annex A) ----------------------


def _segments(data: bytes) -> list[Part]:
    if data[:2] not in (b"\xff\xd8", b"\xff\x4f"):
        return []
    found, at = [Part(data[:2])], 2
    while data[at : at + 1] == b"\xff" and data[at + 1] not in (0xD9, 0x93):  # end of image, start of data
        marker, end = data[at : at + 2], at + 2 + int.from_bytes(data[at + 2 : at + 4])
        found.append(Part(data[at + 4 : end], wrap=partial(_segment, marker)))
        at = end
        if marker == b"\xff\xda":
            at = _scan_end(data, end)
            found.append(Part(data[end:at]))
    return [*found, Part(data[at:])]


def _scan_end(data: bytes, at: int) -> int:
    while data[at] != 0xFF or data[at + 1] < 0xC0 or 0xD0 <= data[at + 1] <= 0xD7:
        at += 1
    return at


def _segment(marker: bytes, body: bytes, length: int) -> bytes:
    return marker + _packed(">H", length + 2) + body


# ---- RIFF, ISO boxes (ISO/IEC 14496-12), EBML (RFC 8794) ------------------------------------------------------------


def _riff(data: bytes) -> list[Part]:
    found, at = [], 0
    while at < len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + length]
        inside = [Part(body[:4]), *_riff(body[4:])] if name in (b"RIFF", b"LIST") and body[:4] != b"INFO" else []
        found.append(Part(body, inside, partial(_chunk, name)))
        at += 8 + length + length % 2
    return found


def _chunk(name: bytes, body: bytes, length: int) -> bytes:
    return name + _packed("<I", length) + body + bytes(len(body) % 2)


_BOX_PREFIX = dict.fromkeys(
    (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"udta", b"mvex", b"moof"), 0
)
_BOX_PREFIX |= {b"meta": 4, b"stsd": 8, b"dref": 8, b"avc1": 78, b"hev1": 78, b"hvc1": 78, b"jpeg": 78}
"""Boxes with boxes inside, and the bytes before those."""


def _boxes(data: bytes) -> list[Part]:
    found, at = [], 0
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + length]
        inside: list[Part] = []
        if (prefix := _BOX_PREFIX.get(name)) is not None:
            inside = [*([Part(body[:prefix])] if prefix else []), *_boxes(body[prefix:])]
        found.append(Part(body, inside, partial(_box, name)))
        at += length
    return [*found, Part(data[at:])] if at < len(data) else found


def _box(name: bytes, body: bytes, length: int) -> bytes:
    return _packed(">I", length + 8) + name + body


_EBML_MASTERS = frozenset(
    bytes.fromhex(name)
    for name in (
        *("1a45dfa3", "18538067", "114d9b74", "4dbb", "1549a966", "1654ae6b", "ae", "e0", "55b0"),
        *("1f43b675", "1c53bb6b", "bb", "b7", "1254c367", "7373", "63c0", "67c8"),
    )
)


def _ebml(data: bytes) -> list[Part]:
    found, at = [], 0
    while at < len(data):
        name = data[at : at + _vint_width(data[at])]
        start = at + len(name)
        width = _vint_width(data[start])
        length = int.from_bytes(data[start : start + width]) - (1 << 7 * width)
        body = data[start + width : start + width + length]
        found.append(Part(body, _ebml(body) if name in _EBML_MASTERS else [], partial(_ebml_element, name, width)))
        at = start + width + length
    return found


def _vint_width(first: int) -> int:
    return 9 - first.bit_length()


def _ebml_element(name: bytes, width: int, body: bytes, length: int) -> bytes:
    width = width if 0 <= length < (1 << 7 * width) - 1 else 8
    return name + ((1 << 7 * width) + length % (1 << 7 * width)).to_bytes(width) + body


# ---- GIF89a, PNG, MetaImage, NIfTI, gzip ----------------------------------------------------------------------------


def _gif(data: bytes) -> list[Part]:
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    found = [Part(data[:6]), Part(data[6:13]), Part(data[13:at])]
    while data[at] != 0x3B:
        start = at
        if data[at] == 0x2C:
            at += 11 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
        else:
            at += 2
        blocks = [Part(data[start:at])]
        while data[at]:
            blocks.append(Part(data[at + 1 : at + 1 + data[at]], wrap=_sub_block))
            at += 1 + data[at]
        at += 1
        found.append(Part(inside=[*blocks, Part(b"\0")]))
    return [*found, Part(data[at:])]


def _sub_block(body: bytes, length: int) -> bytes:
    return _packed("<B", length) + body


def _png(data: bytes) -> list[Part]:
    found, at = [Part(data[:8])], 8
    while at < len(data):
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        found.append(Part(data[at + 8 : at + 8 + length], wrap=partial(_png_chunk, name)))
        at += 12 + length
    return found


def _png_chunk(name: bytes, body: bytes, length: int) -> bytes:
    return _packed(">I", length) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _lines(data: bytes) -> list[Part]:
    start = data.index(b"LOCAL\n") + 6
    return [*(Part(line) for line in data[:start].splitlines(keepends=True)), Part(data[start:])]


def _nifti(data: bytes) -> list[Part]:
    is_first = int.from_bytes(data[:4], "little") == 348
    if not is_first:  # NIfTI-2: header size, magic, then fields of 8 bytes; all of them may be cut as such
        return _cut(data, [4, 8, 2, 2, *[8] * 31, 80, 24, 4, 4, *[8] * 6, 4, 4, 4, 4, 16, 1, 15])
    return _cut(
        data, [4, 36, *[2] * 8, *[4] * 3, *[2] * 4, *[4] * 11, 2, 1, 1, *[4] * 6, 80, 24, 2, 2, *[4] * 18, 16, 4]
    )


def _cut(data: bytes, widths: Sequence[int]) -> list[Part]:
    found, at = [], 0
    for width in widths:
        found.append(Part(data[at : at + width]))
        at += width
    return [*found, Part(data[at:])]


def _gzipped_nifti(data: bytes) -> list[Part]:
    return [Part(inside=_nifti(gzip.decompress(data)), wrap=lambda body, length: gzip.compress(body, mtime=0))]


_DIVIDERS: dict[Grammar, Callable[[bytes], list[Part]]] = {
    Grammar.DICOM: _dicom,
    Grammar.RIFF: _riff,
    Grammar.BOXES: _boxes,
    Grammar.EBML: _ebml,
    Grammar.GIF: _gif,
    Grammar.PNG: _png,
    Grammar.JPEG: _segments,
    Grammar.LINES: _lines,
    Grammar.NIFTI: _nifti,
    Grammar.GZIPPED_NIFTI: _gzipped_nifti,
}
