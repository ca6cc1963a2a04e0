"""MetaImage (.mha) from memory: a header in text, then the samples. No other file is ever opened."""

from __future__ import annotations

import zlib
from math import isfinite, prod

import numpy as np

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, CineFormat
from services.cine.errors import CineUnsupportedError, Reason
from services.cine.media.volumes import Volume, as_cine, unreadable, unsupported

MAX_HEADER_BYTES = 16 * 2**10
"""A header is some twenty short lines; what is longer is none."""

_TYPES = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_FIRST_KEYS = (b"ObjectType", b"NDims", b"Comment")
_ZLIB_OR_GZIP = 47  # window bits of zlib's inflateInit2 that tell the two apart


def is_metaimage(head: bytes) -> bool:
    """Tell the format by its first line: `Key = value`."""
    key, separator, _ = head.partition(b"=")
    return bool(separator) and key.strip() in _FIRST_KEYS


def read_metaimage(data: bytes | memoryview, limits: ReadLimits) -> Cine:
    """Open a MetaImage: 2-D, or 3-D with time last, as the first release of CAMUS stores its sequences.

    DimSize runs x, y, t, the fastest first, so the samples are [T, H, W]. The format gives no unit of time: the third
    spacing is left alone (CAMUS has 1.54 or 1 there, which is neither a slice nor a frame time).

    Args:
        data: the whole file, its samples in it (`ElementDataFile = LOCAL`).
        limits: checked before anything is inflated.

    Raises:
        CineUnreadableError: the header is damaged, or the samples are cut short.
        CineUnsupportedError: the samples are in another file, or of a kind that is not read.
        LimitExceededError: over a limit.
    """
    header, body = _split(data)
    if header.get("ElementDataFile") != "LOCAL":
        raise CineUnsupportedError(
            Reason.PIXELS_UNSUPPORTED,
            found="a MetaImage header whose samples are in another file",
            expected="header and samples in one file",
            advice="Save the pair as one .mha file and send that.",
        )
    columns, rows, count = _extents(header)
    limits.check_shape(count, rows, columns)
    channels = _whole_numbers(header, "ElementNumberOfChannels", "1")[0]
    dtype = np.dtype(_TYPES.get(header.get("ElementType", "").removesuffix("_ARRAY"), "V1"))
    is_colour = channels == 3 and dtype == np.uint8
    if dtype.kind == "V" or not (channels == 1 or is_colour) or header.get("BinaryData", "True") != "True":
        raise unsupported("MetaImage samples that are neither real numbers nor 8-bit RGB")
    is_big = "True" in (header.get("BinaryDataByteOrderMSB"), header.get("ElementByteOrderMSB"))
    shape = (count, rows, columns, 3) if is_colour else (count, rows, columns)
    wanted_bytes = prod(shape) * dtype.itemsize
    if header.get("CompressedData") == "True":
        limits.check_inflated(wanted_bytes, len(body))
        body = _inflate(body, wanted_bytes)
    if len(body) < wanted_bytes:
        raise unreadable(Reason.PIXELS_DAMAGED, "a MetaImage that is cut short", "as many samples as DimSize says")
    samples = np.frombuffer(body, dtype.newbyteorder(">" if is_big else "<"), prod(shape)).reshape(shape)
    return as_cine(Volume(samples, spacing_mm=_spacing_mm(header)), CineFormat.METAIMAGE)


def _split(data: bytes | memoryview) -> tuple[dict[str, str], bytes | memoryview]:
    """Part the lines of the header, up to and with ElementDataFile, from what follows."""
    head = bytes(data[:MAX_HEADER_BYTES])
    mark = head.find(b"ElementDataFile")
    end = head.find(b"\n", mark)
    if mark < 0:
        raise unreadable(Reason.HEADER_DAMAGED, "a MetaImage header without an end", "ElementDataFile as its last line")
    last = len(head) if end < 0 else end + 1
    lines = head[:last].decode("latin-1").splitlines()
    pairs = (line.partition("=")[::2] for line in lines)
    return {key.strip(): value.strip() for key, value in pairs}, memoryview(data)[last:]


def _extents(header: dict[str, str]) -> tuple[int, int, int]:
    """Give columns, rows and frames; further axes must have the length 1, as must the third before a fourth."""
    sizes = _whole_numbers(header, "DimSize", "")
    if len(sizes) < 2 or _whole_numbers(header, "NDims", "")[0] != len(sizes) or min(sizes) < 1:
        raise unreadable(Reason.HEADER_DAMAGED, "a MetaImage header without a usable size", "NDims numbers")
    long = [size for size in sizes[2:] if size > 1]
    if len(long) > 1:
        raise unsupported("a MetaImage of a volume that moves")
    return sizes[0], sizes[1], long[0] if long else 1


def _whole_numbers(header: dict[str, str], key: str, default: str) -> list[int]:
    try:
        return [int(word) for word in header.get(key, default).split()] or [0]
    except ValueError as error:
        raise unreadable(Reason.HEADER_DAMAGED, "a MetaImage header with words for numbers", "whole numbers") from error


def _spacing_mm(header: dict[str, str]) -> tuple[float, float] | None:
    """Give the spacing of rows and columns; x comes first in the header."""
    try:
        column, row = (float(word) for word in header["ElementSpacing"].split()[:2])
    except (KeyError, ValueError):
        return None
    is_known = header.get("DistanceUnits", "mm") == "mm" and min(row, column) > 0 and isfinite(row + column)
    return (row, column) if is_known else None


def _inflate(body: bytes | memoryview, wanted_bytes: int) -> bytes:
    try:
        return zlib.decompressobj(_ZLIB_OR_GZIP).decompress(body, wanted_bytes)
    except zlib.error as error:
        raise unreadable(Reason.PIXELS_DAMAGED, "a damaged MetaImage", "a sound zlib stream") from error
