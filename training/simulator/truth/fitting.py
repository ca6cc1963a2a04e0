"""Bend a displacement so that it carries each structure's mask onto that of the next frame."""

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, Float32Array, as_float32

CARRY_STEPS, CARRY_SHARE = 40, np.float32(0.4)
"""Of the fixed point iteration that turns a field round; with larger shares it swings where a field spreads out."""

NEAR_PX, FEW = 0.05, 1e-3  # of their origins all but few pixels are so near when that iteration ends
OUTLINE_PX = 1.0  # blur that turns the steps of a mask's edge back into the outline that they stand for
FIT_STEPS = 30
BEND_PX = 3.0  # reach of one step of the fit, and the longest such step
BESIDE_PX = 5.0  # from an outline its distance counts
MUCH = np.float32(0.5)  # weight of outlines that bends the field in full
_NO_MAP = np.empty((0, 2), dtype=np.float32)


def carry_mask(mask: BoolArray, field_px: Float32Array) -> BoolArray:
    """Carry a mask, or several [..., H, W], of frame t by a displacement [H, W, 2] px to frame t + 1.

    Pixels limit how well: even a plain shift by parts of a pixel carries a wall of six pixels with a Dice of .97 only.
    For a finer answer compute mask and displacement of `recording.magnified(3)`.
    """
    origin = _origins(field_px)
    carried = np.empty(mask.shape, dtype=np.bool_)
    for place in np.ndindex(mask.shape[:-2]):
        soft = as_float32(cv2.GaussianBlur(mask[place].astype(np.float32), (0, 0), OUTLINE_PX))
        carried[place] = _read(soft, origin) > 0.5
    return carried


def dice(first: BoolArray, second: BoolArray) -> float:
    """Twice what two masks share over what they have together."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def find_crossing(
    field_px: Float32Array, before: BoolArray, after: BoolArray, edge_px: float
) -> tuple[BoolArray, BoolArray]:
    """Tell what of a structure is not in the next frame, and what of the next frame's was not there before.

    That are the connected parts which a displacement carries out of the structure, or which come from outside it, and
    that lie further off than an error of the outline does.

    Args:
        field_px: how far each pixel goes (columns, rows), [H, W, 2].
        before: mask [H, W] of a structure in the frame.
        after: of the same structure in the next frame.
        edge_px: so far outside a place is beyond the outline's error.

    Returns:
        What leaves, [H, W] in the frame, and what enters, [H, W] in the next one.
    """
    there = _places(field_px.shape[:2]) + field_px
    return _lost(before, after, there, edge_px), _lost(after, before, _origins(field_px), edge_px)


def fit_masks(field_px: Float32Array, before: BoolArray, after: BoolArray) -> Float32Array:
    """Bend a displacement [H, W, 2] px until what it carries of each mask ends at that mask's outline.

    Each step moves the field along the normal of the next frame's outline by what the distance to it differs, smoothed
    (the level-set form of Thirion's demons, doi:10.1016/S1361-8415(98)80022-4). Along the outline nothing changes.

    Args:
        field_px: how far each pixel goes (columns, rows).
        before: masks [S, H, W] of structures in the frame, none of them empty.
        after: of the same structures in the next frame.
    """
    here = _places(field_px.shape[:2])
    pairs = [(_depth(first), _depth(second)) for first, second in zip(before, after, strict=True)]
    slopes = [
        as_float32(np.stack([cv2.Sobel(late, cv2.CV_32F, *axes) for axes in ((1, 0), (0, 1))], axis=-1) / 8)
        for _, late in pairs
    ]
    fitted: Float32Array = field_px.copy()
    for _ in range(FIT_STEPS):
        bend, total = np.zeros_like(fitted), np.zeros_like(fitted[..., 0])
        for (early, late), slope in zip(pairs, slopes, strict=True):
            weight = np.exp(np.float32(-0.5 / BESIDE_PX**2) * early**2)
            missing = np.clip(early - _read(late, here + fitted), -BEND_PX, BEND_PX)
            bend += (weight * missing)[..., None] * _read(slope, here + fitted)
            total += weight
        reach = (0, 0), BEND_PX
        fitted += cv2.GaussianBlur(bend, *reach) / np.maximum(cv2.GaussianBlur(total, *reach), MUCH)[..., None]
    return fitted


def _lost(mask: BoolArray, other: BoolArray, places: Float32Array, edge_px: float) -> BoolArray:
    """Find the parts of a mask [H, W] whose places [H, W, 2] in another one lie outside it, somewhere by `edge_px`."""
    depth = _read(_depth(other), places)
    _, parts = cv2.connectedComponents((mask & (depth < 0)).astype(np.uint8))
    is_far = np.zeros(parts.max() + 1, dtype=np.bool_)
    is_far[parts[mask & (depth < -edge_px)]] = True
    found: BoolArray = is_far[parts]
    return found


def _origins(field_px: Float32Array) -> Float32Array:
    """Turn a displacement [H, W, 2] round: where what is at each pixel of the next frame comes from, [H, W, 2]."""
    here = _places(field_px.shape[:2])
    origin = here
    for _ in range(CARRY_STEPS):
        away = here - _read(field_px, origin) - origin
        if np.mean(np.abs(away) > NEAR_PX) < FEW:
            break
        origin = as_float32(origin + CARRY_SHARE * away)
    return origin


def _places(shape: tuple[int, ...]) -> Float32Array:
    """Column and row of each pixel, [H, W, 2]."""
    return np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1).astype(np.float32)


def _depth(mask: BoolArray) -> Float32Array:
    """How far each pixel [H, W] lies inside a mask, px, negative outside."""
    inside = mask.astype(np.uint8)
    inwards, outwards = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (inside, 1 - inside))
    depth = np.maximum(inwards - outwards, np.float32(-sum(mask.shape)))  # of an empty mask it is endless
    return as_float32(cv2.GaussianBlur(depth, (0, 0), OUTLINE_PX))


def _read(values: Float32Array, places: Float32Array) -> Float32Array:
    """Read values [H, W, ...] at places [H, W, 2] px between the pixels."""
    return as_float32(cv2.remap(values, places, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
