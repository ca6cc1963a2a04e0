"""Walks the elements of a DICOM object (PS3.5 section 7) without recursion and within limits.

pydicom recurses into nested sequences, inflates without bound and drops pixels that are cut short without a word; so
the walk is ours, and pydicom only converts the few values that are kept.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pydicom import uid

from services.cine.budget import ReadLimits
from services.cine.errors import CineUnreadableError, Reason

PIXEL_DATA = 0x7FE00010

_PREAMBLE_BYTES = 128
_META_GROUP = b"\x02\x00"
_TRANSFER_SYNTAX, _MEDIA_CLASS = 0x00020010, 0x00020002
_DELIMITERS = 0xFFFE
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_ZLIB = b"\x78"  # deflate with a window of 32 KiB (RFC 1950 section 2.2)
_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""Value representations whose length has 32 bits (PS3.5 table 7.1-1)."""


class Encoding(NamedTuple):
    """How elements are written (PS3.5 section 7.1, 7.3)."""

    is_implicit: bool
    is_little: bool


_META = Encoding(is_implicit=False, is_little=True)
_UNKNOWN = Encoding(is_implicit=True, is_little=True)  # inside UN of undefined length (PS3.5 section 6.2.2)


class Element(NamedTuple):
    """One attribute.

    Attributes:
        tag: group and element number.
        representation: VR; empty where it is implicit.
        value: its bytes; of a sequence its items.
        fragments: of encapsulated pixels, the offset table first (PS3.5 A.4); otherwise None.
        encoding: how it is written.
    """

    tag: int
    representation: str
    value: memoryview
    fragments: tuple[memoryview, ...] | None
    encoding: Encoding


class _Header(NamedTuple):
    tag: int
    representation: str
    length: int
    value_at: int

    @property
    def is_endless(self) -> bool:
        return self.length == _UNDEFINED

    @property
    def holds_fragments(self) -> bool:
        return self.is_endless and (self.tag == PIXEL_DATA or self.representation not in ("SQ", "UN", ""))


class _Open(NamedTuple):
    """A sequence or an item that is being walked; `end` is None until its delimiter comes."""

    is_item: bool
    end: int | None
    encoding: Encoding


@dataclass(frozen=True)
class Structure:
    """A DICOM object, its elements not yet walked.

    Attributes:
        syntax: Transfer Syntax UID; implicit little endian where none is named, as PS3.10 has it.
        media_class: Media Storage SOP Class UID, empty where none is named.
        body: the data set, inflated where it was deflated.
        encoding: how the data set really is written.
    """

    syntax: str
    media_class: str
    body: memoryview
    encoding: Encoding

    def elements(self, limits: ReadLimits) -> Iterator[Element]:
        """Walk the attributes up to and with the pixel data.

        Raises:
            CineUnreadableError: damaged, or cut short.
            LimitExceededError: too many or too deep.
        """
        return _Walk(self.body, limits).elements(0, self.encoding)


def open_structure(data: bytes | memoryview, limits: ReadLimits) -> Structure:
    """Read the file meta information (PS3.10 section 7.1), and inflate the data set where it is deflated.

    Raises:
        CineUnreadableError: no DICOM, damaged, or cut short.
        LimitExceededError: over a limit.
    """
    view = memoryview(data)
    at = _PREAMBLE_BYTES + 4 if bytes(view[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4]) == b"DICM" else 0
    walk, names = _Walk(view, limits), {_TRANSFER_SYNTAX: "", _MEDIA_CLASS: ""}
    while bytes(view[at : at + 2]) == _META_GROUP:
        element, at = walk.element(at, _META)
        if element.tag in names:
            limits.check_text(len(element.value))
            names[element.tag] = bytes(element.value).decode("ascii", "replace").strip("\0 ")
    syntax = names[_TRANSFER_SYNTAX] or str(uid.ImplicitVRLittleEndian)
    body = view[at:]
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        body = memoryview(_inflate(body, limits))
    return Structure(syntax, names[_MEDIA_CLASS], body, _encoding(syntax, bytes(body[:8])))


def _inflate(data: memoryview, limits: ReadLimits) -> bytes:
    has_zlib_header = bytes(data[:1]) == _ZLIB  # which PS3.5 A.5 leaves away, and some writers do not
    decoder = zlib.decompressobj(zlib.MAX_WBITS if has_zlib_header else -zlib.MAX_WBITS)
    try:
        inflated = decoder.decompress(data, limits.most_inflated_bytes(len(data)) + 1)
    except zlib.error as error:
        raise _damaged("deflated data that do not inflate") from error
    limits.check_inflated(len(inflated), len(data))
    if not decoder.eof:
        raise _damaged("deflated data that are cut short")
    return inflated


def _encoding(syntax: str, head: bytes) -> Encoding:
    """Tell how the data set is written from its first element: archives rewrite one without the other.

    Group numbers up to 00FF have their zero first in big endian, and second in little endian.
    """
    if len(head) < 8:
        raise _damaged("a DICOM object without a data set")
    is_little = head[1] == 0 if (head[0] == 0) != (head[1] == 0) else syntax != uid.ExplicitVRBigEndian
    return Encoding(is_implicit=not _is_representation(head[4:6]), is_little=is_little)


@dataclass
class _Walk:
    data: memoryview
    limits: ReadLimits
    count: int = 0

    def elements(self, at: int, encoding: Encoding) -> Iterator[Element]:
        tag = 0
        while at < len(self.data) and tag != PIXEL_DATA:
            element, at = self.element(at, encoding)
            tag = element.tag
            yield element

    def element(self, at: int, encoding: Encoding) -> tuple[Element, int]:
        """Read one element of a data set, whatever is nested in it, and where the next one begins."""
        header = self._header(at, encoding)
        end, fragments = header.value_at, None
        if header.holds_fragments:
            fragments, at = self._fragments(header.value_at, encoding)
        elif self._is_sequence(header):
            end, at = self._sequence(header, encoding)
        elif header.tag >> 16 != _DELIMITERS:  # one that delimits nothing is passed over
            end = at = self._end(header)
        else:
            at = header.value_at
        value = self.data[header.value_at : end]
        return Element(header.tag, header.representation, value, fragments, encoding), at

    def _header(self, at: int, encoding: Encoding) -> _Header:
        self.count += 1
        self.limits.check_elements(self.count)
        head = bytes(self.data[at : at + 12])
        if len(head) < 8:
            raise cut_short("header")
        order = "little" if encoding.is_little else "big"
        tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)  # type: ignore[arg-type]
        if encoding.is_implicit or tag >> 16 == _DELIMITERS or not _is_representation(head[4:6]):
            return _Header(tag, "", int.from_bytes(head[4:8], order), at + 8)  # type: ignore[arg-type]
        representation = head[4:6].decode("ascii")
        if representation not in _LONG:
            return _Header(tag, representation, int.from_bytes(head[6:8], order), at + 8)  # type: ignore[arg-type]
        if len(head) < 12:
            raise cut_short("header")
        return _Header(tag, representation, int.from_bytes(head[8:12], order), at + 12)  # type: ignore[arg-type]

    def _end(self, header: _Header) -> int:
        end = header.value_at + header.length
        if end > len(self.data):
            raise cut_short("pixels" if header.tag == PIXEL_DATA else "header")
        return end

    def _is_sequence(self, header: _Header) -> bool:
        if header.representation not in ("SQ", "UN", "") or header.tag == PIXEL_DATA or header.tag >> 16 == _DELIMITERS:
            return False
        starts_item = bytes(self.data[header.value_at : header.value_at + 4]) in (
            b"\xfe\xff\x00\xe0",
            b"\xff\xfe\xe0\x00",
        )
        return header.is_endless or header.representation == "SQ" or (header.length >= 8 and starts_item)

    def _sequence(self, header: _Header, encoding: Encoding) -> tuple[int, int]:
        """Walk a sequence; give where its items end, and where the next element begins.

        What is damaged inside a sequence of known length does no harm to what follows it.
        """
        if header.is_endless:
            inside = _UNKNOWN if header.representation == "UN" else encoding
            return self._walk_nested(header.value_at, _Open(False, None, inside))
        end = self._end(header)
        with contextlib.suppress(CineUnreadableError):
            self._walk_nested(header.value_at, _Open(False, end, encoding))
        return end, end

    def _walk_nested(self, at: int, sequence: _Open) -> tuple[int, int]:
        stack, items_end = [sequence], at
        while stack:
            items_end = at
            if stack[-1].end is not None and at >= stack[-1].end:
                at = stack.pop().end  # type: ignore[assignment]
                continue
            header = self._header(at, stack[-1].encoding)
            at = header.value_at
            if header.tag in (_ITEM_END, _SEQUENCE_END):
                self._close(stack, header.tag)
            elif stack[-1].is_item == (header.tag == _ITEM):
                raise _damaged("a sequence whose items cannot be told apart")
            elif header.tag == _ITEM or self._is_sequence(header):
                stack.append(self._opened(header, stack[-1].encoding))
                self.limits.check_depth((len(stack) + 1) // 2)  # sequences and items take turns
            elif header.holds_fragments:
                _, at = self._fragments(at, stack[-1].encoding)
            else:
                at = self._end(header)
        return items_end, at

    def _opened(self, header: _Header, encoding: Encoding) -> _Open:
        end = None if header.is_endless else self._end(header)
        inside = _UNKNOWN if header.is_endless and header.representation == "UN" else encoding
        return _Open(header.tag == _ITEM, end, inside)

    @staticmethod
    def _close(stack: list[_Open], tag: int) -> None:
        """Close an item, or a sequence with an item in it that nobody closed."""
        if tag == _SEQUENCE_END and stack[-1].is_item:
            stack.pop()
        if stack and (tag == _SEQUENCE_END or stack[-1].is_item):
            stack.pop()

    def _fragments(self, at: int, encoding: Encoding) -> tuple[tuple[memoryview, ...], int]:
        """Collect the items of encapsulated pixels (PS3.5 A.4) up to their delimiter."""
        fragments: list[memoryview] = []
        while True:
            try:
                header = self._header(at, encoding)
            except CineUnreadableError as error:
                raise cut_short("pixels") from error
            if header.tag == _SEQUENCE_END:
                return tuple(fragments), header.value_at
            if header.tag != _ITEM:
                raise damaged_pixels("encapsulated pixel data that cannot be split into frames")
            at = header.value_at + header.length
            if at > len(self.data):
                raise cut_short("pixels")
            fragments.append(self.data[header.value_at : at])


def _is_representation(two: bytes) -> bool:
    return two.isalpha() and two.isupper()


def damaged_pixels(found: str) -> CineUnreadableError:
    """Make the error of pixels that are not as many, or not as whole, as the header says."""
    return CineUnreadableError(
        Reason.PIXELS_DAMAGED,
        found=found,
        expected="as many whole frames as the header says",
        advice="The file is cut short or damaged; send the original again.",
    )


def cut_short(part: str) -> CineUnreadableError:
    """Make the error of an object that ends in the middle of its `part`: header or pixels."""
    if part == "pixels":
        return damaged_pixels("a DICOM object that ends before its pixels do")
    return _damaged("a DICOM object that ends in the middle of its header")


def _damaged(found: str) -> CineUnreadableError:
    return CineUnreadableError(
        Reason.HEADER_DAMAGED,
        found=found,
        expected="a DICOM object as PS3.10 describes it",
        advice="Send the original file again.",
    )
