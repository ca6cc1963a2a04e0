"""Tell a curved probe's sector from a heart probe's: its sides meet far above the arc on which its echo begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import BoolArray, FloatArray

SIDE_ROWS = (0.25, 0.6)
"""Share of the height over which a sector's sides are straight: below them the arc of its end begins."""

LEAST_ROWS = 20
"""Of fewer rows no side is told, px of the thumbnail."""

MOST_SIDE_ERROR_PX = 1.0
"""Sides that are further from a line are bent: a zoomed box, whose corners are cut by the sector."""

LEAST_SPREAD = 0.1
"""Columns that the sides run apart a row; in less they meet nowhere: a linear probe's, a zoomed box."""

LEAST_OPENING_DEG = 56.0
"""Curved abdominal probes see 60 to 75 degrees. A heart probe's zoom that begins on an arc as wide is narrower, up to
53 in simulated cines."""

NEAR_SHARES = (0.22, 0.45)
"""From where the sides meet to the first echo, over the way to the last: a curved probe of 50 to 60 mm radius at depths
of 8 to 18 cm. A heart probe's sides meet in it: crops and dark near fields leave up to 0.19 over simulated cines."""

BEAMS = 24
"""Directions that are looked along."""

FIRST_ECHO_FRACTION = 0.4
"""Of the middle grey along a direction, from which there is echo: before a probe's face there is none."""

DARK_PX = 3
"""Before a probe's face so many px or more are dark."""

MOST_FACE_ERROR_PX = 2.0
LEAST_FACE_BEAMS = 0.6
"""A probe's face is round: so many directions begin within so many px of the middle one, and nearer to one distance
than to one depth. A dark near field ends raggedly, a crop of the picture straight."""


@dataclass(frozen=True)
class Fan:
    """A sector's two sides, px of the thumbnail.

    Attributes:
        apex: column and row where they meet.
        left_rad, right_rad: their directions, from straight down to the right.
        far_px: rows from there to past the sector's last one.
    """

    apex: tuple[float, float]
    left_rad: float
    right_rad: float
    far_px: float

    def directions_rad(self) -> FloatArray:
        """Directions between the sides, [BEAMS]."""
        margin = (self.right_rad - self.left_rad) / BEAMS
        return np.linspace(self.left_rad + margin, self.right_rad - margin, BEAMS, dtype=np.float32)


def is_curved_probe(grey: FloatArray, inside: BoolArray) -> bool:
    """Tell whether a sector [h, w] of mean greys [h, w] was seen by a curved probe."""
    fan = fit_fan(inside)
    if fan is None or np.rad2deg(fan.right_rad - fan.left_rad) < LEAST_OPENING_DEG:
        return False
    angles = fan.directions_rad()
    starts = first_echo_px(grey * inside, fan)
    face = float(np.median(starts))
    depths = starts * np.cos(angles)
    is_round = (np.abs(starts - face) <= MOST_FACE_ERROR_PX).mean() >= LEAST_FACE_BEAMS
    is_arc = np.abs(starts - face).mean() < np.abs(depths - np.median(depths)).mean()
    return bool(is_round and is_arc and NEAR_SHARES[0] <= face / fan.far_px <= NEAR_SHARES[1])


def fit_fan(inside: BoolArray) -> Fan | None:
    """Fit lines to the sides of a sector [h, w]; None where they are not straight or do not meet above it."""
    rows = np.flatnonzero(inside.any(axis=1))
    if len(rows) < LEAST_ROWS:
        return None
    part = rows[int(SIDE_ROWS[0] * len(rows)) : int(SIDE_ROWS[1] * len(rows))]
    left = inside[part].argmax(axis=1)
    right = inside.shape[1] - inside[part][:, ::-1].argmax(axis=1)
    (left_slope, left_start), (right_slope, right_start) = np.polyfit(part, left, 1), np.polyfit(part, right, 1)
    errors = left - left_slope * part - left_start, right - right_slope * part - right_start
    if (
        max(float(np.abs(error).max()) for error in errors) > MOST_SIDE_ERROR_PX
        or right_slope - left_slope < LEAST_SPREAD
    ):
        return None
    row = (left_start - right_start) / (right_slope - left_slope)
    apex = float(left_start + left_slope * row), float(row)
    return Fan(apex, float(np.arctan(left_slope)), float(np.arctan(right_slope)), float(rows[-1] + 1 - row))


def first_echo_px(grey: FloatArray, fan: Fan) -> FloatArray:
    """Give how far from a fan's apex the echo of a picture [h, w] begins after DARK_PX without any, [BEAMS]."""
    height, width = grey.shape
    angles = fan.directions_rad()[:, None]
    radii = np.arange(0.0, fan.far_px)[None]
    columns = np.rint(fan.apex[0] + radii * np.sin(angles)).astype(np.int64)
    rows = np.rint(fan.apex[1] + radii * np.cos(angles)).astype(np.int64)
    is_shown = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    lines = grey[rows.clip(0, height - 1), columns.clip(0, width - 1)] * is_shown
    middle = np.median(lines[:, int(NEAR_SHARES[1] * lines.shape[1]) :], axis=1, keepdims=True)
    is_echo = lines > np.maximum(1.0, FIRST_ECHO_FRACTION * middle)
    before = np.pad(is_echo, ((0, 0), (DARK_PX, 0)))
    is_start = is_echo & ~np.stack([before[:, k : k + is_echo.shape[1]] for k in range(DARK_PX)]).any(axis=0)
    return np.asarray(is_start.argmax(axis=1), np.float32)
