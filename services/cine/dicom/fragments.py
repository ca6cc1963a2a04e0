"""Groups the fragments of encapsulated pixel data into frames (PS3.5 A.4), whether or not an offset table helps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from services.cine.dicom.structure import damaged_pixels

_ITEM_HEADER_BYTES = 8
_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51")  # SOI of the JPEGs (ITU-T T.81, T.87), SOC and SIZ of JPEG 2000 (T.800)

Fragments = Sequence[memoryview]


def frames_from_fragments(items: Fragments, extended_offsets: bytes, frame_count: int) -> list[memoryview]:
    """Give the compressed bytes of each frame.

    One fragment a frame is taken as it is: an offset table could only be wrong about it. Otherwise frames begin where a
    table says, and where none fits, where a fragment begins with the first marker of an image.

    Args:
        items: the Basic Offset Table, then the fragments.
        extended_offsets: Extended Offset Table (PS3.3 C.7.6.3.1.8), empty where there is none.
        frame_count: T.

    Raises:
        CineUnreadableError: there are not as many frames.
    """
    fragments = items[1:]
    if len(fragments) == frame_count:
        return list(fragments)
    tables = (_offsets(extended_offsets, 8), _offsets(bytes(items[0]) if items else b"", 4))
    candidates = [_fragment_numbers(fragments, table) for table in tables] + [
        _images(fragments) or [0] * bool(fragments)
    ]
    starts = next((c for c in candidates if len(c) == frame_count and c[0] == 0), None)
    if starts is None:
        raise damaged_pixels(f"{len(fragments)} fragments that are not {frame_count} frames")
    return [_joined(fragments[a:b]) for a, b in pairwise([*starts, len(fragments)])]


def count_frames(items: Fragments) -> int:
    """Count the frames of an object that does not say how many it has: one where nothing tells."""
    fragments = items[1:]
    table = _fragment_numbers(fragments, _offsets(bytes(items[0]) if items else b"", 4))
    return max(1, len(table) or len(_images(fragments)))


def _offsets(table: bytes, width: int) -> list[int]:
    usable = table[: len(table) // width * width]
    return [int(offset) for offset in np.frombuffer(usable, f"<u{width}")]


def _fragment_numbers(fragments: Fragments, offsets: list[int]) -> list[int]:
    """Translate offsets from the first fragment's item tag into fragments; none where one hits no fragment."""
    sizes = [_ITEM_HEADER_BYTES + len(fragment) for fragment in fragments]
    number_at = {int(at): number for number, at in enumerate(np.cumsum([0, *sizes])[:-1])}
    numbers = [number_at.get(offset, -1) for offset in offsets]
    return numbers if all(a < b for a, b in pairwise([-1, *numbers])) else []


def _images(fragments: Fragments) -> list[int]:
    return [number for number, fragment in enumerate(fragments) if bytes(fragment[:4]).startswith(_STARTS)]


def _joined(fragments: Fragments) -> memoryview:
    return fragments[0] if len(fragments) == 1 else memoryview(b"".join(fragments))
