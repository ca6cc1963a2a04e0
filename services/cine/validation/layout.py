"""How a screen is laid out: what lies beside the sector, how the sector is shaped, what runs along a strip."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.cine.cine import BoolArray, FloatArray, IntArray, UInt8Array

DETAIL_GREY = 8
"""Largest minus smallest grey of 3 x 3 pixels from which there is detail: speckle, letters, edges; paper has none."""

VISIBLE_GREY = 24
"""A codec leaves less on black."""

FLAT_GREY = 4
"""Least detail that a codec leaves on a flat background."""

LETTER_PX = 3
"""Letters and lines are thinner than this, px of the thumbnail."""

GAP_FRACTION = 0.03
"""Holes up to this share of the short side are closed; the sector's own border is this uncertain."""

STRIP_ROWS = (0.5, 0.9)
"""Where a strip of spectral Doppler or M-mode runs, alone or under a small sector, share of the height."""

SWEEP_PAIRS = 5
"""Pairs of frames that are compared; a cursor moves in each of them."""

MOST_SHIFT_PX = 8
"""A strip scrolls by at most this much a frame, px of the thumbnail."""

MOVING_GREY = 0.6
"""Temporal deviation of echo, grey levels, however dark it is."""

UPRIGHT_WIDTH = 0.96
"""Of the largest width, from which the sides of an outline are upright."""

TIME_SAMPLES = 16
"""Frames that tell what changes in the course of a cine; the extreme of either end may be damage and is left out."""

MOVED_SHARE = 0.8
"""Of all that changes from one frame to the next; the columns that hold it are counted."""


@dataclass(frozen=True)
class Part:
    """One part of the picture that has detail.

    Attributes:
        area_fraction: of the picture, convex outline included.
        top_width: its width a tenth of the way down over its largest width.
        width_fraction: of the picture's width.
        box_fill: share of its bounding box inside its convex outline.
    """

    area_fraction: float
    top_width: float
    width_fraction: float
    box_fill: float


@dataclass(frozen=True)
class StripMotion:
    """What happens where a strip would run.

    Attributes:
        moved_grey: mean change from one frame to the next, grey levels.
        columns_fraction: share of the columns that hold most of it: few under a sweeping cursor.
        shift_ratio: what is left of it when the picture is shifted sideways: little in a strip that scrolls.
        detail_fraction: share of it that has detail.
        steepness: change from row to row over change from column to column: lines along time are M-mode.
        filled_rows: share of its rows that have detail over most of the width.
    """

    moved_grey: float
    columns_fraction: float
    shift_ratio: float
    detail_fraction: float
    steepness: float
    filled_rows: float


def detail(frame: UInt8Array) -> UInt8Array:
    """Give largest minus smallest grey of 3 x 3 pixels, [h, w]."""
    around = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.subtract(cv2.dilate(frame, around), cv2.erode(frame, around)), np.uint8)


def gap_px(frame: UInt8Array | BoolArray) -> int:
    """Give the size of holes that are closed, odd, px."""
    return max(3, int(min(frame.shape[:2]) * GAP_FRACTION + 0.5) | 1)


def around(inside: BoolArray) -> BoolArray:
    """Give the sector with its uncertain border, [h, w]."""
    side = 2 * gap_px(inside) + 1
    return cv2.dilate(inside.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)


def parts(frame: UInt8Array, without: BoolArray | None = None, least_fraction: float = 0.01) -> list[Part]:
    """Give the parts of a frame [h, w] that have detail, thin lines and letters left out, the largest first."""
    marked = ((detail(frame) >= DETAIL_GREY) & (frame > VISIBLE_GREY // 2)).astype(np.uint8)
    if without is not None:
        marked[without] = 0
    small, side = np.ones((3, 3), np.uint8), gap_px(frame)
    solid = cv2.morphologyEx(cv2.morphologyEx(marked, cv2.MORPH_OPEN, small), cv2.MORPH_CLOSE, small)
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = [_part(np.asarray(cv2.convexHull(contour), np.int32), frame.shape) for contour in contours]
    return sorted((p for p in found if p.area_fraction >= least_fraction), key=lambda p: -p.area_fraction)


def _part(hull: IntArray, shape: tuple[int, ...]) -> Part:
    filled = np.zeros(shape, np.uint8)
    cv2.fillPoly(filled, [hull], 1)
    _, _, width, height = cv2.boundingRect(hull)
    area = int(filled.sum())
    return Part(area / filled.size, top_width(filled), width / shape[1], area / (width * height))


def top_width(filled: UInt8Array | BoolArray) -> float:
    """Give the width of a shape [h, w] a tenth of the way down over its largest width."""
    widths = filled.sum(axis=1)
    used = widths[widths > 0]
    return float(used[len(used) // 10] / used.max()) if len(used) else 0.0


def upright_fraction(inside: BoolArray) -> float:
    """Give the share of the height over which both sides of a shape [h, w] stand upright on its foot.

    Sides that the border of the picture cuts do not count.
    """
    rows = np.flatnonzero(inside.any(axis=1))
    first = inside.argmax(axis=1)[rows]
    last = inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)[rows]
    widest = (last - first).max()
    is_upright = (last - first >= UPRIGHT_WIDTH * widest) & (first > 1) & (last < inside.shape[1] - 2)
    foot = len(rows) // 10
    return float(is_upright.mean()) if is_upright[-max(1, foot)] else 0.0


def echo_mask(frame: UInt8Array, motion: FloatArray, inside: BoolArray) -> UInt8Array:
    """Mark what is seen or moves inside the sector, small gaps closed, 0 and 1, all [h, w]."""
    seen = (motion > MOVING_GREY) | (detail(frame) >= DETAIL_GREY) | (frame > VISIBLE_GREY // 2)
    solid = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    side = gap_px(frame)
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    return np.asarray(solid * inside, np.uint8)


def least_reach(echo: UInt8Array, inside: BoolArray) -> float:
    """Give how far echo reaches across its outline, both [h, w], in the row where it reaches least; 1 all the way.

    An outline that leads round two pictures has rows between them where hardly anything or nothing is seen.
    """
    rows = np.flatnonzero(inside.any(axis=1))
    reach = _reach(echo[rows]) / inside[rows].sum(axis=1)
    return float(reach[len(rows) // 10 :].min(initial=1.0))


def waist(echo: UInt8Array) -> float:
    """Give how far a shape [h, w] narrows between two wide parts, across or down: 1 not at all, 0 to nothing.

    A sector grows wider and then ends; two sectors, beside or above each other, have a waist between them.
    """
    return min(_narrowing(echo), _narrowing(echo.T))


def _narrowing(echo: UInt8Array) -> float:
    used = np.flatnonzero(echo.any(axis=1))
    if not len(used):
        return 1.0
    lines = echo[used[0] : used[-1] + 1]
    smooth = cv2.blur(_reach(lines).astype(np.float32)[:, None], (1, 3))[:, 0]
    before, after = np.maximum.accumulate(smooth), np.maximum.accumulate(smooth[::-1])[::-1]
    wide = np.minimum(before, after)
    counts = wide >= 0.6 * smooth.max()
    return float((smooth[counts] / wide[counts]).min())


def _reach(lines: UInt8Array) -> IntArray:
    """Give the columns from the first to the last mark of each line, [h]; 0 where there is none."""
    ends = lines.shape[1] - lines[:, ::-1].argmax(axis=1) - lines.argmax(axis=1)
    return np.asarray(np.where(lines.any(axis=1), ends, 0), np.int32)


def flat_fraction(frame: UInt8Array, outside: BoolArray) -> float:
    """Give the share of the outside [h, w] that is one of its two commonest greys: black screen, or white paper.

    Bright letters do not count.
    """
    frame = np.asarray(cv2.morphologyEx(frame, cv2.MORPH_OPEN, np.ones((LETTER_PX, LETTER_PX), np.uint8)))
    grey = frame[outside & (detail(frame) <= FLAT_GREY)] // FLAT_GREY
    if not outside.any():
        return 1.0
    counts = np.bincount(grey, minlength=256 // FLAT_GREY).astype(np.int64)
    pairs = counts[:-1] + counts[1:]
    best = int(pairs.argmax())
    others = np.delete(pairs, [max(0, best - 1), best, min(len(pairs) - 1, best + 1)])
    return float((pairs[best] + others.max()) / outside.sum())


def changed_fraction(thumbnails: UInt8Array, without: BoolArray) -> float:
    """Give the share of the picture outside `without` [h, w] that changes in the course of a cine [T, h, w].

    Thin things do not count: the trace of an ECG, a clock, a pointer.
    """
    if len(thumbnails) < 4:
        return 0.0
    places = np.unique(np.linspace(0, len(thumbnails) - 1, TIME_SAMPLES).round().astype(int))
    samples = np.sort(thumbnails[places], axis=0)
    changed = ((cv2.subtract(samples[-2], samples[1]) >= VISIBLE_GREY) & ~without).astype(np.uint8)
    closed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    side = gap_px(without)
    return float(cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)).mean())


def strip_motion(thumbnails: UInt8Array) -> StripMotion:
    """Measure what happens where a strip would run, [T, h, w]."""
    count, height, _ = thumbnails.shape
    rows = slice(int(STRIP_ROWS[0] * height), int(STRIP_ROWS[1] * height))
    middle = thumbnails[count // 2, rows]
    is_detail = detail(middle) >= DETAIL_GREY
    edge = is_detail[:-1, :-1]
    down = cv2.absdiff(middle[1:], middle[:-1])[:, :-1][edge]
    across = cv2.absdiff(middle[:, 1:], middle[:, :-1])[:-1][edge]
    starts = sorted({(count - 1) * pair // SWEEP_PAIRS for pair in range(SWEEP_PAIRS)}) if count > 1 else []
    changes = [_change(thumbnails[start, rows], thumbnails[start + 1, rows]) for start in starts]
    moved, columns, shift = np.median(changes, axis=0) if changes else (0.0, 1.0, 1.0)
    return StripMotion(
        moved_grey=float(np.mean([change[0] for change in changes])) if changes else float(moved),
        columns_fraction=float(columns),
        shift_ratio=float(shift),
        detail_fraction=float(is_detail.mean()),
        steepness=float(down.mean() / max(1.0, across.mean())) if edge.any() else 1.0,
        filled_rows=float((is_detail.mean(axis=1) >= 0.5).mean()),
    )


def _change(frame: UInt8Array, following: UInt8Array) -> tuple[float, float, float]:
    """Give mean change, share of the columns that hold MOVED_SHARE of it, and what a sideways shift leaves of it."""
    change = cv2.absdiff(frame, following)
    columns = np.sort(change.sum(axis=0, dtype=np.int64))[::-1]
    total = int(columns.sum())
    held = float(np.searchsorted(np.cumsum(columns), MOVED_SHARE * total) / len(columns)) if total else 1.0
    edge = MOST_SHIFT_PX
    still = following[:, edge:-edge]
    width = still.shape[1]
    left = [float(cv2.absdiff(frame[:, s : s + width], still).mean()) for s in range(2 * edge + 1)]
    others = left[:edge] + left[edge + 1 :]
    return float(change.mean()), held, min(others) / max(left[edge], 0.3)
