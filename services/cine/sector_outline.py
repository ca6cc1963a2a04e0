"""The sector as a shape: two straight sides that meet at the probe, an arc or a straight cut below.

Echo is bright or moving in parts only: of a dark side or a dark near field little is seen. What is seen fixes the sides
and the arc, and these fix the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.cine.cine import BoolArray, FloatArray, IntArray, UInt8Array

DARK_COST = 0.15
"""What a dark pixel inside costs, an echo pixel being worth one: a strip at the side of the sector is echo from a
quarter of its pixels on, speckle with shadows and cavities; between letters and the sector less is bright."""

SIDE_WORTH_PX = 3.0
"""What a row adds to the score of a side when its echo begins there, in pixels of echo: letters never begin on a line."""

SIDE_TOLERANCE_PX = 1.0
"""How far from a side the echo of a row may begin to count for it, px of the thumbnail."""

LEAST_ROWS = 12
"""Of fewer rows no side is told."""

LEAST_SLOPE, MOST_SLOPE = -0.25, 4.0
"""Columns that a side runs outwards for each row down: a sector that is steered far has one side that leans inwards."""

LEAST_OPENING = 0.25
"""Of both sides together, columns a row: 14 degrees, half of the narrowest sector in use."""

CUT_ROWS_FRACTION = 0.2
"""Share of the rows whose echo begins on one column, from which a side is cut upright."""

REACH_PERCENTILE = 99.0
ROWS = 40
EVEN_WORTH = 1.0
MOST_LEAN_RAD = 0.2
_TANGENTS = -np.tan(np.linspace(0.1, 1.0, 19))
_SIDE_ENDS = 16  # rows between which lines are tried
_LEAST_STEP = 3  # ends that a line spans at least


@dataclass(frozen=True)
class Wedge:
    """Two straight sides: column = start + slope * row, px of the thumbnail, the right one not included."""

    left: tuple[float, float]
    right: tuple[float, float]

    @property
    def apex(self) -> tuple[float, float]:
        """Where they meet: column, row."""
        (start, slope), (other, other_slope) = self.left, self.right
        row = (other - start) / (slope - other_slope)
        return start + slope * row, row


def fit_sector(clear: UInt8Array, echo: UInt8Array) -> BoolArray | None:
    """Fit a sector to what is seen of it.

    Args:
        clear: pixels that are echo, 0 and 1, [h, w].
        echo: pixels that may be echo, those among them.

    Returns:
        The inside of the sector, [h, w], or None where there are no two sides.
    """
    rows = np.flatnonzero(clear.any(axis=1))
    if len(rows) < LEAST_ROWS:
        return None
    worth = np.where(clear > 0, np.float32(1.0), np.where(echo > 0, np.float32(0.0), np.float32(-DARK_COST)))
    wedge = _fit_wedge(clear, worth, rows)
    return None if wedge is None else _fill(wedge, clear, worth, rows)


def _fit_wedge(clear: UInt8Array, worth: FloatArray, rows: IntArray) -> Wedge | None:
    height, columns = clear.shape
    axis = int(np.searchsorted(np.cumsum(clear.sum(axis=0)), clear.sum() / 2))
    y, x = np.nonzero(clear)
    reach = np.float32(np.percentile(np.hypot(y - rows[0], x - axis), REACH_PERCENTILE))
    kept = rows[:: max(1, len(rows) // ROWS)]
    seen = clear[kept]
    left_lines, left_worth = _sides(seen, worth[kept], kept, axis, reach)
    right_lines, right_worth = _sides(seen[:, ::-1], worth[kept][:, ::-1], kept, columns - 1 - axis, reach)
    slope, other = left_lines[1][:, None], right_lines[1][None]
    total = left_worth[:, None] + right_worth
    lean = np.abs(np.arctan(slope) - np.arctan(other))
    total = total + EVEN_WORTH * len(kept) * np.maximum(0, 1 - lean / MOST_LEAN_RAD)
    total[slope + other > -LEAST_OPENING] = -np.inf
    best, partner = np.unravel_index(int(np.argmax(total)), total.shape)
    if not np.isfinite(total[best, partner]):
        return None
    right = columns - 1 - float(right_lines[0][partner]), -float(right_lines[1][partner])
    return Wedge((float(left_lines[0][best]), float(left_lines[1][best])), right)


def _sides(
    seen: UInt8Array, worth: FloatArray, rows: IntArray, axis: int, reach: np.float32
) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """Give lines that may be the left side, starts and slopes, and the worth of what lies right of each, [L]."""
    sums = np.zeros((len(rows), axis + 2), np.float32)
    np.cumsum(worth[:, : axis + 1], axis=1, out=sums[:, 1:])
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), axis)
    starts, slopes = _lines(first, rows)
    down = (rows - rows[0]).astype(np.float32)
    lines = starts[:, None] + slopes[:, None] * rows.astype(np.float32)  # [L, R]
    arc = lines[:, :1] - np.sqrt(np.maximum(reach * reach - down * down, 0))
    is_side = lines >= arc
    near = (is_side & (np.abs(lines - first) <= SIDE_TOLERANCE_PX)).sum(axis=1)
    begin = np.rint(np.minimum(np.maximum(np.maximum(lines, arc), 0), axis + 1)).astype(np.int64)
    held = np.take(sums.ravel(), begin + np.arange(len(rows)) * sums.shape[1])
    return (starts, slopes), sums[:, -1].sum() - held.sum(axis=1) + SIDE_WORTH_PX * near


def _lines(first: IntArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Give lines through pairs of points of the border, along its hull and about it: starts and slopes, [L]."""
    ends = np.linspace(0, len(rows) - 1, _SIDE_ENDS).astype(int)
    upper, lower = (ends[order] for order in np.triu_indices(_SIDE_ENDS, _LEAST_STEP))
    hull = np.sort(cv2.convexHull(np.stack([rows, first], axis=1).astype(np.int32), returnPoints=False)[:, 0])
    upper, lower = np.append(upper, hull[:-1]), np.append(lower, hull[1:])
    slopes = ((first[lower] - first[upper]) / (rows[lower] - rows[upper])).astype(np.float32)
    starts = first[upper] - slopes * rows[upper]
    tangents = (first[hull] - _TANGENTS[:, None] * rows[hull]).min(axis=1)
    starts, slopes = np.append(starts, tangents), np.append(slopes, _TANGENTS)
    is_side = (slopes <= -LEAST_SLOPE) & (slopes >= -MOST_SLOPE)
    return starts[is_side].astype(np.float32), slopes[is_side].astype(np.float32)


def _fill(wedge: Wedge, clear: UInt8Array, worth: FloatArray, rows: IntArray) -> BoolArray:
    """Fill the wedge as far down, up and aside as there is echo, [h, w]."""
    height, width = clear.shape
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    inside = (x >= wedge.left[0] + wedge.left[1] * y - 0.5) & (x < wedge.right[0] + wedge.right[1] * y + 0.5)
    column, row = wedge.apex
    inside &= y >= row
    inside = _cut_sides(inside, clear)
    radius = np.sqrt((x - np.float32(column)) ** 2 + (y - np.float32(row)) ** 2)
    rings = radius.astype(np.int64)
    best, chosen = -np.inf, inside
    for foot in {int(rows[-1]), _foot(worth * inside)}:
        cut = inside & (y <= foot)
        gains = np.cumsum(np.bincount(rings[cut], worth[cut]))
        if len(gains) and gains.max() > best:
            best, chosen = gains.max(), cut & (rings <= gains.argmax())
    return chosen & (y >= _top(chosen, clear, row))


def _foot(worth: FloatArray) -> int:
    """Give the last row of the most echo."""
    return int(np.cumsum(worth.sum(axis=1)).argmax())


def _cut_sides(inside: BoolArray, clear: UInt8Array) -> BoolArray:
    """Cut the wedge where its echo begins on one column in many rows."""
    seen = clear.astype(bool) & inside
    used = np.flatnonzero(seen.any(axis=1))
    least = CUT_ROWS_FRACTION * len(used)
    for _ in range(2):
        counts = np.bincount(seen[used].argmax(axis=1), minlength=seen.shape[1])
        counts = counts + np.append(counts[1:], 0)
        cuts = np.flatnonzero(counts >= least)
        if len(cuts) and not seen[:, : cuts[0]].any():
            inside[:, : cuts[0]] = False
        inside, seen = inside[:, ::-1], seen[:, ::-1]
    return inside


def _top(inside: BoolArray, clear: UInt8Array, apex_row: float) -> int:
    """Give the first row: the apex, or where echo begins from side to side at once."""
    widths = inside.sum(axis=1)
    seen = (clear.astype(bool) & inside).sum(axis=1)
    first = int((seen > 0).argmax())
    return first
