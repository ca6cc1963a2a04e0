"""What is wrong with a cine, in words that a sonographer can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from services.cine.cine import BoolArray, Cine, FloatArray, UInt8Array
from services.cine.sector import Sector

COLOUR_CHROMA = 70
"""Largest minus smallest of R, G and B, the scanner's tint taken away, above which a pixel is coloured."""

STRONGEST_TINT = 0.5
"""Least over largest of R, G and B in a tinted grey map, sepia for one; flow is purer than that."""

LEAST_TINTED_GREY = 32
"""Darker pixels do not tell a tint."""

COLOUR_AREA_FRACTION = 0.004
"""A colour Doppler box colours at least this share of the sector."""

STILL_MOTION_GREY = 0.5
"""Mean temporal standard deviation inside the sector, grey levels, under which nothing moves."""

LEAST_FRAMES = 8
LEAST_DURATION_MS = 400.0
"""Half a beat at 75 beats a minute: less shows neither a valve opening nor a wall moving."""


class FindingCode(StrEnum):
    """What validation can see."""

    COLOUR_DOPPLER = "COLOUR_DOPPLER"
    STILL = "STILL"
    TOO_SHORT = "TOO_SHORT"
    NO_SECTOR = "NO_SECTOR"
    NOT_ULTRASOUND = "NOT_ULTRASOUND"
    SPLIT_VIEW = "SPLIT_VIEW"
    ABNORMAL_COLOURING = "ABNORMAL_COLOURING"
    SPECTRAL_DOPPLER = "SPECTRAL_DOPPLER"
    M_MODE = "M_MODE"
    FROZEN = "FROZEN"
    DARK = "DARK"
    SATURATED = "SATURATED"
    FOREIGN_PICTURE = "FOREIGN_PICTURE"
    DAMAGED_FRAMES = "DAMAGED_FRAMES"


class Severity(StrEnum):
    """Whether a finding rejects the cine."""

    WARNING = "WARNING"
    REJECT = "REJECT"


@dataclass(frozen=True)
class Finding:
    """One thing that validation saw.

    Attributes:
        code: which.
        message: what was found, what was expected, what to do.
        severity: whether it rejects the cine.
    """

    code: FindingCode
    message: str
    severity: Severity = Severity.REJECT


NOT_ULTRASOUND = Finding(
    FindingCode.NOT_ULTRASOUND, "The file says that it is not ultrasound. Send an echocardiogram cine loop."
)
NO_SECTOR = Finding(
    FindingCode.NO_SECTOR,
    "No ultrasound sector was found. Send a B-mode cine whose sector fills a twelfth of the image or more.",
)


def validate(cine: Cine, motion: FloatArray, sector: Sector, colour_frames: UInt8Array) -> tuple[Finding, ...]:
    """Look for what makes a B-mode cine unusable.

    Args:
        cine: for its times.
        motion: temporal standard deviation of its reduced frames, [h, w], grey levels.
        sector: where its echo is.
        colour_frames: some frames in colour, reduced, [N, h', w', 3].

    Returns:
        What was found; empty for a usable cine.
    """
    colour_reduction = -(-cine.rows // colour_frames.shape[1])
    found = (
        find_colour(colour_frames, sector.mask(colour_reduction)),
        find_still(cine, motion, sector),
        find_too_short(cine),
    )
    return tuple(finding for finding in found if finding is not None)


def find_colour(frames: UInt8Array, inside: BoolArray) -> Finding | None:
    """Look for a colour Doppler box: coloured pixels inside the sector, [N, h, w, 3] and [h, w]."""
    coloured = max(float((_chroma(_untinted(frame, inside))[inside] > COLOUR_CHROMA).mean()) for frame in frames)
    if coloured < COLOUR_AREA_FRACTION:
        return None
    message = f"Colour Doppler covers {coloured:.1%} of the sector. Send the same view without colour."
    return Finding(FindingCode.COLOUR_DOPPLER, message)


def _untinted(frame: UInt8Array, inside: BoolArray) -> UInt8Array:
    """Take the tint of the grey map away: it colours most of the sector alike, flow only a part, [h, w, 3]."""
    pixels = frame[inside].astype(np.float32)  # [h, w, 3] -> [P, 3]
    largest = pixels.max(axis=1, keepdims=True)
    is_bright = largest[:, 0] >= LEAST_TINTED_GREY
    if not is_bright.any():
        return frame
    tint = np.median(pixels[is_bright] / largest[is_bright], axis=0)
    return frame if tint.min() < STRONGEST_TINT else np.asarray(frame * (tint.min() / tint), np.uint8)


def _chroma(frame: UInt8Array) -> UInt8Array:
    """Give the largest minus the smallest of R, G and B: [h, w, 3] to [h, w]."""
    red, green, blue = cv2.split(frame)
    largest, smallest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return np.asarray(cv2.subtract(largest, smallest), np.uint8)


def find_still(cine: Cine, motion: FloatArray, sector: Sector) -> Finding | None:
    """Look for a still: one frame, or frames that do not move inside the sector."""
    if cine.frame_count == 1:
        return Finding(FindingCode.STILL, "The file holds one frame. Send a cine loop of at least one heart beat.")
    if motion[sector.mask(-(-cine.rows // motion.shape[0]))].mean() >= STILL_MOTION_GREY:
        return None
    return Finding(FindingCode.STILL, "The frames do not move. Send a cine loop, not a frozen image.")


def find_too_short(cine: Cine) -> Finding | None:
    """Look for a cine too short to see the heart move; a single frame is a still instead."""
    if cine.frame_count == 1:
        return None
    step_ms = float(np.diff(cine.frame_times_ms).mean())
    duration_ms = float(cine.frame_times_ms[-1]) + step_ms
    if cine.frame_count >= LEAST_FRAMES and duration_ms >= LEAST_DURATION_MS:
        return None
    message = (
        f"{cine.frame_count} frames in {duration_ms:.0f} ms are too short: at least {LEAST_FRAMES} frames and "
        f"{LEAST_DURATION_MS:.0f} ms are needed. Send a whole heart beat."
    )
    return Finding(FindingCode.TOO_SHORT, message)
