"""Find the ultrasound sector: what moves is echo, what stands still is screen."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine.cine import BoolArray, FloatArray, Region, UInt8Array

MOVING_SD_GREY = 0.6
"""Temporal standard deviation, grey levels, above which a pixel is echo: noise alone moves more than this in the
darkest corner of a sector, text and black screen do not."""

CODEC_NOISE_FRACTION = 0.15
"""Share of the strongest motion below which it may be a codec's noise around edges and letters."""

CODEC_BLOCK_PX = 16
"""A codec spreads noise over at most one macroblock (ITU-T T.81, H.264): motion beyond that is echo, however weak."""

STILL_GREY = 10
"""Grey level above which a pixel of a cine that does not move may be echo."""

LEAST_AREA_FRACTION = 0.08
"""A sector covers at least this share of the frame."""

LEAST_SOLIDITY = 0.6
"""Share of the sector's outline that must be echo: letters, curves and frames fill less."""

MOST_TOP_WIDTH_FRACTION = 0.8
"""A sector is narrower near the probe: its width a tenth of the way down over its largest width."""


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


def find_sector(
    thumbnails: UInt8Array, motion: FloatArray, rows: int, columns: int, tissue: Region | None = None
) -> Sector | None:
    """Find the sector from motion, or from brightness where nothing moves.

    Args:
        thumbnails: all frames, grey and reduced, [T, h, w].
        motion: their `temporal_sd`, [h, w].
        rows: H of a full frame, px.
        columns: W of a full frame, px.
        tissue: the two-dimensional tissue region, where DICOM names one (PS3.3 C.8.5.5): nothing outside it counts.

    Returns:
        The sector, or None where no part of the image looks like one.
    """
    scale = rows / thumbnails.shape[1], columns / thumbnails.shape[2]
    weak, strong = (
        _sector_hull(echo if tissue is None else _inside(echo, tissue, scale)) for echo in _echoes(thumbnails, motion)
    )
    hull = weak if strong is None else strong
    if hull is None:
        return None
    if weak is not None and _reach(weak, hull) * max(scale) > CODEC_BLOCK_PX:
        hull = weak
    outline = hull[:, 0, :].astype(np.float32)  # [K, 1, 2] -> [K, 2]
    return Sector((outline + 0.5) * np.array(scale[::-1], np.float32) - 0.5, rows, columns)


def _echoes(thumbnails: UInt8Array, motion: FloatArray) -> tuple[UInt8Array, UInt8Array]:
    """Mark the pixels that may be echo, and those that are more than a codec's noise: two [h, w] of 0 and 1."""
    moving = motion > MOVING_SD_GREY
    if moving.mean() < LEAST_AREA_FRACTION:
        bright = np.asarray(thumbnails.max(axis=0) > STILL_GREY, np.uint8)
        return bright, bright
    noise_grey = CODEC_NOISE_FRACTION * float(np.percentile(motion, 95))
    return np.asarray(moving, np.uint8), np.asarray(moving & (motion > noise_grey), np.uint8)


def _reach(outer: NDArray[np.int32], inner: NDArray[np.int32]) -> float:
    """Measure how far one outline reaches beyond another, both [K, 1, 2], px."""
    return max(-cv2.pointPolygonTest(inner, (float(x), float(y)), True) for x, y in outer[:, 0])


def _sector_hull(echo: UInt8Array) -> NDArray[np.int32] | None:
    """Give the convex hull of the largest part of the echo, [K, 1, 2], where it looks like a sector."""
    body = _largest_part(echo)
    if body is None or body.mean() < LEAST_AREA_FRACTION:
        return None
    contours, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.asarray(cv2.convexHull(max(contours, key=cv2.contourArea)), np.int32)
    return hull if _is_sector_shaped(hull, body) else None


def _inside(echo: UInt8Array, region: Region, scale: tuple[float, float]) -> UInt8Array:
    kept = np.zeros_like(echo)
    rows = slice(int(region.top_px / scale[0]), int(region.bottom_px / scale[0]) + 1)
    columns = slice(int(region.left_px / scale[1]), int(region.right_px / scale[1]) + 1)
    kept[rows, columns] = echo[rows, columns]
    return kept


def _largest_part(echo: UInt8Array) -> UInt8Array | None:
    """Give the largest connected part once thin lines (traces, letters) are opened away and gaps closed."""
    side = max(3, round(min(echo.shape) * 0.03) | 1)
    opened = cv2.morphologyEx(echo, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    gap = np.ones((2 * side + 1, 2 * side + 1), np.uint8)
    padded = np.pad(opened, 2 * side)  # closing must not run into the border
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, gap)[2 * side : -2 * side, 2 * side : -2 * side]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(closed), connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(labels == largest, np.uint8)


def _is_sector_shaped(hull: NDArray[np.int32], body: UInt8Array) -> bool:
    filled = np.zeros_like(body)
    cv2.fillPoly(filled, [hull], 1)
    widths = filled.sum(axis=1)
    used = widths[widths > 0]
    is_solid = body.sum() >= LEAST_SOLIDITY * filled.sum()
    return bool(is_solid and used[len(used) // 10] <= MOST_TOP_WIDTH_FRACTION * used.max())
