"""Lay an image over a training picture as well as turning, scaling and moving allow, and say how alike they are then.

Gauss-Newton on four parameters, all pairs at once. Reference: Baker and Matthews, "Lucas-Kanade 20 Years On", IJCV 56
(2004), inverse compositional form, section 3.2.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from services.cine.cine import FloatArray, UInt8Array
from services.models.copy_pictures import CELLS, CENTRE, blur, contrast, move, shrink
from services.models.copy_search import Candidates, region_masks

COARSE_STEPS, FINE_STEPS = 3, 3
"""Gauss-Newton steps on smoothed pictures, whose slopes reach further, and on the pictures themselves."""

_COARSE_CELLS = 1.2
"""Sigma of that smoothing: the rough pose is up to 5 degrees wrong, a cell at the rim."""

_LEAST_OVERLAP = 0.5
"""Share of the region's sector that must be covered: a corner that fits is no copy."""

_DAMPING, _LEAST_DAMPING = 1e-2, np.float32(1e-3)
"""Keep an even region, which has no pose, from moving far."""

_WHOLE_CELL = 0.9
"""Of the interpolated sector: a cell counts that is this much inside."""


def align(frames: UInt8Array, references: FloatArray, candidates: Candidates) -> FloatArray:
    """Give the normalised correlation of each pair after alignment, -1 where they hardly overlap.

    The pose is found on the cells; then, for the whole picture, the frame itself is moved and made cells of again:
    structures finer than a cell look different wherever the grid lies. Halves are where they were in the original.

    Args:
        frames: the images, [B, 112, 112].
        references: contrast of each pair's training picture, [A, 28, 28].
        candidates: the pairs and where to start from.

    Returns:
        In [-1, 1], [A].
    """
    pictures = contrast(shrink(frames))
    fixed = references.reshape(len(references), -1)  # [A, 28, 28] -> [A, 784]
    inside = region_masks()[candidates.regions] * (fixed != 0)
    smooth = partial(blur, sigma_cells=_COARSE_CELLS)
    whole = candidates.regions == 0
    nearer = candidates.maps.copy()
    coarse = _descend(
        (smooth(pictures), smooth(references[whole])), inside[whole], candidates.take(whole), COARSE_STEPS
    )
    nearer[whole] = coarse[1]
    found, maps = _descend((pictures, references), inside, replace(candidates, maps=nearer), FINE_STEPS)
    cut = [move(frames[image], way) for image, way in zip(candidates.images[whole], maps[whole], strict=True)]
    again = contrast(shrink(np.stack(cut))).reshape(-1, fixed.shape[1])  # [W, 28, 28] -> [W, 784]
    likeness = _likeness(again, fixed[whole], inside[whole] * (again != 0), inside[whole])
    found[whole] = np.maximum(found[whole], likeness)
    return found


def _descend(
    pair: tuple[FloatArray, FloatArray], inside: FloatArray, candidates: Candidates, steps: int
) -> tuple[FloatArray, FloatArray]:
    """Give the best correlation on the way, [A], and the pose that gave it, [A, 3, 3]."""
    pictures, references = pair
    layers = np.stack([pictures, (pictures != 0).astype(np.float32)], axis=-1)  # [B, 28, 28, contrast and inside]
    fixed = references.reshape(inside.shape)  # [A, 28, 28] -> [A, 784]
    slopes = _slopes(references) * inside[..., None]
    across = slopes.transpose(0, 2, 1)
    normal = across @ slopes
    damping = _DAMPING * np.trace(normal, axis1=1, axis2=2)[:, None, None] / 4 + _LEAST_DAMPING
    solve = np.linalg.inv(normal + damping * np.eye(4, dtype=np.float32))
    maps = candidates.maps.astype(np.float32)
    best, best_maps = np.full(len(fixed), -1.0, np.float32), maps
    for step in range(steps + 1):
        moved = _move(layers, candidates, maps)  # [A, 784, 2]
        shared = inside * (moved[..., 1] > _WHOLE_CELL)
        found = _likeness(moved[..., 0], fixed, shared, inside)
        best_maps = np.where((found > best)[:, None, None], maps, best_maps)
        best = np.maximum(best, found)
        if step < steps:
            error = ((moved[..., 0] - fixed) * shared)[..., None]
            maps = _undo(-(solve @ (across @ error))[..., 0]) @ maps
    return best, best_maps


def _slopes(references: FloatArray) -> FloatArray:
    """Give how a picture changes with scale, turn, and moves right and down, [A, 784, 4]."""
    down, right = np.gradient(references, axis=(1, 2))
    rows, columns = np.mgrid[:CELLS, :CELLS].astype(np.float32) - np.float32(CENTRE)
    changes = np.stack([right * columns + down * rows, down * columns - right * rows, right, down], axis=-1)
    return np.asarray(changes.reshape(len(references), CELLS**2, 4), np.float32)  # [A, 28, 28, 4] -> [A, 784, 4]


def _move(layers: FloatArray, candidates: Candidates, maps: FloatArray) -> FloatArray:
    moved = np.empty((len(maps), CELLS, CELLS, 2), np.float32)
    for place, (image, way) in enumerate(zip(candidates.images, maps, strict=True)):
        cv2.warpAffine(layers[image], way[:2], (CELLS, CELLS), dst=moved[place])
    return moved.reshape(len(maps), CELLS**2, 2)  # [A, 28, 28, 2] -> [A, 784, 2]


def _undo(change: FloatArray) -> FloatArray:
    """Give the inverse of small maps about the middle: scale, turn, right, down [A, 4] -> [A, 3, 3]."""
    scale, turn, right, down = change.T
    maps = np.zeros((len(change), 3, 3), np.float32)
    maps[:, 0, 0] = maps[:, 1, 1] = 1 + scale
    maps[:, 0, 1], maps[:, 1, 0] = -turn, turn
    maps[:, 0, 2] = right - scale * CENTRE + turn * CENTRE
    maps[:, 1, 2] = down - scale * CENTRE - turn * CENTRE
    maps[:, 2, 2] = 1
    return np.asarray(np.linalg.inv(maps), np.float32)


def _likeness(moved: FloatArray, fixed: FloatArray, shared: FloatArray, inside: FloatArray) -> FloatArray:
    """Give the correlation of pictures [A, 784] over shared cells, -1 where those are too few of those inside, [A]."""
    total = shared.sum(axis=1, keepdims=True) + np.float32(1e-6)
    one = (moved - (moved * shared).sum(axis=1, keepdims=True) / total) * shared
    two = (fixed - (fixed * shared).sum(axis=1, keepdims=True) / total) * shared
    power = (one * one).sum(axis=1) * (two * two).sum(axis=1)
    found = (one * two).sum(axis=1) / np.sqrt(power + np.float32(1e-6))
    return np.asarray(np.where(total[:, 0] >= _LEAST_OVERLAP * inside.sum(axis=1), found, -1.0), np.float32)
