"""Find the ultrasound sector: what moves is echo, what stands still is screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine.cine import BoolArray, FloatArray, Region, UInt8Array
from services.cine.sector_outline import fit_sector

STRETCHES, STRETCH_FRAMES = 5, (4, 12)
"""Motion is measured in up to five stretches of four to twelve frames, spread over the cine, and the middle one counts:
echo flickers in all of them; a damaged frame, the cursor of an ECG or a clock changes a pixel in few."""

LEAST_STRETCHES = 3
"""Of fewer there is no middle one: all frames are one stretch."""

MOVING_SD_GREY = 0.3
"""Temporal standard deviation, grey levels, above which a pixel is echo: one frame of a stretch that is off by one
level. The noise alone is more in the darkest corner of a sector; text and black screen do not change."""

NOISE_FACTOR = 2.5
"""Echo moves this much more than the quietest corner of the frame, which is not still where a video was digitised: two
and a half deviations of noise are rare enough for the specks to be opened away."""

CODEC_NOISE_FRACTION = 0.15
"""Share of the strongest motion nearby below which it may be a codec's noise around edges and letters."""

CODEC_BLOCK_PX = 16
"""A codec spreads noise over at most one macroblock (ITU-T T.81, H.264): nearby means within that."""

STILL_GREY = 10
"""Grey level above which a pixel of a cine that does not move may be echo."""

LEAST_PART_FRACTION = 0.1
"""Parts of at least this share of the largest one's area, in its columns, are of the same sector: a dark cavity may
part it from one side to the other."""

LEAST_AREA_FRACTION = 0.08
"""A sector covers at least this share of the frame."""

LEAST_SOLIDITY = 0.6
"""Share of the sector's outline that must be echo, cavities included: letters, curves and frames fill less."""

MOST_TOP_WIDTH_FRACTION = 0.8
"""A sector is narrower near the probe: its width a tenth of the way down over its largest width."""

SIDE_SUPPORT_FRACTION = 0.4
"""Share of the rows whose first pixel lies on one line, from which that line is a side of the sector."""

SIDE_TOLERANCE_PX = 1.0
"""How far from that line, px of the thumbnail."""

MOST_CUT_FRACTION = 0.02
"""What lies beyond a side may be a trace, a clock or a heart that blinks; more than this share of the echo is echo."""

STILL_PART = 0.1
WASH = 4
UNION = 0
NO_LINES = 1
STILL_OPEN = 1
LEAST_FILLED = 0.4
FLAT_PART = 0.12
MOVING_COST = 0.1
STILL_COST = 0.4
STILL_NOISE_FRACTION = 0.1
LEAST_STILL_GREY = 3.0
_SPECK_PX = 3  # of the thumbnail
_SIDE_ENDS = 16  # rows between which lines are tried


@dataclass(frozen=True)
class Sector:
    """Where echo is in the frame.

    Attributes:
        outline_px: convex outline in full-size frame coordinates (column, row), shape [K, 2] float32, px.
        rows, columns: size of the frame, px.
    """

    outline_px: NDArray[np.float32]
    rows: int
    columns: int

    def mask(self, reduction: int = 1) -> BoolArray:
        """Draw the inside at a reduced size, [ceil(H/reduction), ceil(W/reduction)]."""
        canvas = np.zeros((-(-self.rows // reduction), -(-self.columns // reduction)), np.uint8)
        corners = np.round((self.outline_px + 0.5) / reduction - 0.5).astype(np.int32)
        cv2.fillPoly(canvas, [corners], 1)
        return canvas.astype(bool)

    @property
    def box_px(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of its bounding box, px, right and bottom not included."""
        low, high = np.floor(self.outline_px.min(axis=0)), np.ceil(self.outline_px.max(axis=0)) + 1
        left, top = np.maximum(low, 0).astype(int)
        right, bottom = np.minimum(high, (self.columns, self.rows)).astype(int)
        return int(left), int(top), int(right), int(bottom)


def temporal_sd(frames: UInt8Array) -> FloatArray:
    """Measure how much each pixel changes: [T, h, w] to its standard deviation over time, [h, w], grey levels."""
    total = np.zeros(frames.shape[1:], np.float64)  # float32 loses the small differences of long, bright cines
    squares = np.zeros_like(total)
    for frame in frames:
        cv2.accumulate(frame, total)
        cv2.accumulateSquare(frame, squares)
    mean = total / len(frames)
    return np.asarray(np.sqrt(np.maximum(squares / len(frames) - mean * mean, 0.0)), np.float32)


def find_sector(thumbnails: UInt8Array, rows: int, columns: int, tissue: Region | None = None) -> Sector | None:
    """Find the sector from motion, or from brightness where nothing moves.

    Args:
        thumbnails: all frames, grey and reduced, [T, h, w].
        rows: H of a full frame, px.
        columns: W of a full frame, px.
        tissue: the two-dimensional tissue region, where DICOM names one (PS3.3 C.8.5.5): nothing outside it counts.

    Returns:
        The sector, or None where no part of the image looks like one.
    """
    scale = rows / thumbnails.shape[1], columns / thumbnails.shape[2]
    echo, clear, is_moving = _echo(thumbnails, round(CODEC_BLOCK_PX / max(scale)))
    if tissue is not None:
        echo, clear = _inside(echo, tissue, scale), _inside(clear, tissue, scale)
    for body in _bodies(echo) if is_moving else _still_bodies(clear):
        inside = fit_sector(clear if is_moving else body, echo, MOVING_COST if is_moving else STILL_COST)
        if inside is not None and _is_seen(inside, clear):
            hull = np.asarray(cv2.convexHull(np.argwhere(inside)[:, None, ::-1].astype(np.int32)), np.int32)
            if is_moving and UNION:
                seen = _hull(clear * body)
                if seen is not None:
                    hull = np.asarray(cv2.convexHull(np.concatenate([hull, seen])), np.int32)
                    if UNION > 1:
                        hull = seen
        else:
            hull = _hull(clear * body)
            if hull is None or not _is_sector_shaped(hull, body):
                continue
        outline = hull[:, 0, :].astype(np.float32)  # [K, 1, 2] -> [K, 2]
        return Sector((outline + 0.5) * np.array(scale[::-1], np.float32) - 0.5, rows, columns)
    return None


def _is_seen(inside: BoolArray, clear: UInt8Array) -> bool:
    widths = inside.sum(axis=1)
    used = widths[widths > 0]
    if inside.mean() < LEAST_AREA_FRACTION or used[len(used) // 10] > MOST_TOP_WIDTH_FRACTION * used.max():
        return False
    solid = cv2.morphologyEx(clear, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return bool(solid[inside].mean() >= LEAST_FILLED)


def lasting_sd(frames: UInt8Array) -> FloatArray:
    """Measure how much each pixel changes all the time: [T, h, w] to the middle deviation of STRETCHES, [h, w]."""
    shortest, longest = STRETCH_FRAMES
    count = min(STRETCHES, len(frames) // shortest)
    if count < LEAST_STRETCHES:
        return temporal_sd(frames)
    length = min(longest, len(frames) // count)
    starts = np.linspace(0, len(frames) - length, count).astype(int)
    middle = (count - 1) // 2
    deviations = np.stack([temporal_sd(frames[start : start + length]) for start in starts])
    return np.asarray(np.partition(deviations, middle, axis=0)[middle])


def _echo(thumbnails: UInt8Array, block_px: int) -> tuple[UInt8Array, UInt8Array, bool]:
    """Mark the pixels that may be echo, and those that are more than a codec's noise: two [h, w] of 0 and 1."""
    motion = lasting_sd(thumbnails)
    moving = _open(motion > max(MOVING_SD_GREY, NOISE_FACTOR * _noise_grey(motion)), _SPECK_PX)
    nearby = np.ones((2 * block_px + 1, 2 * block_px + 1), np.uint8)
    if moving.mean() >= LEAST_AREA_FRACTION:
        strongest = cv2.dilate(cv2.blur(motion, (3, 3)), nearby)
        clear = moving * (motion > CODEC_NOISE_FRACTION * strongest)
        if WASH:
            smooth = cv2.blur(thumbnails[len(thumbnails) // 2], (3, 3))
            floor, noise = _background(smooth)
            rough = cv2.subtract(cv2.dilate(smooth, np.ones((3, 3), np.uint8)), cv2.erode(smooth, np.ones((3, 3), np.uint8)))
            wash = _open((smooth > min(STILL_GREY, floor + max(LEAST_STILL_GREY, 3 * noise))) & (rough <= WASH), 5)
            return moving | wash, clear | wash, True
        return moving, clear, True
    frame = thumbnails.max(axis=0)
    floor, noise = _background(frame)
    bright = np.asarray(frame > min(STILL_GREY, floor + max(LEAST_STILL_GREY, 3 * noise)), np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    if NO_LINES:
        long = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((1, bright.shape[1] // 5), np.uint8))
        thick = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((5, 1), np.uint8))
        bright = bright * (1 - long * (1 - thick))
    clear = bright * (frame > STILL_NOISE_FRACTION * cv2.dilate(cv2.blur(frame, (3, 3)), nearby))
    clear = cv2.morphologyEx(clear, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return bright, clear, False


def _still_bodies(clear: UInt8Array) -> Iterator[UInt8Array]:
    opened = clear if STILL_OPEN == 0 else cv2.morphologyEx(clear, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_CROSS if STILL_OPEN == 1 else cv2.MORPH_RECT, (3, 3)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    area, high = stats[:, cv2.CC_STAT_AREA].copy(), stats[:, cv2.CC_STAT_HEIGHT]
    area[(high < FLAT_PART * clear.shape[0])] = 0
    area[0] = 0
    if not area.max():
        return
    yield np.asarray((area >= STILL_PART * area.max())[labels], np.uint8)
    yield np.asarray(labels == area.argmax(), np.uint8)


def _open(echo: UInt8Array | BoolArray, side_px: int) -> UInt8Array:
    """Take away what is narrower than a square: specks, lines, letters."""
    square = np.ones((side_px, side_px), np.uint8)
    return np.asarray(cv2.morphologyEx(np.asarray(echo, np.uint8), cv2.MORPH_OPEN, square), np.uint8)


def _noise_grey(motion: FloatArray) -> float:
    """Give the deviation of the quietest corner of the frame: no sector fills all four."""
    side = max(2, min(motion.shape) // 12)
    low, high = slice(None, side), slice(-side, None)
    return min(float(motion[rows, columns].mean()) for rows in (low, high) for columns in (low, high))


def _background(frame: UInt8Array) -> tuple[float, float]:
    """Give grey and deviation of the darkest corner of a frame."""
    side = max(2, min(frame.shape) // 12)
    low, high = slice(None, side), slice(-side, None)
    corners = [frame[rows, columns] for rows in (low, high) for columns in (low, high)]
    return min((float(corner.mean()), float(corner.std())) for corner in corners)


def _inside(echo: UInt8Array, region: Region, scale: tuple[float, float]) -> UInt8Array:
    kept = np.zeros_like(echo)
    rows = slice(int(region.top_px / scale[0]), int(region.bottom_px / scale[0]) + 1)
    columns = slice(int(region.left_px / scale[1]), int(region.right_px / scale[1]) + 1)
    kept[rows, columns] = echo[rows, columns]
    return kept


def _bodies(echo: UInt8Array) -> Iterator[UInt8Array]:
    """Give the largest part of the echo with what lies above and below it, then alone: [h, w] of 0 and 1 each.

    Thin lines (traces, letters) are opened away and gaps closed first.
    """
    side = max(_SPECK_PX, round(min(echo.shape) * 0.03) | 1)
    gap = np.ones((2 * side + 1, 2 * side + 1), np.uint8)
    padded = np.pad(_open(echo, side), 2 * side)  # closing must not run into the border
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, gap)[2 * side : -2 * side, 2 * side : -2 * side]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(closed), connectivity=4)
    left, width, area = (stats[:, column].copy() for column in (cv2.CC_STAT_LEFT, cv2.CC_STAT_WIDTH, cv2.CC_STAT_AREA))
    area[0] = 0  # what is not echo
    largest = int(np.argmax(area))
    if not area[largest]:
        return
    shared = np.minimum(left + width, left[largest] + width[largest]) - np.maximum(left, left[largest])
    is_kept = (area >= LEAST_PART_FRACTION * area[largest]) & (shared >= width / 2)
    if is_kept.sum() > 1:
        yield np.asarray(is_kept[labels], np.uint8)
    yield np.asarray(labels == largest, np.uint8)


def _hull(echo: UInt8Array) -> NDArray[np.int32] | None:
    """Give the convex hull of the echo without specks and what stands out at its sides, [K, 1, 2]."""
    solid = _open(echo, _SPECK_PX)
    for _ in range(2):
        solid = _cut_left(solid)[:, ::-1]
    contours, _ = cv2.findContours(np.ascontiguousarray(solid), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.convexHull(np.concatenate(contours)), np.int32) if contours else None


def _cut_left(echo: UInt8Array) -> UInt8Array:
    """Cut off what stands out beyond the left side, where that is a straight line: the one on which most rows begin."""
    used = np.flatnonzero(echo.any(axis=1))
    if len(used) < _SIDE_ENDS:
        return echo
    first = echo[used].argmax(axis=1)  # [R]
    ends = np.linspace(0, len(used) - 1, _SIDE_ENDS).astype(int)
    upper, lower = (ends[order] for order in np.triu_indices(_SIDE_ENDS, 3))
    slopes = (first[lower] - first[upper]) / (used[lower] - used[upper])  # [L]
    starts = first[upper] - slopes * used[upper]
    is_near = np.abs(starts[:, None] + slopes[:, None] * used - first) <= SIDE_TOLERANCE_PX  # [L, R]
    best = int(np.argmax(is_near.sum(axis=1)))
    if is_near[best].mean() < SIDE_SUPPORT_FRACTION or slopes[best] > 0:
        return echo
    side = starts[best] + slopes[best] * np.arange(len(echo)) - SIDE_TOLERANCE_PX
    kept = echo * np.asarray(np.arange(echo.shape[1]) >= side[:, None], np.uint8)
    return kept if kept.sum() >= (1 - MOST_CUT_FRACTION) * echo.sum() else echo


def _is_sector_shaped(hull: NDArray[np.int32], body: UInt8Array) -> bool:
    filled = np.zeros_like(body)
    cv2.fillPoly(filled, [hull], 1)
    widths = filled.sum(axis=1)
    used = widths[widths > 0]
    contours, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    echo = np.zeros_like(body)
    cv2.drawContours(echo, contours, -1, 1, cv2.FILLED)
    is_large = filled.mean() >= LEAST_AREA_FRACTION
    is_solid = np.count_nonzero(echo & filled) >= LEAST_SOLIDITY * filled.sum()
    return bool(is_large and is_solid and used[len(used) // 10] <= MOST_TOP_WIDTH_FRACTION * used.max())
