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
    columns = clear.shape[1]
    sums = np.zeros((len(rows), columns + 1), np.float32)
    np.cumsum(worth[rows], axis=1, out=sums[:, 1:])
    first = clear[rows].argmax(axis=1)
    last = columns - clear[rows][:, ::-1].argmax(axis=1)  # not included
    left = _fit_side(first, rows, sums, last)
    mirrored = sums[:, -1:] - sums[:, ::-1]
    limit = columns - np.minimum(np.maximum(left[0] + left[1] * rows, 0), columns).astype(np.int64)
    right = _fit_side(columns - last, rows, mirrored, limit)
    wedge = Wedge(left, (columns - right[0], -right[1]))
    return wedge if wedge.right[1] - wedge.left[1] >= LEAST_OPENING else None


def _fit_side(first: IntArray, rows: IntArray, sums: FloatArray, limit: IntArray) -> tuple[float, float]:
    """Find the left side with the most echo and the least dark between it and `limit`, start and slope."""
    starts, slopes = _lines(first, rows)
    lines = starts[:, None] + slopes[:, None] * rows.astype(np.float32)  # [L, R]
    near = (np.abs(lines - first) <= SIDE_TOLERANCE_PX).sum(axis=1)
    begin = np.minimum(np.maximum(np.rint(lines), 0), limit).astype(np.int64)
    flat = np.arange(len(rows)) * sums.shape[1]
    held = sums.ravel()
    inside = held[flat + limit].sum() - held[flat + begin].sum(axis=1)
    best = int(np.argmax(inside + SIDE_WORTH_PX * near))
    return float(starts[best]), float(slopes[best])


def _lines(first: IntArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Give lines through pairs of points of the border and along its hull: starts and slopes, [L]."""
    ends = np.linspace(0, len(rows) - 1, _SIDE_ENDS).astype(int)
    upper, lower = (ends[order] for order in np.triu_indices(_SIDE_ENDS, _LEAST_STEP))
    hull = np.sort(cv2.convexHull(np.stack([rows, first], axis=1).astype(np.int32), returnPoints=False)[:, 0])
    upper, lower = np.append(upper, hull[:-1]), np.append(lower, hull[1:])
    slopes = ((first[lower] - first[upper]) / (rows[lower] - rows[upper])).astype(np.float32)
    is_side = (slopes <= -LEAST_SLOPE) & (slopes >= -MOST_SLOPE)
    kept = np.flatnonzero(is_side) if is_side.any() else np.arange(len(slopes))
    return (first[upper] - slopes * rows[upper])[kept].astype(np.float32), slopes[kept]


def _fill(wedge: Wedge, clear: UInt8Array, worth: FloatArray, rows: IntArray) -> BoolArray:
    """Fill the wedge as far down, up and aside as there is echo, [h, w]."""
    height, width = clear.shape
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    inside = (x >= wedge.left[0] + wedge.left[1] * y - 0.5) & (x < wedge.right[0] + wedge.right[1] * y - 0.5)
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
