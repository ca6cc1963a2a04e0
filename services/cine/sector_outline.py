"""The sector as a shape: two straight sides that meet at the probe, an arc or a straight cut below.

Of a dark side or a dark near field little is seen. What is seen fixes the sides and the arc, and these fix the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine.cine import BoolArray, FloatArray, IntArray, UInt8Array
from services.cine.sector_echo import Echo

CODEC_COST_FRACTION = 0.3
"""What a pixel that may be a codec's noise costs of that."""

DEPTH_COST = 0.3
"""What a dark pixel costs where the depth is told: far echo is weaker than that at the sides."""

EDGE_PX = 3
"""Over how many pixels it is seen that echo begins at a side."""

LEAST_ROWS = 12
"""Of fewer rows no side is told."""

LEAST_OPENING = 0.25
"""Of both sides together, columns a row: 14 degrees, half of the narrowest sector in use."""

SIDE_ANGLES_RAD = (-0.2, 1.05)
"""Of a side to straight down: a narrow sector that is steered far has one side that leans inwards; no heart probe sees
more than 60 degrees to a side."""

SHIFTS = (-0.85, 0.35)
"""Where a side may lie from the middle of the echo at the anchor, share of how far the echo reaches."""

CUT_FRACTION = 0.25
"""Share of the rows whose echo begins on one column, from which a side is cut upright."""

REACH_PERCENTILE = 99.0
"""Of the distances of echo from the top: the arc ends a side, and hardly anything lies beyond it."""

MOST_LOST_FRACTION = 0.35
"""Share of the depth, from the point where the sides meet, that may be too dark to be seen."""

FLAT_TOP_FRACTION = 0.6
"""Share of the width that has echo in the first rows, from which the top was cut and nothing was lost in the dark."""

_EDGE = np.repeat(np.array([[-1, 1]], np.float32), EDGE_PX, axis=1)
_SAME_PX = 3
_ROWS = 40  # of the thumbnail that are looked at, at most
_COARSE_ROWS = 2
_BOTH = np.arange(2)
_STAGES = 3  # of the search for a side, each within one step of the last
_ANCHOR = 0.45  # share of the depth at which lines are shifted: there angle and shift are told apart


@dataclass(frozen=True)
class Prices:
    """What a side is judged by, in pixels of echo.

    Letters and marks never begin on a line, and near the probe, where beams lie close, no part of the sector is dark.
    n: nearness, from 1 at the top to 0 at the foot.

    Attributes:
        dark, dark_power: a dark pixel inside costs dark * n ** dark_power.
        edge, edge_near, edge_power: a row whose echo begins at the side is worth
            edge * (1 + edge_near * n ** edge_power).
    """

    dark: float
    dark_power: int
    edge: float
    edge_near: float
    edge_power: int


MOVING_PRICES = Prices(dark=0.3, dark_power=1, edge=4.0, edge_near=2.0, edge_power=1)
STILL_PRICES = Prices(dark=1.2, dark_power=3, edge=4.0, edge_near=4.0, edge_power=2)
"""What moves is echo, however seldom, and hardly anything beside it moves. Of a still, the sides are seen near the
probe if anywhere."""


def _grid(angles: FloatArray, shifts: FloatArray) -> tuple[FloatArray, FloatArray]:
    angle, shift = np.meshgrid(angles, shifts)
    return angle.ravel().astype(np.float32), shift.ravel().astype(np.float32)


_ANGLES, _SHIFTS = 15, 24  # of the first search
_COARSE = _grid(
    np.linspace(*SIDE_ANGLES_RAD, _ANGLES, dtype=np.float32), np.linspace(*SHIFTS, _SHIFTS, dtype=np.float32)
)
_FINE = _grid(*(np.linspace(-1, 1, 7, dtype=np.float32),) * 2)
_FIRST_STEP = 0.8 * np.array([np.ptp(SIDE_ANGLES_RAD) / (_ANGLES - 1), np.ptp(SHIFTS) / (_SHIFTS - 1)])
_STEPS = np.stack([_FIRST_STEP, _FIRST_STEP * 0.8 / 3]).astype(np.float32)


@dataclass(frozen=True)
class _View:
    """The rows between which the sector lies, and what tells where its sides are.

    Attributes:
        top, foot: first and last row, px.
        axis: column in the middle of the echo, px.
        reach: how far echo reaches from the middle of the first row, px.
    """

    top: int
    foot: int
    axis: int
    reach: float

    def is_like(self, other: _View) -> bool:
        """Tell whether looking again would tell nothing new."""
        moved = abs(self.top - other.top), abs(self.foot - other.foot), abs(self.axis - other.axis)
        return max(moved) <= _SAME_PX


@dataclass(frozen=True)
class _Wedge:
    """Two sides: column = start + slope * row, px."""

    left: tuple[float, float]
    right: tuple[float, float]

    @property
    def apex(self) -> tuple[float, float]:
        """Where they meet: column, row."""
        row = (self.right[0] - self.left[0]) / (self.left[1] - self.right[1])
        return self.left[0] + self.left[1] * row, row


def fit_outline(echo: Echo, near: UInt8Array) -> NDArray[np.int32] | None:
    """Fit a sector to what is seen of it.

    Args:
        echo: what may be echo, [h, w].
        near: where it may be, 0 and 1, [h, w].

    Returns:
        Its convex outline (column, row), [K, 1, 2], or None where there are no two sides.
    """
    clear = echo.clear & near
    prices = MOVING_PRICES if echo.is_moving else STILL_PRICES
    worth = _worth(clear, echo, prices.dark)
    view = _look(clear, 0, len(clear) - 1)
    inside = None
    for _ in range(2):
        if view is None:
            return None
        wedge = _fit_sides(clear, worth, view, prices)
        if wedge.right[1] - wedge.left[1] < LEAST_OPENING:
            return None
        inside = _fill(wedge, clear, _worth(clear, echo, DEPTH_COST))
        rows = np.flatnonzero(inside.any(axis=1))
        if not len(rows):
            return None
        before, view = view, _look(clear & inside, int(rows[0]), int(rows[-1]))
        if view is not None and view.is_like(before):
            break
    return None if inside is None else outline(inside)


def outline(inside: BoolArray | UInt8Array) -> NDArray[np.int32]:
    """Give the convex outline of a mask [h, w] that is not empty: (column, row), [K, 1, 2]."""
    rows = np.flatnonzero(inside.any(axis=1))
    first = inside[rows].argmax(axis=1)
    last = inside.shape[1] - 1 - inside[rows][:, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([first, rows], axis=1), np.stack([last, rows], axis=1)])
    return np.asarray(cv2.convexHull(ends.astype(np.int32)), np.int32)


def _worth(clear: UInt8Array, echo: Echo, cost: float) -> FloatArray:
    """Give what each pixel is worth inside, [h, w]."""
    prices = np.array([-cost, -cost * CODEC_COST_FRACTION, 1.0], np.float32)
    return prices[np.maximum(2 * clear, echo.possible)]


def _look(clear: UInt8Array, top: int, foot: int) -> _View | None:
    y, x = np.nonzero(clear[top : foot + 1])
    if not len(y) or y[-1] - y[0] < LEAST_ROWS:
        return None
    some = x[::4]
    axis = int(np.partition(some, len(some) // 2)[len(some) // 2])
    squares = (y[::4] - y[0]) ** 2 + (some - axis) ** 2
    place = int(REACH_PERCENTILE / 100 * (len(squares) - 1))
    return _View(top + int(y[0]), top + int(y[-1]), axis, float(np.sqrt(np.partition(squares, place)[place])))


def _fit_sides(clear: UInt8Array, worth: FloatArray, view: _View, prices: Prices) -> _Wedge:
    """Find the sides with the most echo and the least dark between each and the axis, and echo that begins there."""
    rows = np.arange(view.top, view.foot + 1, -(-(view.foot + 1 - view.top) // _ROWS))
    width = clear.shape[1]
    both = np.stack([worth[rows], worth[rows, ::-1]]), np.stack([clear[rows], clear[rows, ::-1]])  # [2, R, w]
    axes = np.array([view.axis, width - 1 - view.axis])
    height = view.foot - view.top
    depth = (rows - view.top).astype(np.float32)
    nearness = 1 - depth / np.float32(height)
    dear = nearness**prices.dark_power
    both = np.where(both[0] < 0, both[0] * dear[:, None], both[0]), both[1]
    gains = _gains(*both, axes, prices.edge / EDGE_PX * (1 + prices.edge_near * nearness**prices.edge_power))
    drop = np.sqrt(np.maximum(np.float32(view.reach**2) - depth * depth, 0))
    ends = axes.astype(np.float32)[:, None, None]
    starts_of_rows = np.arange(2 * len(rows)).reshape(2, 1, -1) * width
    angles = shifts = np.zeros((2, 1), np.float32)
    for stage in range(_STAGES):
        (turn, move), step = (_FINE, _STEPS[stage - 1]) if stage else (_COARSE, np.ones(2, np.float32))
        tried, moved = angles + turn * step[0], shifts + move * step[1]  # [2, L], or [1, L] for both
        every = slice(None, None, 1 if stage else _COARSE_ROWS)
        down = depth[every] - np.float32(_ANCHOR * height)
        lines = (axes[:, None] + moved * view.reach)[..., None].astype(np.float32) - np.tan(tried)[..., None] * down
        border = np.maximum(lines, lines[..., :1] - drop[every])  # [2, L, R]
        np.minimum(np.maximum(border, 0, out=border), ends, out=border)
        places = (border + np.float32(0.5)).astype(np.intp) + starts_of_rows[:, :, every]
        best = np.einsum("ijk->ij", gains.ravel().take(places)).argmax(axis=1)
        angles, shifts = tried[_BOTH, best][:, None], moved[_BOTH, best][:, None]
    slopes = -np.tan(angles[:, 0])
    starts = axes + shifts[:, 0] * view.reach - slopes * (view.top + _ANCHOR * height)
    left, right = (float(starts[0]), float(slopes[0])), (width - 1 - float(starts[1]), -float(slopes[1]))
    return _Wedge(left, right)


def _gains(worth: FloatArray, clear: UInt8Array, axes: IntArray, edge_worth: FloatArray) -> FloatArray:
    """Give what it is worth to begin a row at a column and end it at the axis, [2, R, w]."""
    sums = np.cumsum(worth, axis=2)
    ends = np.stack([sums[side, :, axis] for side, axis in enumerate(axes)])[..., None]
    held = ends - sums + worth
    rows = clear.reshape(-1, clear.shape[2]).astype(np.float32)
    edge = cv2.filter2D(rows, cv2.CV_32F, _EDGE, anchor=(EDGE_PX, 0), borderType=cv2.BORDER_CONSTANT)
    return held + edge.reshape(held.shape) * edge_worth[:, None]


def _fill(wedge: _Wedge, clear: UInt8Array, worth: FloatArray) -> BoolArray:
    """Fill the wedge as far down, up and aside as there is echo, [h, w]."""
    height, width = clear.shape
    column, row = wedge.apex
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    left, right = (start + slope * y for start, slope in (wedge.left, wedge.right))
    inside = (x >= left - 0.5) & (x <= right + 0.5) & (y >= row)
    seen = clear.astype(bool) & inside
    inside = _cut_left(_cut_left(inside, seen)[:, ::-1], seen[:, ::-1])[:, ::-1]
    rings = np.rint(np.sqrt((x - np.float32(column)) ** 2 + (y - np.float32(row)) ** 2)).astype(np.int64)
    lines = np.flatnonzero(seen.any(axis=1))
    best, chosen = -np.inf, inside
    for foot in {int(lines[-1]), int(np.cumsum((worth * inside).sum(axis=1)).argmax())} if len(lines) else ():
        above = inside & (y <= foot)
        gains = np.cumsum(np.bincount(rings[above], worth[above], 1))
        if gains.max() > best:
            best, chosen = float(gains.max()), above & (rings <= gains.argmax())
    kept: BoolArray = chosen & (y >= _top(chosen, chosen & seen, row))
    return kept


def _cut_left(inside: BoolArray, seen: BoolArray) -> BoolArray:
    """Cut a shape where its echo begins on one column, or its neighbour, in many rows."""
    used = np.flatnonzero(seen.any(axis=1))
    counts = np.bincount(seen[used].argmax(axis=1), minlength=seen.shape[1] + 1)
    cuts = np.flatnonzero(counts[:-1] + counts[1:] >= max(1.0, CUT_FRACTION * len(used)))
    if not len(cuts) or seen[:, : cuts[0]].any():
        return inside
    kept: BoolArray = inside & (np.arange(inside.shape[1]) >= cuts[0])
    return kept


def _top(inside: BoolArray, seen: BoolArray, apex_row: float) -> int:
    """Give the first row: that of the apex, or where echo begins from side to side at once."""
    widths, echo = inside.sum(axis=1), seen.sum(axis=1)
    rows = np.flatnonzero(echo)
    if not len(rows):
        return 0
    first = len(widths) - 1 - int(np.cumsum((echo - DEPTH_COST * (widths - echo))[::-1]).argmax())
    apex = int(np.ceil(max(apex_row, 0.0)))
    begins = slice(first, first + 3)
    is_cut = first - apex > 3 and echo[begins].sum() >= FLAT_TOP_FRACTION * widths[begins].sum()
    is_near = first - apex_row <= MOST_LOST_FRACTION * (rows[-1] - apex_row)
    return apex if is_near and not is_cut else first
