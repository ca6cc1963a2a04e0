"""A cine for a person to look at: small, grey, and black wherever there is no echo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.cine.cine import FloatArray, IntArray, TimesArray, UInt8Array
from services.cine.intake import IntakeOptions, look_at
from services.cine.sector import Sector

MOST_FRAMES = 60
"""Frames of a film: two seconds at the rate of a screen, and two heart beats of most cines."""

MOST_SIDE_PX = 480
"""Longer side of a film: speckle is seen, and one fits into a message."""


@dataclass(frozen=True)
class Film:
    """What of a cine is shown.

    Attributes:
        frames: [T, H, W] uint8, T at most MOST_FRAMES, the longer side at most MOST_SIDE_PX; black outside the sector.
        times_ms: start of each frame since the first of the cine, [T], ms, never falling.
        outline_px: the sector's outline in the film (column, row), [N, 2] float32; None without a sector, and then all
            frames are black.
    """

    frames: UInt8Array
    times_ms: TimesArray
    outline_px: FloatArray | None


def make_film(data: bytes | memoryview, options: IntakeOptions) -> Film:
    """Read one cine and make it fit for a screen on which nobody's name may show.

    Scanners write names beside the sector, so only what is inside it is shown, grey. Of what `take_in` finds no sector
    in, and of screens that it does not take for one view, no pixel is decoded: nobody knows what they show. Letters
    over the echo itself stay.

    Args:
        data: the whole file.
        options: its format and limits; what a model would be shown does not count.

    Raises:
        CineUnreadableError, CineUnsupportedError, LimitExceededError: as `read_cine`.
    """
    seen = look_at(data, options)
    cine = seen.cine
    shown = _evenly(seen.kept)
    scale = min(1.0, MOST_SIDE_PX / max(cine.rows, cine.columns))
    rows, columns = (max(1, round(scale * side)) for side in (cine.rows, cine.columns))
    frames = np.zeros((len(shown), rows, columns), np.uint8)
    times_ms = cine.frame_times_ms[shown]
    if seen.sector is None:
        return Film(frames, times_ms, None)
    outline_px = _scaled(seen.sector, columns, rows)
    inside = Sector(outline_px, rows, columns).mask()
    reduction = cine.reduction_for(max(cine.rows, cine.columns), MOST_SIDE_PX)
    for frame, index in zip(frames, shown, strict=True):
        whole = cine.store.grey(int(index), reduction)
        frame[inside] = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)[inside]
    return Film(frames, times_ms, outline_px)


def _evenly(kept: IntArray) -> IntArray:
    """Choose at most MOST_FRAMES, the first and the last among them: [N] to [T]."""
    places = np.linspace(0, len(kept) - 1, min(len(kept), MOST_FRAMES)).round().astype(int)
    return np.asarray(kept[places], np.int64)


def _scaled(sector: Sector, columns: int, rows: int) -> FloatArray:
    """Bring the outline into the film; the centre of the first pixel is (0, 0) in both: [K, 2] to [K, 2]."""
    scale = np.array([columns / sector.columns, rows / sector.rows], np.float32)
    return np.asarray((sector.outline_px + 0.5) * scale - 0.5, np.float32)
