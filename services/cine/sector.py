"""Find the ultrasound sector: what moves is echo, what stands still is screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine.cine import BoolArray, Region, UInt8Array
from services.cine.sector_echo import CODEC_BLOCK_PX, Echo, mark_echo, open_up
from services.cine.sector_outline import fit_outline, outline

LEAST_PART_FRACTION = 0.1
"""Parts of at least this share of the largest one's area, in its columns, are of the same sector: a dark cavity may
part it from one side to the other."""

LEAST_STILL_PART_FRACTION = 0.03
"""The same of a still, whose dark parts are not seen at all, "in its columns" left out."""

LEAST_STILL_HEIGHT_FRACTION = 0.12
"""Parts of a still that are lower than this share of the frame are lines of text, traces and marks."""

LEAST_AREA_FRACTION = 0.08
"""A sector covers at least this share of the frame."""

LEAST_SOLIDITY = 0.6
"""Share of the sector's outline that must be echo, cavities included: letters, curves and frames fill less."""

LEAST_FILLED = 0.4
"""Share of a fitted sector that must be echo, gaps closed: more than half of a sector may be cavity and shadow."""

MOST_TOP_WIDTH_FRACTION = 0.8
"""A sector is narrower near the probe: its width a tenth of the way down over its largest width."""

MOST_POINTED_FRACTION, LEAST_TOP_FILL = 0.35, 0.6
"""Width of the first tenth of a fitted sector over its largest width, up to which it begins near a point; one that does
not was cut there, and has echo over more than half of that tenth."""

MARGIN_FRACTION = 0.12
"""How far beside its solid part a sector may go on, share of the frame's width: specks of a dark side lie there."""

MOST_LEFT_OUT_FRACTION = 0.04
"""More than this share of what surely is echo does not lie outside a fitted sector."""

LEAST_BOX_FILL = 0.9
"""Share of its bounding box that an enlarged detail fills: a box, the corner of which a side may cut."""

MOST_BOX_ASPECT = 2.5
"""Longer side of that box over the shorter one: what is flatter is a strip."""

LEAST_LIKENESS = 0.5
"""Correlation of neighbours across in an enlarged detail: speckle is as wide as the beam, in real clips 0.7 and more
even without all that is coarse; noise has none."""

_SPECK_PX = 3  # of the thumbnail


@dataclass(frozen=True)
class Sector:
    """Where echo is in the frame.

    Attributes:
        outline_px: convex outline in full-size frame coordinates (column, row), shape [K, 2] float32, px.
        rows, columns: size of the frame, px.
        is_moving: whether motion told it from what is drawn on the screen; otherwise brightness did, or a person.
    """

    outline_px: NDArray[np.float32]
    rows: int
    columns: int
    is_moving: bool = False

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
    echo = mark_echo(thumbnails, round(CODEC_BLOCK_PX / max(scale)))
    echo = echo if tissue is None else echo.within(tissue, scale)
    hull, body = None, None
    for body in _moving_bodies(echo.possible) if echo.is_moving else _still_bodies(echo.clear):
        hull = _sector_hull(echo, body)
        if hull is not None:
            break
    if hull is None and body is not None and echo.is_moving:
        hull = _box_hull(body & echo.clear, np.asarray(thumbnails[len(thumbnails) // 2]), tissue is not None)
    if hull is None:
        return None
    corners = hull[:, 0, :].astype(np.float32)  # [K, 1, 2] -> [K, 2]
    outline_px = (corners + 0.5) * np.array(scale[::-1], np.float32) - 0.5
    return Sector(outline_px, rows, columns, echo.is_moving)


def _moving_bodies(echo: UInt8Array) -> Iterator[UInt8Array]:
    """Give the largest part of the echo with what lies above and below it, then alone: [h, w] of 0 and 1 each.

    Thin lines (traces, letters) are opened away and gaps closed first.
    """
    side = max(_SPECK_PX, round(min(echo.shape) * 0.03) | 1)
    gap = np.ones((2 * side + 1, 2 * side + 1), np.uint8)
    padded = np.pad(open_up(echo, side), 2 * side)  # closing must not run into the border
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


def _still_bodies(clear: UInt8Array) -> Iterator[UInt8Array]:
    """Give all parts of a still that are high enough for echo, then the largest alone: [h, w] of 0 and 1 each."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    opened = cv2.morphologyEx(clear, cv2.MORPH_OPEN, cross)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    is_high = stats[:, cv2.CC_STAT_HEIGHT] >= LEAST_STILL_HEIGHT_FRACTION * len(clear)
    area = stats[:, cv2.CC_STAT_AREA] * is_high
    area[0] = 0  # what is not echo
    if area.any():
        yield np.asarray((area >= LEAST_STILL_PART_FRACTION * area.max())[labels], np.uint8)
        yield np.asarray(labels == area.argmax(), np.uint8)


def _sector_hull(echo: Echo, body: UInt8Array) -> NDArray[np.int32] | None:
    """Fit a sector to a part of the echo, or take the part's own outline; (column, row), [K, 1, 2]."""
    solid = open_up(echo.clear & body, _SPECK_PX)
    fitted = fit_outline(echo, _around(body) if echo.is_moving else body)
    if fitted is not None:
        inside = _filled(fitted, body.shape)
        if echo.is_moving and solid.any() and (solid > inside).sum() > MOST_LEFT_OUT_FRACTION * solid.sum():
            fitted = np.asarray(cv2.convexHull(np.concatenate([fitted, outline(solid)])), np.int32)
            inside = _filled(fitted, body.shape)
        closed = np.asarray(cv2.morphologyEx(echo.clear, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
        if _is_sector_shaped(inside) and closed[inside > 0].mean() >= LEAST_FILLED and _begins_with(closed, inside):
            return fitted
    if not solid.any():
        return None
    hull = outline(solid)
    inside = _filled(hull, body.shape)
    contours, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.asarray(cv2.drawContours(np.zeros_like(body), contours, -1, 1, cv2.FILLED), np.uint8)
    is_solid = np.count_nonzero(whole & inside) >= LEAST_SOLIDITY * inside.sum()
    return hull if is_solid and _is_sector_shaped(inside) else None


def _around(body: UInt8Array) -> UInt8Array:
    """Give the rows and columns of a part and some more beside it, [h, w]."""
    left, top, width, height = cv2.boundingRect(body)
    margin = round(MARGIN_FRACTION * body.shape[1])
    near = np.zeros_like(body)
    near[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin] = 1
    return near


def _filled(hull: NDArray[np.int32], shape: tuple[int, ...]) -> UInt8Array:
    return np.asarray(cv2.fillPoly(np.zeros(shape, np.uint8), [hull], 1), np.uint8)


def _is_sector_shaped(inside: UInt8Array) -> bool:
    widths = inside.sum(axis=1)
    used = widths[widths > 0]
    return bool(inside.mean() >= LEAST_AREA_FRACTION and used[len(used) // 10] <= MOST_TOP_WIDTH_FRACTION * used.max())


def _begins_with(echo: UInt8Array, inside: UInt8Array) -> bool:
    """Tell whether an outline that is wide on top has echo there, from side to side: its sides are not steeper."""
    rows = np.flatnonzero(inside.any(axis=1))
    top = slice(rows[0], rows[0] + max(1, len(rows) // 10))
    widths = inside.sum(axis=1)
    is_pointed = widths[top].max() < MOST_POINTED_FRACTION * widths.max()
    return bool(is_pointed or (echo & inside)[top].sum() >= LEAST_TOP_FILL * widths[top].sum())


def _box_hull(echo: UInt8Array, frame: UInt8Array, is_named: bool) -> NDArray[np.int32] | None:
    """Give the outline of a detail that was cut from a sector and enlarged, (column, row), [K, 1, 2].

    Without a region that DICOM names, what fills the whole frame may be any picture.
    """
    solid = open_up(echo, _SPECK_PX)
    left, top, width, height = cv2.boundingRect(solid)
    is_whole = width * height >= LEAST_BOX_FILL * solid.size
    is_flat = max(width, height) > MOST_BOX_ASPECT * min(width, height)
    if is_flat or width * height < LEAST_AREA_FRACTION * solid.size or (is_whole and not is_named):
        return None
    hull = outline(solid)
    inside = _filled(hull, solid.shape)
    pixels = frame[top : top + height, left : left + width].astype(np.float32)
    pairs = np.stack([pixels[:, 1:].ravel(), pixels[:, :-1].ravel()])
    if inside.sum() < LEAST_BOX_FILL * width * height or (solid & inside).sum() < LEAST_SOLIDITY * inside.sum():
        return None
    return hull if pairs.std(axis=1).min() > 0 and np.corrcoef(pairs[0], pairs[1])[0][1] >= LEAST_LIKENESS else None
