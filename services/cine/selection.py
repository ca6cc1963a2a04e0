"""Which frames of a cine the model sees (thesis section 3.7.2)."""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np

from services.cine.cine import IntArray, UInt8Array


class Selection(StrEnum):
    """How frames are chosen."""

    DISSIMILAR = "DISSIMILAR"
    RANDOM = "RANDOM"
    EVEN = "EVEN"


_COMPARED_SIDE_PX = 28
"""Frames are compared at this size: the heart's shape counts, speckle does not."""


def select_frames(thumbnails: UInt8Array, how: Selection, count: int, seed: int = 0) -> IntArray:
    """Choose the frames that the model sees.

    Args:
        thumbnails: all frames, grey and reduced, [T, h, w], dark outside the sector.
        how: DISSIMILAR takes the frames that differ most from one another, RANDOM a draw without replacement, EVEN
            frames evenly spread in time.
        count: how many frames are wanted, at least 1; a shorter cine gives all it has.
        seed: of the random draw.

    Returns:
        Indices into the cine, shape [min(count, T)], rising, no two alike.
    """
    total = len(thumbnails)
    if count >= total:
        return np.arange(total)
    if how is Selection.EVEN:
        return np.linspace(0, total - 1, count).round().astype(np.int64) if count > 1 else np.array([total // 2])
    if how is Selection.RANDOM:
        return np.sort(np.random.default_rng(seed).choice(total, count, replace=False))
    return _most_dissimilar(thumbnails, count)


def _most_dissimilar(thumbnails: UInt8Array, count: int) -> IntArray:
    """Take the frame farthest from the mean, then again and again the frame farthest from all those taken.

    Reference:
        Gonzalez 1985, Clustering to minimize the maximum intercluster distance: within a factor of two of the best.
    """
    size = (_COMPARED_SIDE_PX, _COMPARED_SIDE_PX)
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in thumbnails]
    features = np.stack(small).reshape(len(small), -1).astype(np.float32)  # [T, 28, 28] -> [T, D]
    chosen = [int(np.argmax(np.linalg.norm(features - features.mean(axis=0), axis=1)))]
    nearest = np.linalg.norm(features - features[chosen[0]], axis=1)
    while len(chosen) < count:
        nearest[chosen] = -1.0
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(features - features[chosen[-1]], axis=1))
    return np.sort(np.array(chosen, np.int64))
