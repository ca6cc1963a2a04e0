"""Looks for many short texts in many megabytes, however they are encoded."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

_HEAD_BYTES = 3
_PIECE_BYTES = 2**24
_DIGITS = frozenset(b"0123456789.")


def spellings(needle: bytes, codecs: Iterable[str] = ()) -> set[bytes]:
    """Give a text as DICOM, UTF-8, UTF-16, Latin-1 and JSON would write it.

    Args:
        needle: as it was planted.
        codecs: that it may have been planted in; ASCII needs none.
    """
    made = {needle}
    for codec in ("ascii", *codecs):
        try:
            text = needle.decode(codec)
        except UnicodeDecodeError:
            continue
        made.add(json.dumps(text)[1:-1].encode())
        made |= {text.encode(other, "ignore") for other in ("utf-8", "utf-16-le", "utf-16-be", "latin-1")}
    return {spelling for spelling in made if len(spelling) >= len(needle) // 2 + 2}


class Needles:
    """Texts to look for.

    Args:
        needles: by what is looked for, what it stands for; each at least four bytes.
    """

    def __init__(self, needles: dict[bytes, str]) -> None:
        self._lengths = defaultdict[bytes, set[int]](set)
        self._names = needles
        self._is_head = np.zeros(2 ** (8 * _HEAD_BYTES), np.bool_)
        for needle in needles:
            self._lengths[needle[:_HEAD_BYTES]].add(len(needle))
            self._is_head[int.from_bytes(needle[:_HEAD_BYTES])] = True
        self._longest = max(map(len, needles))

    def found_in(self, data: bytes) -> set[str]:
        """Give the names of those that occur; one of digits alone counts only where no longer number surrounds it."""
        return {
            name
            for start in range(0, len(data), _PIECE_BYTES)
            for name in self._found_in(data[max(0, start - 1) : start + _PIECE_BYTES + self._longest])
        }

    def _found_in(self, piece: bytes) -> set[str]:
        codes = np.frombuffer(piece, np.uint8).astype(np.uint32)
        if len(codes) < _HEAD_BYTES:
            return set()
        heads = codes[:-2] << 16 | codes[1:-1] << 8 | codes[2:]
        found = set()
        for at in np.flatnonzero(self._is_head[heads]).tolist():
            for length in self._lengths[piece[at : at + _HEAD_BYTES]]:
                needle = piece[at : at + length]
                if needle in self._names and not _is_part_of_a_number(piece, at, needle):
                    found.add(self._names[needle])
        return found


def _is_part_of_a_number(piece: bytes, at: int, needle: bytes) -> bool:
    around = piece[max(0, at - 1) : at] + piece[at + len(needle) : at + len(needle) + 1]
    return needle.isdigit() and any(code in _DIGITS for code in around)
