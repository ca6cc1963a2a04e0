"""What the first bytes of a container tell, and whether the file reaches as far as its structure claims."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from services.cine.cine import CineFormat
from services.cine.codestreams import read_header

_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""What a file of ISO/IEC 14496-12 or of QuickTime begins with; `wide`, `free` and `skip` only keep room."""

_STILL_BRANDS = (b"heic", b"heix", b"mif1", b"avif")
"""What HEIF and AVIF begin with (ISO/IEC 23008-12): stills cut into tiles, of which FFmpeg would show one."""

_START_CODES = {0xBA: "mpeg", 0xB3: "mpegvideo", 0xB8: "mpegvideo"}
"""MPEG-2 pack header (ISO/IEC 13818-1), sequence and group of pictures headers (ISO/IEC 13818-2 table 6-1)."""

_HEVC_FIRST = (32, 33, 34, 35, 39)  # ITU-T H.265 table 7-1: parameter sets, access unit delimiter, prefix SEI
_H264_FIRST = (1, 5, 6, 7, 8, 9)  # ITU-T H.264 table 7-1: slices, SEI, parameter sets, access unit delimiter
_SYNC = 0x47  # ISO/IEC 13818-1 section 2.4.3.2
_PACKETS = ((0, 188), (4, 192), (0, 204))  # first sync byte and size of a packet: plain, with time stamps, with parity
_MOST_STUFFING_BYTES = 64
_PNG_MAGIC_BYTES = 8
_PNG_PICTURE_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT", b"IEND")
_PNG_PIXELS_AT = {b"IDAT": 8, b"fdAT": 12}
"""Where deflated pixels begin in a chunk (PNG third edition, sections 11.2.3 and 11.3.6.3)."""
_EBML_ENTERED = (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75")  # Segment, Cluster (RFC 9559 section 5.1)
_GIF_EXTENSION, _GIF_IMAGE, _GIF_TRAILER = 0x21, 0x2C, 0x3B


def is_iso_media(head: bytes) -> bool:
    """Tell MP4 and MOV by their first box; QuickTime files need not begin with `ftyp`."""
    return head[4:8] in _BOXES and head[8:12] not in _STILL_BRANDS


def elementary_demuxer(data: bytes) -> str | None:
    """Name FFmpeg's demuxer for video that DICOM encapsulates, or None where its first bytes are of no known kind."""
    if is_iso_media(data[:12]):
        return "mp4"
    if any(len(data) > at + size and data[at] == data[at + size] == _SYNC for at, size in _PACKETS):
        return "mpegts"
    start = data[:_MOST_STUFFING_BYTES].lstrip(b"\0")  # Annex B: zeros, then 00 00 01
    if len(start) < 3 or start[0] != 1:
        return None
    if (start[1] >> 1) & 0x3F in _HEVC_FIRST and start[1] < 0x80 and start[2] == 1:  # layer 0, temporal id 0
        return "hevc"
    if start[1] < 0x80 and start[1] & 0x1F in _H264_FIRST:
        return "h264"
    return _START_CODES.get(start[1])


def picture_size(data: bytes | memoryview, kind: CineFormat) -> tuple[int, int] | None:
    """Give rows and columns as the header of a GIF, PNG or JPEG claims them, px; None where there is none to ask."""
    if kind is CineFormat.GIF:
        return int.from_bytes(data[8:10], "little"), int.from_bytes(data[6:8], "little")
    if kind is CineFormat.PNG:
        return int.from_bytes(data[20:24]), int.from_bytes(data[16:20])
    header = read_header(data) if kind is CineFormat.JPEG else None
    return None if header is None else (header.rows, header.columns)


def is_animated_png(data: bytes | memoryview) -> bool:
    """Tell an animated PNG by its `acTL` chunk (PNG third edition, section 11.3.6.1)."""
    return any(kind == b"acTL" for kind, _, _ in _png_chunks(data))


def png_without_remarks(data: bytes | memoryview) -> bytes:
    """Keep the chunks that make the picture: texts and profiles may name a person, and may inflate to anything."""
    return bytes(data[:_PNG_MAGIC_BYTES]) + b"".join(
        bytes(data[start:end]) for kind, start, end in _png_chunks(data) if kind in _PNG_PICTURE_CHUNKS
    )


def most_inflated_png_bytes(data: bytes | memoryview, enough: int) -> int:
    """Inflate the pixels of each picture in a PNG and give the size of the largest, or `enough` once one reaches it.

    FFmpeg goes on inflating long after the last row is full (PNG third edition, section 10.1).
    """
    largest = size = 0
    inflater = zlib.decompressobj()
    for kind, start, end in _png_chunks(data):
        if kind == b"fcTL":  # the next picture's pixels are a stream of their own
            inflater, size = zlib.decompressobj(), 0
        if kind in _PNG_PIXELS_AT:
            try:
                size += len(inflater.decompress(data[start + _PNG_PIXELS_AT[kind] : end - 4], enough - size))
            except zlib.error:  # that is for the decoder to tell
                return largest
            largest = max(largest, size)
        if largest >= enough:
            break
    return largest


def _png_chunks(data: bytes | memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Follow the chunks (PNG third edition, section 5.3): the type of each, its start and its end."""
    end = _PNG_MAGIC_BYTES
    while end + 12 <= len(data):
        start, kind = end, bytes(data[end + 4 : end + 8])
        end += 12 + int.from_bytes(data[start : start + 4])
        yield kind, start, end


def is_whole(data: bytes | memoryview, kind: CineFormat) -> bool:
    """Whether the file reaches as far as it claims: FFmpeg plays what is there of a shorter one and says nothing."""
    reach = _REACHES.get(kind)
    return reach is None or reach(data) <= len(data)


_Reach = Callable[[bytes | memoryview], float]
_NEVER = float("inf")
"""How far a file would have to reach that lacks its end mark."""


def _avi_reach(data: bytes | memoryview) -> float:
    """Follow the RIFF chunks, of which a large file has several (OpenDML AVI 1.02)."""
    at = padding = 0
    while data[at : at + 4] == b"RIFF" and at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        padding = size % 2
        at += 8 + size + padding
    return at - padding  # that of the last one may be missing


def _iso_media_reach(data: bytes | memoryview) -> float:
    """Follow the boxes, each with its size (ISO/IEC 14496-12 section 4.2)."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        at = at + size if size >= 8 else len(data)  # 0: to the end of the file
    return at


def _ebml_reach(data: bytes | memoryview) -> float:
    """Follow the elements (RFC 8794 section 6), into segments and clusters, and whatever is of unknown size."""
    at = reach = 0
    while at + 2 <= len(data):
        size_at = at + 9 - data[at].bit_length()  # behind the id
        size_bytes = 9 - data[size_at].bit_length() if size_at < len(data) else 9
        if size_bytes > 8:
            return _NEVER
        unknown = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(data[size_at : size_at + size_bytes]) & unknown
        is_entered = size == unknown or data[at:size_at] in _EBML_ENTERED
        at = size_at + size_bytes + (0 if is_entered else size)
        reach = max(reach, at if size == unknown else size_at + size_bytes + size)
    return reach


def _gif_reach(data: bytes | memoryview) -> float:
    """Follow the blocks to the trailer (GIF89a appendix B)."""
    at = 13 + _colour_table_bytes(data, 10)
    while at < len(data):
        kind = data[at]
        if kind == _GIF_TRAILER:
            return at + 1
        if kind == _GIF_EXTENSION:
            at += 2
        elif kind == _GIF_IMAGE:
            at += 11 + _colour_table_bytes(data, at + 9)
        else:
            return _NEVER
        while at < len(data) and data[at]:  # sub-blocks, each with its length; an empty one ends them
            at += 1 + data[at]
        at += 1
    return _NEVER


def _colour_table_bytes(data: bytes | memoryview, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _png_reach(data: bytes | memoryview) -> float:
    return next((end for kind, _, end in _png_chunks(data) if kind == b"IEND"), _NEVER)


def _jpeg_reach(data: bytes | memoryview) -> float:
    """Look for the end mark behind the last scan (ITU-T T.81 B.1.1.3); a thumbnail's stands before the first."""
    whole = bytes(data)
    end = whole.rfind(b"\xff\xd9")
    return end + 2 if end > whole.rfind(b"\xff\xda") >= 0 else _NEVER


_REACHES: dict[CineFormat, _Reach] = {
    CineFormat.AVI: _avi_reach,
    CineFormat.MP4: _iso_media_reach,
    CineFormat.WEBM: _ebml_reach,
    CineFormat.GIF: _gif_reach,
    CineFormat.PNG: _png_reach,
    CineFormat.JPEG: _jpeg_reach,
}
