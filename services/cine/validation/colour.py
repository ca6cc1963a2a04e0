"""Tell colour Doppler from grey and from a tinted grey map, by how much the colour channels differ and how often.

After the thesis, section 3.7.1: differences between the channels, and a two-sample Kolmogorov-Smirnov test of their
distribution against references.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine.cine import BoolArray, FloatArray, UInt8Array

Int16Array = NDArray[np.int16]

BRIGHTNESS_LEVELS = 16
"""A grey map gives every brightness one colour: the middle colour of each of so many levels is its tint. Brightness is
two thirds the largest channel and one third luma: along every tinted map, rainbows included, that only rises."""

_LEVEL_GREY = 256 // BRIGHTNESS_LEVELS

DARK_LEVELS = (2, 5)
"""Levels of dark echo, grey 32 to 79: a tinted map colours them too, and flow is brighter."""

SATURATION_SLACK = 0.15
"""Tinted maps, rainbows included, are hardly more saturated where they are bright than where they are dark; the slack
is a share of the brightness."""

LEAST_BIN_PIXELS = 8
"""Fewer pixels do not tell the tint of their brightness."""

FLOW_CHROMA = 40
"""Largest minus smallest of R, G and B, the tint taken away, from which a pixel is coloured. Blurred chroma of tinted
maps reaches 31 over simulated cines of all styles and codecs, the palest flow (blended 45:55 with grey) is at 64."""

VISIBLE_GREY = 40
"""Darker pixels do not tell a tint."""

BLURRED_TINT = 0.6
"""Codecs store chroma coarsely: a strong tint bleeds into pixels of another brightness, in rainbows and in small
pictures by more than half of itself."""

MARK_PX = 3
"""Lines, letters and calipers are thinner than this once the frame is reduced; flow is not."""

MOST_WRITTEN_CHANGE = 24
"""Letters change less than this in a cine, largest minus smallest of a channel, codec's noise included. Flow comes and
goes."""

LEAST_FRAMES = 3
"""Of fewer nothing is told to stand still."""

TAIL_FRACTION = 0.01
"""The most coloured hundredth of the sector is compared: small jets are lost in the rest."""

LEVELS = np.array([4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 192])
"""Where distributions are compared, chroma."""

B_MODE_CDF = np.array([0.51, 0.65, 0.75, 0.80, 0.90, 0.94, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
FLOW_CDF = np.array([0.0, 0.0, 0.0, 0.0, 0.01, 0.02, 0.03, 0.06, 0.13, 0.24, 0.30, 0.44])
"""Share of that hundredth at or under each level, over B-mode (half of it tinted) and over colour flow:
`echoplane evaluate colour --cines 378 --seed 300` measured both."""

REFERENCE_SAMPLES = 1000
"""Pixels that stand behind a reference, in the sense of the test."""

PIXELS_A_SAMPLE = 4
"""Chroma is stored for every second pixel and neighbours are alike: four pixels tell as much as an independent one."""

SIGNIFICANCE = 0.01
"""Chance that B-mode differs as much from its reference."""


@dataclass(frozen=True)
class Colouring:
    """How one frame is coloured inside the sector.

    Attributes:
        flow_fraction: share of the sector that is coloured otherwise than its brightness says.
        distance: how far the distribution of chroma lies above that of B-mode, 0 to 1.
        flow_distance: largest difference from the distribution of flow, 0 to 1.
        critical: distance from which chance does not explain it.
        saturation: middle channel difference of the visible pixels, tint included, over their brightness.
    """

    flow_fraction: float
    distance: float
    flow_distance: float
    critical: float
    saturation: float

    @property
    def is_flow_like(self) -> bool:
        """Whether the test says that this is no B-mode and nearer to flow."""
        return self.distance > self.critical and self.flow_distance < self.distance


def find_written(frames: UInt8Array) -> BoolArray:
    """Mark what keeps its colour in all frames [N, h, w, 3], as letters do that cross the sector: [h, w]."""
    if len(frames) < LEAST_FRAMES:
        return np.zeros(frames.shape[1:3], np.bool_)
    change = cv2.subtract(frames.max(axis=0), frames.min(axis=0))
    return np.asarray(_largest(cv2.split(change)) <= MOST_WRITTEN_CHANGE)


def measure_colouring(frame: UInt8Array, inside: BoolArray, written: BoolArray | None = None) -> Colouring:
    """Measure the colours of one frame [h, w, 3] RGB inside a sector [h, w], what is `written` [h, w] left out."""
    channels = cv2.split(frame)
    brightness, difference = _largest(channels), _spread(channels)
    visible = inside & (brightness >= VISIBLE_GREY)
    tinted = difference[visible]
    tint = float(np.median(tinted)) if len(tinted) else 0.0
    values = untinted_chroma(frame, inside)[inside] if tinted.any() else np.zeros(1, np.uint8)
    if written is not None and tinted.any():
        values[written[inside]] = 0
    tail = strongest(values)
    shares = cumulative(tail)
    return Colouring(
        flow_fraction=float((values > FLOW_CHROMA + BLURRED_TINT * tint).mean()) if len(values) else 0.0,
        distance=float((B_MODE_CDF - shares).max()),
        flow_distance=float(np.abs(FLOW_CDF - shares).max()),
        critical=critical_distance(max(1, len(tail) // PIXELS_A_SAMPLE), REFERENCE_SAMPLES, SIGNIFICANCE),
        saturation=float(np.median(tinted / brightness[visible])) if tint else 0.0,
    )


def untinted_chroma(frame: UInt8Array, inside: BoolArray) -> UInt8Array:
    """Give largest minus smallest of R, G and B, the tint and thin marks taken away, [h, w]."""
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    offsets = [cv2.subtract(channel, luma, dtype=cv2.CV_16S) for channel in cv2.split(frame)]
    brightness = np.asarray(cv2.addWeighted(_largest(cv2.split(frame)), 2 / 3, luma, 1 / 3, 0), np.uint8)
    level = brightness // _LEVEL_GREY
    some = inside.copy()
    some[1::2] = some[:, 1::2] = False  # a quarter of the pixels tells the tint as well
    tints = _tints(np.stack([offset[some] for offset in offsets], axis=1), level[some])
    untinted = [offset - tint[level] for offset, tint in zip(offsets, tints.T, strict=True)]
    opened = cv2.morphologyEx(_spread(untinted), cv2.MORPH_OPEN, np.ones((MARK_PX, MARK_PX), np.uint8))
    return np.asarray(opened, np.uint8)


def _tints(offsets: Int16Array, levels: UInt8Array) -> Int16Array:
    """Give the tint of every level of brightness: offsets [P, 3] at levels [P] to [BRIGHTNESS_LEVELS, 3].

    What is more saturated than the dark echo cannot be tint; such a level, and one that hardly occurs, gets the tint of
    the level below.
    """
    greys = (np.arange(BRIGHTNESS_LEVELS) + 0.5) * _LEVEL_GREY
    is_dark = (levels >= DARK_LEVELS[0]) & (levels < DARK_LEVELS[1])
    known = is_dark if is_dark.sum() >= LEAST_BIN_PIXELS else levels >= DARK_LEVELS[0]
    dark = np.median(offsets[known] / greys[levels[known], None], axis=0) if known.any() else np.zeros(3)
    most = greys * (np.ptp(dark) + SATURATION_SLACK)
    tints = np.zeros((BRIGHTNESS_LEVELS, 3), np.int16)
    for number in range(BRIGHTNESS_LEVELS):
        pixels = offsets[levels == number]
        tint = np.median(pixels, axis=0) if len(pixels) >= LEAST_BIN_PIXELS else None
        tints[number] = tint if tint is not None and np.ptp(tint) <= most[number] else tints[max(0, number - 1)]
    return tints


def _largest(channels: Sequence[cv2.typing.MatLike]) -> UInt8Array:
    return np.asarray(cv2.max(cv2.max(channels[0], channels[1]), channels[2]), np.uint8)


def _spread(channels: Sequence[cv2.typing.MatLike]) -> UInt8Array:
    """Give largest minus smallest of three channels, [h, w] each, no more than 255."""
    largest = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    smallest = cv2.min(cv2.min(channels[0], channels[1]), channels[2])
    return np.asarray(cv2.subtract(largest, smallest, dtype=cv2.CV_8U), np.uint8)


def strongest(chroma: UInt8Array) -> UInt8Array:
    """Give the most coloured TAIL_FRACTION of some pixels, [P] to [P / 100]."""
    count = max(1, int(len(chroma) * TAIL_FRACTION))
    return np.partition(chroma, -count)[-count:] if len(chroma) else np.zeros(1, np.uint8)


def cumulative(chroma: UInt8Array) -> FloatArray:
    """Give the share of some pixels at or under each of LEVELS."""
    counts = np.cumsum(np.bincount(chroma, minlength=256))
    return np.asarray(counts[LEVELS] / len(chroma), np.float32)


def critical_distance(first: int, second: int, significance: float) -> float:
    """Give the distance of two empirical distributions that chance exceeds with this probability.

    Args:
        first: size of one sample.
        second: size of the other.
        significance: probability, of the two-sided test.

    Reference:
        Smirnov 1948, Table for estimating the goodness of fit of empirical distributions; asymptotic, first term.
    """
    return math.sqrt(-math.log(significance / 2) / 2 * (first + second) / (first * second))
