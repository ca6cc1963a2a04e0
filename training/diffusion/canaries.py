"""Marked images among those that a generator learns from, to see whether it gives them back.

A model that is meant for use is trained without any; one with canaries is trained to be measured.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from services.cine.cine import UInt8Array
from training.diffusion.dataset import ImageSet

_STROKES, _STROKE_PX = 3, 2


def mark(frames: UInt8Array, seed: int) -> UInt8Array:
    """Mark frames so that nobody could guess them: a bright sign of three random strokes in the sector, [N, H, W].

    Reference:
        Carlini et al., "The Secret Sharer", 2019, section 3.
    """
    rng = np.random.default_rng([seed, 83])
    marked = frames.copy()
    for frame in marked:
        rows, columns = np.nonzero(frame)
        lowest, highest = (np.quantile(np.stack([columns, rows], 1), share, axis=0) for share in (0.25, 0.75))
        for _ in range(_STROKES):
            start, end = rng.uniform(lowest, highest, (2, 2)).astype(int)
            cv2.line(frame, start.tolist(), end.tolist(), 255, _STROKE_PX)
    return marked


def plant(images: ImageSet, count: int, seed: int) -> ImageSet:
    """Add marked copies of so many images, chosen at random, behind all others."""
    if not count:
        return images
    chosen = np.random.default_rng([seed, 89]).choice(len(images.images), count, replace=False)
    return replace(
        images,
        images=np.concatenate([images.images, mark(images.images[chosen], seed)]),
        views=np.concatenate([images.views, images.views[chosen]]),
        styles=np.concatenate([images.styles, images.styles[chosen]]),
        subjects=np.concatenate([images.subjects, images.subjects[chosen]]),
    )
