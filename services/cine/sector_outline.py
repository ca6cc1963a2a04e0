"""The sector as a shape: two straight sides that meet at the probe, an arc or a straight cut below.

Echo is bright or moving in parts only: of a dark side or a dark near field little is seen. What is seen fixes the sides
and the arc, and these fix the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine.cine import BoolArray, FloatArray, IntArray, UInt8Array

DARK_COST = 0.2
DEPTH_COST = 0.3
EDGE_WORTH_PX = 4.0
EDGE_PX = 3
LEAST_ROWS = 12
ROWS = 40
COARSE_STEP = 2
ROUNDS = 2
MIRROR, WEAK, STRONG = 0, 0.35, 0.5
REACH_ALL = 1
HALO = 0.3
EVEN_WORTH = 0.0
MOST_LEAN_RAD = 0.15
LEAST_OPENING = 0.25
CUT_ROWS_FRACTION = 0.25
REACH_PERCENTILE = 99.0
MOST_LOST_FRACTION = 0.35
FLAT_TOP_FRACTION = 0.6

NA, NO = 18, 24
_ANCHOR = 0.45
_ANGLES_RAD = np.linspace(-0.2, 1.3, 21)
_OFFSETS = np.linspace(-0.75, 0.35, 28)


@dataclass(frozen=True)
class Extent:
    """Rows from first to last, and how far from the middle of the first one echo reaches, px."""

    top: int
    foot: int
    reach: float


def fit_sector(clear: UInt8Array, echo: UInt8Array, cost: float) -> BoolArray | None:
    """Fit a sector to what is seen of it."""
    rows = np.flatnonzero(clear.any(axis=1))
    if len(rows) < LEAST_ROWS:
        return None
    axis = int(np.searchsorted(np.cumsum(clear.sum(axis=0)), clear.sum() / 2))
    y, x = np.nonzero(clear)
    extent = Extent(int(rows[0]), int(rows[-1]), float(np.percentile(np.hypot(y - rows[0], x - axis), REACH_PERCENTILE)))
    inside = None
    left, right = Side(0.0, 0.0, 0.0), Side(0.0, 0.0, 0.0)
    for _ in range(int(ROUNDS)):
        left, right = (
            _fit_side(clear, echo, axis, extent, cost, right),
            _fit_side(clear[:, ::-1], echo[:, ::-1], clear.shape[1] - 1 - axis, extent, cost, left),
        )
        if left.slope + right.slope > -LEAST_OPENING:
            return None
        if MIRROR:
            columns = clear.shape[1] - 1
            seen_left, seen_right = left, right
            left = _mirror(seen_left, seen_right, columns, extent)
            right = _mirror(seen_right, seen_left, columns, extent)
        inside, extent = _fill(
            (left.start, left.slope), (clear.shape[1] - 1 - right.start, -right.slope), clear, echo
        )
        if extent.foot - extent.top < LEAST_ROWS:
            return None
        axis = int(np.searchsorted(np.cumsum((clear * inside).sum(axis=0)), (clear * inside).sum() / 2))
        if int(REACH_ALL):
            near = (y >= extent.top) & (y <= extent.foot)
            reach = float(np.percentile(np.hypot(y[near] - extent.top, x[near] - axis), REACH_PERCENTILE))
            extent = Extent(extent.top, extent.foot, reach)
    return inside


@dataclass(frozen=True)
class Side:
    """Column at row 0, columns a row, and the share of its rows in which echo begins there."""

    start: float
    slope: float
    support: float


def _fit_side(clear: UInt8Array, echo: UInt8Array, axis: int, extent: Extent, cost: float, other: Side) -> Side:
    """Give the left side with the most echo and the least dark right of it: column at row 0, columns a row."""
    step = max(1, (extent.foot + 1 - extent.top) // int(ROWS))
    rows = np.arange(extent.top, extent.foot + 1, step)
    gains, edges = _gains(clear[rows], echo[rows], axis, cost)
    height = extent.foot - extent.top
    down = (rows - extent.top - _ANCHOR * height).astype(np.float32)
    depth = (rows - extent.top).astype(np.float32)
    drop = np.sqrt(np.maximum(np.float32(extent.reach**2) - depth * depth, 0))
    angles, offsets = np.linspace(-0.2, 1.3, int(NA)), axis + np.linspace(-0.75, 0.35, int(NO)) * clear.shape[1]
    places = np.arange(len(rows)) * gains.shape[1]
    for stage in range(3):
        slope, offset = (g.ravel().astype(np.float32) for g in np.meshgrid(-np.tan(angles), offsets))
        every = slice(None, None, int(COARSE_STEP) if stage == 0 else 1)
        lines = offset[:, None] + slope[:, None] * down[every]
        arcs = lines[:, :1] - drop[every]
        border = np.rint(np.minimum(np.maximum(np.maximum(lines, arcs), 0), axis)).astype(np.int64)
        score = np.take(gains.ravel(), border + places[every]).sum(axis=1)
        best = int(score.argmax())
        angle, column = -np.arctan(slope[best]), offset[best]
        wide, far = (angles[1] - angles[0]), (offsets[1] - offsets[0])
        angles, offsets = angle + wide * np.linspace(-0.8, 0.8, 7), column + far * np.linspace(-0.8, 0.8, 7)
    is_side = (lines[best] >= arcs[best]) & (lines[best] >= 0) & (lines[best] <= axis)
    support = float(edges.ravel()[(border[best] + places)[is_side]].mean()) if is_side.any() else 0.0
    return Side(float(column - slope[best] * (extent.top + _ANCHOR * height)), float(slope[best]), support)


def _mirror(side: Side, other: Side, columns: int, extent: Extent) -> Side:
    if side.support >= WEAK or other.support < STRONG or side.slope <= other.slope:
        return side
    row = extent.top
    start = columns - other.start - 2 * other.slope * row + 0.0
    # the other's column at the top row, seen from this side
    at = columns - (other.start + other.slope * row)
    return Side(at - other.slope * row, other.slope, 0.0)


def _gains(clear: UInt8Array, echo: UInt8Array, axis: int, cost: float) -> tuple[FloatArray, FloatArray]:
    """Give what it is worth to begin a row at a column, [R, axis + 1]."""
    worth = np.where(clear > 0, np.float32(1.0), np.where(echo > 0, np.float32(-cost * HALO), np.float32(-cost)))
    held = np.cumsum(worth[:, axis::-1], axis=1)[:, ::-1]
    padded = cv2.copyMakeBorder(np.ascontiguousarray(clear), 0, 0, EDGE_PX, EDGE_PX, cv2.BORDER_CONSTANT, value=0)
    sums = np.zeros((len(clear), padded.shape[1] + 1), np.float32)
    np.cumsum(padded, axis=1, out=sums[:, 1:])
    at = slice(EDGE_PX, EDGE_PX + axis + 1)
    edge = sums[:, 2 * EDGE_PX :][:, : axis + 1] - 2 * sums[:, at] + sums[:, : axis + 1]
    edge = np.ascontiguousarray(edge) / np.float32(EDGE_PX)
    return held + np.float32(EDGE_WORTH_PX) * edge, edge


def _fill(
    left: tuple[float, float], right: tuple[float, float], clear: UInt8Array, echo: UInt8Array
) -> tuple[BoolArray, Extent]:
    """Fill the wedge as far down, up and aside as there is echo, [h, w]."""
    height, width = clear.shape
    row = (right[0] - left[0]) / (left[1] - right[1])
    column = left[0] + left[1] * row
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    inside = (x >= left[0] + left[1] * y - 0.5) & (x <= right[0] + right[1] * y + 0.5) & (y >= row)
    inside = _cut_sides(inside, clear)
    worth = np.where(clear > 0, np.float32(1.0), np.where(echo > 0, np.float32(0.0), np.float32(-DEPTH_COST)))
    radius = np.sqrt((x - np.float32(column)) ** 2 + (y - np.float32(row)) ** 2)
    rings = np.rint(radius).astype(np.int64)
    rowwise = (worth * inside).sum(axis=1)
    seen_rows = np.flatnonzero((clear * inside).any(axis=1))
    if not len(seen_rows):
        return inside, Extent(0, 0, 0)
    best, chosen = -np.inf, inside
    for foot in {int(seen_rows[-1]), int(np.cumsum(rowwise).argmax())}:
        cut = inside & (y <= foot)
        gains = np.cumsum(np.bincount(rings[cut], worth[cut]))
        if len(gains) and gains.max() > best:
            best, chosen = gains.max(), cut & (rings <= gains.argmax())
    top = _top(chosen, clear, row)
    chosen = chosen & (y >= top)
    used = np.flatnonzero(chosen.any(axis=1))
    if not len(used):
        return inside, Extent(0, 0, 0)
    foot = int(used[-1])
    reach = float(radius[chosen].max() - (top - row if row < top else 0))
    return chosen, Extent(int(used[0]), foot, reach)


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
    rows = np.flatnonzero(seen > 0)
    if not len(rows):
        return 0
    gains = np.cumsum((seen - DEPTH_COST * (widths - seen))[::-1])
    first = len(widths) - 1 - int(gains.argmax())
    apex = int(np.ceil(apex_row))
    near = slice(first, first + 3)
    is_flat = seen[near].sum() >= FLAT_TOP_FRACTION * widths[near].sum() and first - apex > 3
    is_near = first - apex <= MOST_LOST_FRACTION * (rows[-1] - apex)
    return max(apex, 0) if is_near and not is_flat else first
