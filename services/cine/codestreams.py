"""Headers of compressed images: what a codestream says of itself, read before a decoder believes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MOST_SCANS = 100
"""Of one JPEG: each goes over the whole picture. Progressive encoders write about ten (ITU-T T.81 annex G)."""

_SOI, _SOS = b"\xff\xd8", b"\xff\xda"
_SOC_SIZ = b"\xff\x4f\xff\x51"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU-T T.81 table B.1: SOF0 to SOF15
_LOSSLESS, _JPEG_LS = 0xC3, 0xF7  # SOF3; SOF55 of ITU-T T.87
_BARE_MARKERS = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD9)})  # stuffing, TEM, fill, RST0 to RST7, SOI
_ADOBE = 0xEE
_COD, _SOT = 0x52, 0x90  # ITU-T T.800 table A.2
_HIGH_THROUGHPUT = 0x4000  # bit 14 of Rsiz (ITU-T T.814)


class Codec(Enum):
    """Which decoder a codestream needs."""

    JPEG = "JPEG"
    JPEG_LOSSLESS = "JPEG lossless"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    HTJ2K = "HTJ2K"


@dataclass(frozen=True)
class CodestreamHeader:
    """What a codestream says of itself.

    Attributes:
        codec: which decoder it needs.
        rows, columns: its size, px.
        components: samples a pixel.
        precision_bits: of a sample.
        is_ybr: whether the decoded samples are luma and chroma; None where it does not say.
        levels: by how many powers of two it can be decoded smaller (JPEG 2000 only).
    """

    codec: Codec
    rows: int
    columns: int
    components: int
    precision_bits: int
    is_ybr: bool | None
    levels: int = 0


def read_header(data: bytes | memoryview) -> CodestreamHeader | None:
    """Read the header of a JPEG, JPEG-LS or JPEG 2000 codestream; None where there is none."""
    head = bytes(data)
    if head[:2] == _SOI:
        return _read_jpeg(head)
    at = head.find(_SOC_SIZ)  # behind boxes, where a writer kept those that PS3.5 A.4.4 forbids
    return _read_jpeg_2000(head, at) if at >= 0 else None


def _read_jpeg(data: bytes) -> CodestreamHeader | None:
    if data.count(_SOS) > MOST_SCANS:
        return None
    at, adobe_transform = 2, None
    while (at := data.find(b"\xff", at)) >= 0 and at + 10 <= len(data):
        marker = data[at + 1]
        if marker in _FRAME_HEADERS or marker == _JPEG_LS:
            return _frame_header(data[at + 4 :], marker, adobe_transform)
        if marker == _ADOBE and data[at + 4 : at + 9] == b"Adobe":
            adobe_transform = data[at + 15] if at + 15 < len(data) else None
        at += 1 if marker in _BARE_MARKERS else 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _frame_header(segment: bytes, marker: int, adobe_transform: int | None) -> CodestreamHeader | None:
    """Read precision, size and components (ITU-T T.81, B.2.2)."""
    components = segment[5]
    table = segment[6 : 6 + 3 * components]
    if len(table) < 3 * components:
        return None
    codec = {_LOSSLESS: Codec.JPEG_LOSSLESS, _JPEG_LS: Codec.JPEG_LS}.get(marker, Codec.JPEG)
    is_ybr = None
    if codec is not Codec.JPEG:  # the lossless ones store colours as they are, whatever a marker says
        pass
    elif adobe_transform is not None:  # Adobe TN 5116: 0 says RGB, 1 YCbCr
        is_ybr = adobe_transform == 1
    elif table[::3] == b"RGB":
        is_ybr = False
    elif len(set(table[1::3])) > 1:  # chroma that is stored smaller is chroma
        is_ybr = True
    rows, columns = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    return CodestreamHeader(codec, rows, columns, components, segment[0], is_ybr)


def _read_jpeg_2000(data: bytes, at: int) -> CodestreamHeader | None:
    """Read SIZ and COD (ITU-T T.800 A.5.1, A.6.1); the component transform that COD names is undone by the decoder."""
    size = data[at + 6 : at + 44]  # after the length: Rsiz, Xsiz, Ysiz, XOsiz, YOsiz, ..., Csiz, Ssiz
    if len(size) < 38:
        return None
    columns, rows, left, top = (int.from_bytes(size[k : k + 4]) for k in (2, 6, 10, 14))
    return CodestreamHeader(
        codec=Codec.HTJ2K if int.from_bytes(size[:2]) & _HIGH_THROUGHPUT else Codec.JPEG_2000,
        rows=rows - top,
        columns=columns - left,
        components=int.from_bytes(size[34:36]),
        precision_bits=(size[36] & 0x7F) + 1,
        is_ybr=None,
        levels=_levels(data, at + 2),
    )


def _levels(data: bytes, at: int) -> int:
    """Find how often the picture was halved, from the segments of the main header from `at` on."""
    while at + 12 <= len(data) and data[at] == 0xFF and data[at + 1] != _SOT:
        if data[at + 1] == _COD:
            return data[at + 9]
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0
