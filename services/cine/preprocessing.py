"""From frames to model input and back: mask the outside, crop to the sector, keep the aspect ratio, 112 x 112.

The only place where pixels are scaled and axes change order; training, serving and export share it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from services.cine.cine import Cine, FloatArray, IntArray, UInt8Array
from services.cine.sector import Sector

MODEL_SIDE_PX = 112
"""Rows and columns of the model's input, as in the thesis."""

_OVERSAMPLING = 2
"""Frames are decoded reduced as long as the sector keeps this many pixels for each pixel of the model."""


@dataclass(frozen=True)
class Placement:
    """Where the model's square lies in the source frame.

    Attributes:
        left_px, top_px: its corner, source px; may be negative, the square may reach over the border.
        side_px: its side, source px.
    """

    left_px: float
    top_px: float
    side_px: float

    def to_source(self, points_px: FloatArray) -> FloatArray:
        """Carry points (column, row) [..., 2] from the model's input to the source frame, px."""
        corner = np.array([self.left_px, self.top_px], np.float32)
        return (points_px + 0.5) * np.float32(self.side_px / MODEL_SIDE_PX) + corner - 0.5

    def to_model(self, points_px: FloatArray) -> FloatArray:
        """Carry points (column, row) [..., 2] from the source frame to the model's input, px."""
        corner = np.array([self.left_px, self.top_px], np.float32)
        return (points_px - corner + 0.5) * np.float32(MODEL_SIDE_PX / self.side_px) - 0.5


def place(sector: Sector) -> Placement:
    """Put a square around the sector's bounding box, centred."""
    left, top, right, bottom = sector.box_px
    side = max(right - left, bottom - top)
    return Placement((left + right - side) / 2, (top + bottom - side) / 2, side)


def preprocess_cine(cine: Cine, sector: Sector, indices: IntArray) -> FloatArray:
    """Turn chosen frames of a cine into model input, decoding no more pixels than that takes.

    Args:
        cine: where the frames are.
        sector: what to keep of them.
        indices: which frames, [N].

    Returns:
        [N, 1, 112, 112] float32 in [-1, 1], -1 outside the sector.

    Raises:
        CineUnreadableError: a frame is damaged.
    """
    reduction = cine.reduction_for(int(place(sector).side_px), _OVERSAMPLING * MODEL_SIDE_PX)
    return preprocess(cine.grey_frames(indices, reduction), sector, reduction)


def preprocess(frames: UInt8Array, sector: Sector, reduction: int = 1) -> FloatArray:
    """Turn decoded grey frames into model input.

    Args:
        frames: [N, ceil(H/reduction), ceil(W/reduction)].
        sector: what to keep, in full-size coordinates.
        reduction: how much smaller than the source the frames are.

    Returns:
        [N, 1, 112, 112] float32 in [-1, 1], -1 outside the sector.
    """
    mask = sector.mask(reduction).astype(np.uint8)
    placement = place(sector)
    corner = round(placement.left_px / reduction), round(placement.top_px / reduction)
    side = max(1, round(placement.side_px / reduction))
    squares = [_resize(_cut(frame * mask, corner, side)) for frame in frames]
    return to_tensor(np.stack(squares))


def to_tensor(squares: UInt8Array) -> FloatArray:
    """Scale [N, 112, 112] of 0..255 to [N, 1, 112, 112] in [-1, 1]."""
    return squares[:, None].astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def to_frames(tensor: FloatArray) -> UInt8Array:
    """Undo `to_tensor`: [N, 1, 112, 112] in [-1, 1] to [N, 112, 112] of 0..255."""
    return np.asarray(np.clip(np.rint((tensor[:, 0] + 1.0) * 127.5), 0, 255), np.uint8)


def restore(tensor: FloatArray, sector: Sector) -> UInt8Array:
    """Undo `preprocess` as far as pixels allow: put the squares back into full-size frames, black outside the sector.

    Args:
        tensor: [N, 1, 112, 112] in [-1, 1].
        sector: the one that `preprocess` was given.

    Returns:
        [N, H, W].
    """
    placement = place(sector)
    side, left, top = round(placement.side_px), round(placement.left_px), round(placement.top_px)
    frames = np.zeros((len(tensor), sector.rows, sector.columns), np.uint8)
    rows = slice(max(0, top), min(sector.rows, top + side))
    columns = slice(max(0, left), min(sector.columns, left + side))
    for frame, square in zip(frames, to_frames(tensor), strict=True):
        large = cv2.resize(square, (side, side), interpolation=cv2.INTER_LINEAR)
        frame[rows, columns] = large[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return frames * sector.mask().astype(np.uint8)


@cache
def preprocessing_fingerprint() -> str:
    """Digest what preprocessing does to a golden cine: weights trained on other pixels must not be served.

    The golden frame is made of whole numbers and shrinks by exactly three, so every processor rounds it alike. A change
    of the source text that changes no pixel changes no fingerprint.
    """
    rows, columns = np.mgrid[:360, :480]
    frames = np.stack([(rows * 7 + columns * 13 + 31 * t) % 251 for t in range(2)]).astype(np.uint8)
    outline = np.array([[240, 12], [407, 300], [240, 347], [72, 300]], np.float32)
    tensor = preprocess(frames, Sector(outline, 360, 480))
    return hashlib.sha256(to_frames(tensor).tobytes() + str((tensor.min(), tensor.max())).encode()).hexdigest()[:16]


def _cut(frame: UInt8Array, corner: tuple[int, int], side: int) -> UInt8Array:
    """Cut a square out of a frame, black where it reaches over the border."""
    left, top = corner
    square = np.zeros((side, side), np.uint8)
    bottom, right = min(frame.shape[0], top + side), min(frame.shape[1], left + side)
    part = frame[max(0, top) : bottom, max(0, left) : right]
    y, x = max(0, -top), max(0, -left)
    square[y : y + part.shape[0], x : x + part.shape[1]] = part
    return square


def _resize(square: UInt8Array) -> UInt8Array:
    is_smaller = square.shape[0] >= MODEL_SIDE_PX
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (MODEL_SIDE_PX, MODEL_SIDE_PX), interpolation=how), np.uint8)
