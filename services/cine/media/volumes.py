"""Arrays of samples, as research formats store them, become cines: which axis is time, and what is black and white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine.cine import (
    DEFAULT_FRAME_TIME_MS,
    Cine,
    CineFormat,
    Region,
    RegionKind,
    TimingSource,
    UInt8Array,
)
from services.cine.errors import CineUnreadableError, CineUnsupportedError, Reason
from services.cine.media.decoded_frames import DecodedFrames

WHITE = 255.0

SHORTEST_STEP_MS, LONGEST_STEP_MS = 1.0, 1_000.0
"""From one frame to the next, the second not included. Files without a time axis of their own carry a spacing of 0 or 1
there, and ITK writes "seconds" beside it: an ultrasound cine of one frame a second is no cine."""


@dataclass(frozen=True)
class Volume:
    """What a research format holds.

    Attributes:
        samples: grey [T, H, W] of any real type, or RGB [T, H, W, 3] uint8, as stored.
        slope, intercept: a sample's value is slope * sample + intercept.
        spacing_mm: of rows and columns, mm per px; None where the file does not say.
        step_ms: from frame to frame, ms; None where the file does not say.
    """

    samples: NDArray[Any]
    slope: float = 1.0
    intercept: float = 0.0
    spacing_mm: tuple[float, float] | None = None
    step_ms: float | None = None


def as_cine(volume: Volume, kind: CineFormat) -> Cine:
    """Make a cine of a volume.

    Values within 0 to 255 that reach beyond 1 are grey levels already, whatever type they are stored in, as in public
    sets that keep 8-bit pictures as int16 or float. All others are stretched linearly, their least to black and their
    largest to white, over the whole cine so that nothing flickers: no such file says what its black and white are.
    A value that is no number is black.
    """
    count, rows, columns = volume.samples.shape[:3]
    low, high = (0.0, WHITE) if volume.samples.ndim == 4 else _black_and_white(volume)
    frames = DecodedFrames()
    for samples in volume.samples:
        if samples.ndim == 3:
            frames.append(np.asarray(cv2.cvtColor(samples, cv2.COLOR_RGB2GRAY), np.uint8), samples, 0.0)
            continue
        grey = _grey(samples, volume, low, high)
        frames.append(grey, np.repeat(grey[..., None], 3, axis=2) if frames.wants_colour else None, 0.0)
    is_timed = count > 1 and volume.step_ms is not None and SHORTEST_STEP_MS <= volume.step_ms < LONGEST_STEP_MS
    step_ms = volume.step_ms if is_timed and volume.step_ms is not None else DEFAULT_FRAME_TIME_MS
    return Cine(
        format=kind,
        rows=rows,
        columns=columns,
        frame_times_ms=np.arange(count, dtype=np.float64) * step_ms,
        timing_source=TimingSource.CONTAINER if is_timed else TimingSource.NONE,
        regions=_whole_frame(rows, columns, volume.spacing_mm),
        is_ultrasound=True,
        store=frames,
    )


def _black_and_white(volume: Volume) -> tuple[float, float]:
    """Give the values that become black and white."""
    if volume.samples.dtype == np.uint8 and (volume.slope, volume.intercept) == (1.0, 0.0):
        return 0.0, WHITE
    ends = np.array([_ends(frame) for frame in volume.samples], np.float64)  # [T, 2]
    with np.errstate(all="ignore"):  # hostile values overflow
        low, high = sorted(np.array([ends[:, 0].min(), ends[:, 1].max()]) * volume.slope + volume.intercept)
        is_range = np.isfinite(high - low) and low < high
    return (float(low), float(high)) if is_range and not (low >= 0 and 1 < high <= WHITE) else (0.0, WHITE)


def _ends(frame: NDArray[Any]) -> tuple[float, float]:
    known = frame[np.isfinite(frame)] if frame.dtype.kind == "f" else frame
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _grey(samples: NDArray[Any], volume: Volume, low: float, high: float) -> UInt8Array:
    if samples.dtype == np.uint8 and (volume.slope, volume.intercept, low, high) == (1.0, 0.0, 0.0, WHITE):
        return np.asarray(samples, np.uint8)
    with np.errstate(all="ignore"):  # hostile values overflow
        scaled = (samples.astype(np.float64) * volume.slope + volume.intercept - low) * (WHITE / (high - low))
    return np.asarray(np.rint(np.clip(np.nan_to_num(scaled), 0, WHITE)), np.uint8)


def _whole_frame(rows: int, columns: int, spacing_mm: tuple[float, float] | None) -> tuple[Region, ...]:
    """Say what one pixel measures: research formats hold nothing but the tissue image."""
    if spacing_mm is None or min(rows, columns) < 2:
        return ()
    return (Region(0, 0, columns - 1, rows - 1, RegionKind.TISSUE, *spacing_mm),)


def unreadable(reason: Reason, found: str, expected: str) -> CineUnreadableError:
    """Make the error of a file whose header or samples are damaged."""
    advice = "Write the file again and send all of it."
    return CineUnreadableError(reason, found=found, expected=expected, advice=advice)


def unsupported(found: str) -> CineUnsupportedError:
    """Make the error of a sound file that holds something else than a cine."""
    return CineUnsupportedError(
        Reason.PIXELS_UNSUPPORTED,
        found=found,
        expected="one image or a sequence of images, grey or 8-bit RGB",
        advice="Export the cine as a sequence of two-dimensional frames.",
    )
