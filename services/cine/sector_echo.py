"""Which pixels of a cine may be echo: what moves, and where nothing moves, what is not black."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.cine.cine import BoolArray, FloatArray, Region, UInt8Array

STRETCHES, STRETCH_FRAMES = 5, (4, 12)
"""Motion is measured in up to five stretches of four to twelve frames, spread over the cine, and the middle one counts:
echo flickers in all of them; a damaged frame, the cursor of an ECG or a clock changes a pixel in few."""

LEAST_STRETCHES = 3
"""Of fewer there is no middle one: all frames are one stretch."""

EXACT_FRAMES = 16
"""Of so many frames the count times the sum of squares is under 2^24: float32 holds every step of it exactly."""

MOVING_SD_GREY = 0.3
"""Temporal standard deviation, grey levels, above which a pixel is echo: one frame of a stretch that is off by one
level. The noise alone is more in the darkest corner of a sector; text and black screen do not change."""

NOISE_FACTOR = 2.5
"""Echo moves this much more than the quietest corner of the frame, which is not still where a video was digitised: two
and a half deviations of noise are rare enough for the specks to be opened away."""

CODEC_NOISE_FRACTION = 0.15
"""Share of the strongest motion nearby below which it may be a codec's noise around edges and letters."""

CODEC_GREY_FRACTION = 0.1
"""The same of a still, of the brightest grey nearby: JPEG at quality 40 rings by up to a tenth of an edge."""

CODEC_BLOCK_PX = 16
"""A codec spreads noise over at most one macroblock (ITU-T T.81, H.264): nearby means within that."""

LEAST_MOVING_FRACTION = 0.08
"""Where less of the frame moves, there is no sector that moves."""

LEAST_STILL_GREY, MOST_STILL_GREY = 3.0, 10.0
"""Grey levels above the darkest corner of the frame from which a pixel that does not move may be echo: three, or three
deviations of that corner. The corner of a frame that echo fills is not black: ten are enough there."""

MEAN_FRAMES, LEAST_MOVING_SHARE = 12, 0.5
"""Under noise, a bright part of the mean of so many frames is echo as a whole when this share of it moves: a near field
that hardly does hangs together with the heart. Letters do not move."""

SMOOTH_GREY = 4
"""Largest minus smallest grey of 3 x 3 pixels up to which a part that does not move is the lifted black of a sector."""

MOST_LIFTED_GREY = 40
"""What is brighter and even is paper or a key."""

LINE_WIDTH_FRACTION, LINE_HEIGHT_PX = 0.2, 5
"""What runs across a fifth of a still and is lower than so many pixels of the thumbnail is a trace or a frame."""

_SPECK_PX = 3  # of the thumbnail
_SMALL = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Echo:
    """What may be echo, 0 and 1, both [h, w].

    Attributes:
        possible: all of it.
        clear: what is more than a codec's noise.
        is_moving: whether motion tells, so that what is drawn on the screen is not among it.
    """

    possible: UInt8Array
    clear: UInt8Array
    is_moving: bool

    def within(self, region: Region, scale: tuple[float, float]) -> Echo:
        """Leave out what lies outside a region of the full frame; `scale`: px of it for one of the thumbnail."""
        rows = slice(int(region.top_px / scale[0]), int(region.bottom_px / scale[0]) + 1)
        columns = slice(int(region.left_px / scale[1]), int(region.right_px / scale[1]) + 1)
        kept = np.zeros_like(self.possible)
        kept[rows, columns] = 1
        return Echo(self.possible * kept, self.clear * kept, self.is_moving)


def mark_echo(thumbnails: UInt8Array, block_px: int) -> Echo:
    """Mark what may be echo in [T, h, w]; `block_px`: CODEC_BLOCK_PX on the thumbnail."""
    motion = lasting_sd(thumbnails)
    least = max(MOVING_SD_GREY, NOISE_FACTOR * _noise_grey(motion))
    moving = open_up(motion > least, _SPECK_PX)
    nearby = np.ones((2 * block_px + 1, 2 * block_px + 1), np.uint8)
    if moving.mean() < LEAST_MOVING_FRACTION:
        return _mark_still(np.asarray(thumbnails.max(axis=0)), nearby)
    strongest = cv2.dilate(cv2.blur(motion, (3, 3)), nearby)
    lifted = _lifted(np.asarray(thumbnails[len(thumbnails) // 2]))
    clear = moving & (motion > CODEC_NOISE_FRACTION * strongest)
    if least > MOVING_SD_GREY:
        lifted |= _joined(thumbnails, nearby, moving)
    return Echo(moving | lifted, np.asarray(clear | lifted, np.uint8), True)


def _mark_still(frame: UInt8Array, nearby: UInt8Array) -> Echo:
    """Mark what is not black; traces and frames are left out."""
    bright = cv2.morphologyEx(np.asarray(frame > _black(frame), np.uint8), cv2.MORPH_CLOSE, _SMALL)
    across = np.ones((1, max(1, int(LINE_WIDTH_FRACTION * frame.shape[1]))), np.uint8)
    wide = cv2.morphologyEx(bright, cv2.MORPH_OPEN, across) > 0
    high = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((LINE_HEIGHT_PX, 1), np.uint8)) > 0
    possible = np.asarray((bright > 0) & ~(wide & ~high), np.uint8)
    clear = possible & (frame > CODEC_GREY_FRACTION * cv2.dilate(cv2.blur(frame, (3, 3)), nearby))
    return Echo(possible, np.asarray(cv2.morphologyEx(clear, cv2.MORPH_CLOSE, _SMALL), np.uint8), False)


def _joined(thumbnails: UInt8Array, nearby: UInt8Array, moving: UInt8Array) -> UInt8Array:
    """Mark the bright parts of the mean frame that move for the most part: noise hides the motion of the rest."""
    some = thumbnails[:: max(1, len(thumbnails) // MEAN_FRAMES)]
    mean = np.asarray(some.mean(axis=0), np.uint8)
    opened = open_up(_mark_still(mean, nearby).clear, _SPECK_PX)
    _, labels = cv2.connectedComponents(opened, connectivity=4)
    areas = np.bincount(labels.ravel())
    moved = np.bincount(labels.ravel(), moving.ravel(), len(areas))
    is_echo = moved >= LEAST_MOVING_SHARE * areas
    is_echo[0] = False  # what is not bright
    return np.asarray(is_echo[labels], np.uint8)


def _lifted(frame: UInt8Array) -> UInt8Array:
    """Mark even parts that are not black: a cavity, or a dark side, of a sector whose black was lifted."""
    smooth = np.asarray(cv2.blur(frame, (3, 3)), np.uint8)
    rough = cv2.subtract(cv2.dilate(smooth, _SMALL), cv2.erode(smooth, _SMALL))
    is_lifted = (smooth > _black(smooth)) & (smooth <= MOST_LIFTED_GREY) & (rough <= SMOOTH_GREY)
    return open_up(is_lifted, _SPECK_PX + 2)


def _black(frame: UInt8Array) -> float:
    """Give the grey level up to which a pixel is black screen, from the darkest corner."""
    floor, noise = min((float(corner.mean()), float(corner.std())) for corner in _corners(frame))
    return min(MOST_STILL_GREY, floor + max(LEAST_STILL_GREY, 3 * noise))


def _noise_grey(motion: FloatArray) -> float:
    """Give the deviation of the quietest corner of the frame: no sector fills all four."""
    return min(float(corner.mean()) for corner in _corners(motion))


def _corners(image: FloatArray | UInt8Array) -> list[FloatArray | UInt8Array]:
    side = max(2, min(image.shape) // 12)
    low, high = slice(None, side), slice(-side, None)
    return [image[rows, columns] for rows in (low, high) for columns in (low, high)]


def open_up(echo: UInt8Array | BoolArray, side_px: int) -> UInt8Array:
    """Take away what is narrower than a square: specks, lines, letters."""
    square = np.ones((side_px, side_px), np.uint8)
    return np.asarray(cv2.morphologyEx(np.asarray(echo, np.uint8), cv2.MORPH_OPEN, square), np.uint8)


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


def temporal_sd(frames: UInt8Array) -> FloatArray:
    """Measure how much each pixel changes: [T, h, w] to its standard deviation over time, [h, w], grey levels."""
    count = len(frames)
    kind = np.float32 if count <= EXACT_FRAMES else np.float64
    total = np.zeros(frames.shape[1:], kind)
    squares = np.zeros_like(total)
    for frame in frames:
        cv2.accumulate(frame, total)
        cv2.accumulateSquare(frame, squares)
    return np.asarray(np.sqrt(np.maximum(count * squares - total * total, 0.0)) / count, np.float32)
