"""Tell a curved probe's sector from a heart probe's by where its sides meet and by the arc on which it begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import BoolArray, FloatArray

SIDE_ROWS = (0.05, 0.55)
"""Share of the height over which a sector's sides are straight: further down the arc of its end begins."""

LEAST_ROWS = 20
"""Of fewer rows no side is told, px of the thumbnail."""

MOST_SIDE_ERROR_PX = 1.0
"""Sides that are further from a line are bent: a zoomed box, whose corners are cut by the sector."""

LEAST_OPENING_DEG = 56.0
"""Curved abdominal probes see 60 to 75 degrees. A heart probe's zoom that begins on an arc as wide is narrower, up to
53 in simulated cines."""

NEAR_SHARES = (0.2, 0.45)
"""From where the sides meet to the first echo, over the way to the last: a curved probe of 50 to 60 mm radius at depths
of 8 to 19 cm. A heart probe's sides meet in it: where its near field is dark, up to 0.19 is missing."""

MOST_ARC_GREY = 0.4
"""Mean grey between the arc and its chord over that of as broad a band under the arc: there is no echo before a probe's
face. Curved probes have up to 0.35 after codecs, views that are cut straight 0.5 and more."""

LEAST_ARC_PX = 20
"""Fewer pixels between arc and chord do not tell."""

_EDGE_PX = 1.5  # the uncertain border between them


@dataclass(frozen=True)
class Fan:
    """A sector's two sides, px of the thumbnail.

    Attributes:
        apex: column and row where they meet.
        opening_deg: angle between them.
        near_px, far_px: rows from there to the sector's first and past its last one.
        half_px: half of the width of its first row.
    """

    apex: tuple[float, float]
    opening_deg: float
    near_px: float
    far_px: float
    half_px: float


def is_curved_probe(grey: FloatArray, inside: BoolArray) -> bool:
    """Tell whether a sector [h, w] of mean greys [h, w] was seen by a curved probe: its sides meet far above it."""
    fan = fit_fan(inside)
    if fan is None or fan.opening_deg < LEAST_OPENING_DEG:
        return False
    if not NEAR_SHARES[0] <= fan.near_px / fan.far_px <= NEAR_SHARES[1]:
        return False
    return arc_grey(grey, inside, fan) <= MOST_ARC_GREY


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
    if max(float(np.abs(error).max()) for error in errors) > MOST_SIDE_ERROR_PX or right_slope <= left_slope:
        return None
    row = (left_start - right_start) / (right_slope - left_slope)
    return Fan(
        apex=(float(left_start + left_slope * row), float(row)),
        opening_deg=float(np.rad2deg(np.arctan(right_slope) - np.arctan(left_slope))),
        near_px=float(rows[0] - row),
        far_px=float(rows[-1] + 1 - row),
        half_px=float((right_slope - left_slope) * (rows[0] - row) / 2),
    )


def arc_grey(grey: FloatArray, inside: BoolArray, fan: Fan) -> float:
    """Give the mean grey [h, w] between the arc on which a fan begins and its chord over that under the arc.

    A chord so short that too few pixels lie between them gives 1: no arc is seen.
    """
    row, column = np.ogrid[: inside.shape[0], : inside.shape[1]]
    radius = np.hypot(column - fan.apex[0], row - fan.apex[1])
    arc = float(np.hypot(fan.near_px, fan.half_px))
    before = inside & (radius < arc - _EDGE_PX)
    after = inside & (radius >= arc + 1) & (radius < arc + 1 + max(arc - fan.near_px, 2.0))
    if before.sum() < LEAST_ARC_PX or not after.any():
        return 1.0
    return float(grey[before].mean() / max(1.0, grey[after].mean()))
