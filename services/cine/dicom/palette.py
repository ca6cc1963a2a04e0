"""Palette Color Lookup Tables (PS3.3 C.7.6.3.1.5, C.7.9), plain and segmented; their descriptors often lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from services.cine.cine import UInt8Array
from services.cine.dicom.attributes import numbers, value_of

_MOST_ENTRIES = 2**16
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2  # C.7.9.2

Entries = NDArray[np.uint16]


def read_palette(attributes: Dataset, values: NDArray[np.int32]) -> UInt8Array | None:
    """Read the colours of an image.

    Args:
        attributes: of the object.
        values: the number that each bit pattern of a pixel stands for, [N].

    Returns:
        Their colours, [N, 3]; None where a table is missing or damaged.
    """
    found = [_channel(attributes, colour, values) for colour in ("Red", "Green", "Blue")]
    channels = [channel for channel in found if channel is not None]
    if len(channels) < len(found):
        return None
    colours = np.stack(channels, axis=-1)  # 3 x [N] -> [N, 3]
    is_wide = colours.max() > 255  # all three together: a channel that stays dark says nothing
    return np.asarray(colours >> 8 if is_wide else colours, np.uint8)


def _channel(attributes: Dataset, colour: str, values: NDArray[np.int32]) -> Entries | None:
    """Give the entry for each value, [N]; those below and above the table have its first and its last."""
    descriptor = numbers(attributes, f"{colour}PaletteColorLookupTableDescriptor")
    if len(descriptor) != 3:
        return None
    count, first = int(descriptor[0]) % 2**16 or _MOST_ENTRIES, int(descriptor[1])
    first = first - 2**16 if first >= 2**15 and values.min() < 0 else first
    plain = _bytes(attributes, f"{colour}PaletteColorLookupTableData")
    segmented = _bytes(attributes, f"Segmented{colour}PaletteColorLookupTableData")
    entries = _plain(plain, count) if plain else _expanded(segmented, is_narrow=descriptor[2] == 8)
    return entries[np.clip(values - first, 0, min(count, len(entries)) - 1)] if len(entries) else None


def _bytes(attributes: Dataset, keyword: str) -> bytes:
    """Give table data, little endian; they may be stored as bytes (OW) or as numbers (US)."""
    value = value_of(attributes, keyword)
    words = numbers(attributes, keyword) if isinstance(value, int | MultiValue) else []
    return value if isinstance(value, bytes) else np.array(words).astype("<u2").tobytes()


def _plain(data: bytes, count: int) -> Entries:
    """Read entries of one byte where there are just enough of these, else of two, whatever the descriptor says."""
    width = 1 if len(data) <= count + count % 2 else 2
    return np.frombuffer(data[: len(data) // width * width], f"<u{width}").astype(np.uint16)


def _expanded(data: bytes, is_narrow: bool) -> Entries:
    """Expand segments (C.7.9.2); none where they are damaged or give more entries than a table can have."""
    width = 1 if is_narrow else 2
    words = np.frombuffer(data[: len(data) // width * width], f"<u{width}").astype(int)
    entries: list[int] = []
    try:
        _run(words, (0, len(words)), None, entries)
    except (IndexError, ValueError):
        return np.empty(0, np.uint16)
    return np.array(entries, np.uint16)


def _run(source: NDArray[np.int64], span: tuple[int, int], segments: int | None, entries: list[int]) -> None:
    """Append the entries of the segments in `span`; of an indirect one, those it points at."""
    at, end = span
    while at + 1 < end and segments != 0:
        code, length = int(source[at]), int(source[at + 1])
        if code == _DISCRETE:
            entries += source[at + 2 : at + 2 + length].tolist()
            at += 2 + length
        elif code == _LINEAR:
            entries += np.rint(np.linspace(entries[-1], source[at + 2], length + 1)[1:]).astype(int).tolist()
            at += 3
        elif code == _INDIRECT and segments is None:  # it may not point at another one
            _run(source, (int(source[at + 2] | source[at + 3] << 16), end), length, entries)
            at += 4
        else:
            raise ValueError("no such segment")
        segments = None if segments is None else segments - 1
        if len(entries) > _MOST_ENTRIES:
            raise ValueError("more entries than a table can have")
