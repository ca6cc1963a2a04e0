"""Where every pixel's tissue goes from one frame to the next."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, Float32Array, IntArray, as_float32
from training.simulator.truth.fitting import carry_mask, dice, find_crossing, fit_masks
from training.simulator.truth.masks import STRUCTURES, structure_masks
from training.simulator.truth.recording import Recording
from training.simulator.views.scene import CENTRE_SLICE, Scene

STEP_MM = 1.0  # between the points of an outline whose motion is followed
CELL_MM = 1.5  # of the grid on which the motion is spread
NEAR_MM, FAR_MM = 1.8, 9.0
"""Reach of an outline's motion: the speckle's 9 mm, and beside the outline what sets it apart from its neighbours (at
9 mm alone a contracting wall's two sides are mixed and a mask is carried with a Dice of .94, see the tests)."""

FAR_WEIGHT = 0.01  # of the far reach beside the near one
STILLNESS = 1e-4  # weight of tissue that stays where it is, far from the heart
SNAP_MM = 6.0  # an outline further away than this is another part of the heart
FIT_PX_MM = 0.6  # largest pixel on which masks are compared: larger ones' steps are all that a thin wall has
FIT_BELOW = 0.97  # Dice of a mask as carried
LEAST_PX = 100  # of a mask that is compared
EDGE_MM = 2.0  # tissue that ends up so far outside its structure is not in the plane any more


@dataclass(frozen=True)
class Displacement:
    """What becomes of the tissue of each frame until the next one.

    Attributes:
        px: how far each pixel goes, [T-1, H, W, 2] pixels of the picture (columns, rows), flip included.
        mm: the same on the plane, [T-1, H, W, 2] mm (right, down), flip undone.
        leaves: tissue of the frame that is not in the next one, [T-1, H, W].
        enters: tissue of the next frame that was not in this one, [T-1, H, W].
    """

    px: Float32Array
    mm: Float32Array
    leaves: BoolArray
    enters: BoolArray


def displacement(recording: Recording) -> Displacement:
    """Tell how far the tissue at each pixel goes until the next frame.

    The tissue of every outline is followed through the heart's own material points. What moves through the plane is
    shown by the outline it becomes: there the way along the outline's normal is that to the next frame's outline, and
    where this does not carry every structure's mask, as where a valve's plane crosses the picture's, the field is
    fitted to the masks (`fit_masks`). Between outlines motion is spread by Gaussian weights; in blood it is a smooth
    filling, not flow. It fades to nothing far from the heart.

    What enters or leaves the plane as a whole between two frames is nowhere in the other one, so no field in the plane
    can carry it: so the right ventricle and the atria in a short axis at the height of their valves, and now and then
    half a ring of muscle just below the annulus. Where the fit does not succeed those parts are told instead
    (`find_crossing`), and the field is fitted to the rest; a structure that it still does not carry counts as replaced.
    """
    height, width = recording.screen.height_px, recording.screen.width_px
    factor = int(np.ceil(1 / (recording.screen.px_per_mm * FIT_PX_MM)))
    fine = recording.magnified(factor)
    surfaces = {surface.name for surface in recording.heart.surfaces}
    names = [name for name, parts in STRUCTURES.items() if surfaces.issuperset(parts)]
    masks = np.stack(list(structure_masks(fine, names).values()), axis=1)  # [T, structures, height, width]
    px = np.empty((len(recording.scenes) - 1, height, width, 2), dtype=np.float32)
    leaves, enters = np.zeros((2, *px.shape[:3]), dtype=np.bool_)
    for t, (points, moved) in enumerate(_follow(fine)):
        followed = _spread(fine, points, moved) * _px_per_mm(fine)
        field, *crossing = _carry_all(followed, masks[t], masks[t + 1], EDGE_MM * fine.screen.px_per_mm)
        px[t] = cv2.resize(field, (width, height), interpolation=cv2.INTER_AREA) / np.float32(factor)
        for mask, stored in zip(crossing, (leaves, enters), strict=True):
            stored[t] = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.5
    return Displacement(px, px / _px_per_mm(recording), leaves, enters)


def _carry_all(
    followed: Float32Array, before: BoolArray, after: BoolArray, edge_px: float
) -> tuple[Float32Array, BoolArray, BoolArray]:
    """Make a field [H, W, 2] px carry masks [S, H, W] to the next frame's, but for what leaves and enters, [H, W]."""
    leaves, enters = np.zeros((2, *before.shape), dtype=np.bool_)
    if not _is_missed(followed, before, after).any():
        return followed, leaves[0], enters[0]
    field = _fit_large(followed, before, after)
    missed = np.flatnonzero(_is_missed(field, before, after))
    if len(missed) > 0:
        for mask in missed:
            leaves[mask], enters[mask] = find_crossing(followed, before[mask], after[mask], edge_px)
        field = _fit_large(followed, before & ~leaves, after & ~enters)
        lost = _is_missed(field, before & ~leaves, after & ~enters)
        leaves[lost], enters[lost] = before[lost], after[lost]
    return field, leaves.any(axis=0), enters.any(axis=0)


def _is_missed(field: Float32Array, before: BoolArray, after: BoolArray) -> BoolArray:
    """Tell which masks a field does not carry well, [S]; masks that are small in both frames are let be."""
    carried = carry_mask(before, field)
    return np.array(
        [
            max(early.sum(), late.sum()) >= LEAST_PX and dice(moved, late) < FIT_BELOW
            for early, late, moved in zip(before, after, carried, strict=True)
        ]
    )


def _fit_large(field: Float32Array, before: BoolArray, after: BoolArray) -> Float32Array:
    """Fit a field to the masks that are large enough in both frames."""
    large = np.minimum(before.sum(axis=(1, 2)), after.sum(axis=(1, 2))) >= LEAST_PX
    return fit_masks(field, before[large], after[large])


def _px_per_mm(recording: Recording) -> Float32Array:
    """Pixels a mm to the right and down, [2]; negative to the right where the picture is flipped."""
    screen = recording.screen
    ends = screen.to_px(np.eye(2, dtype=np.float32)) - screen.to_px(np.zeros((1, 2), dtype=np.float32))
    return as_float32([ends[0, 0], ends[1, 1]])


def _follow(recording: Recording) -> Iterator[tuple[Float32Array, Float32Array]]:
    """Points [P, 2] mm of the outlines of each frame but the last, and how far each goes, [P, 2] mm."""
    surfaces = recording.heart.surfaces
    rows = np.array([surface.keys.shape[2:4] for surface in surfaces])
    starts = np.concatenate([[0], np.cumsum(rows.prod(axis=1))])
    placed = [
        pose.to_plane(recording.heart.vertices.at(state))[:, :2]
        for pose, state in zip(recording.poses, recording.states, strict=True)
    ]
    frames = zip(recording.scenes[:-1], recording.scenes[1:], placed[:-1], placed[1:], strict=True)
    for scene, following, before, after in frames:
        points, owners, places = _sample(scene)
        moved = _look_up(after - before, starts[owners], rows[owners], places)
        yield points, _snap(as_float32(points + moved), owners, following) - points


def _sample(scene: Scene) -> tuple[Float32Array, IntArray, Float32Array]:
    """Points [P, 2] mm about `STEP_MM` apart on the closed outlines, their structures [P] and places [P, 2]."""
    found = []
    for piece in scene.pieces:
        if piece.slice_index != CENTRE_SLICE or not piece.is_closed:
            continue
        rows = np.arange(piece.start, piece.stop - 1)
        gap = np.linalg.norm(scene.points_mm[rows + 1] - scene.points_mm[rows], axis=1)
        counts = np.maximum((gap / STEP_MM).astype(np.int64), 1)
        row = np.repeat(rows, counts)
        share = (np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)) / np.repeat(counts, counts)
        found.append((row, share, np.full(len(row), piece.structure)))
    row, share, owners = (np.concatenate(parts) for parts in zip(*found, strict=True))
    weight = as_float32(share)[:, None]
    step = scene.places[row + 1] - scene.places[row]
    step -= np.rint(step)  # the last column is the first one again
    points = scene.points_mm[row] * (1 - weight) + scene.points_mm[row + 1] * weight
    return as_float32(points), owners, as_float32((scene.places[row] + step * weight) % 1.000001)


def _look_up(values: Float32Array, starts: IntArray, sizes: IntArray, places: Float32Array) -> Float32Array:
    """Read values [N, C] of all surfaces' points at places [P, 2] of surfaces with `starts` [P], `sizes` [P, 2]."""
    at = places * (sizes - 1)
    low = np.minimum(at.astype(np.int64), sizes - 2)
    down, right = as_float32(at - low).T[..., None]  # [P, 1] each
    corner = starts + low[:, 0] * sizes[:, 1] + low[:, 1]
    near = values[corner] * (1 - right) + values[corner + 1] * right
    far = values[corner + sizes[:, 1]] * (1 - right) + values[corner + sizes[:, 1] + 1] * right
    return as_float32(near * (1 - down) + far * down)


def _snap(points: Float32Array, owners: IntArray, scene: Scene) -> Float32Array:
    """Move points [P, 2] to the nearest place on the outlines of their structures, where one is near."""
    snapped = points.copy()
    for structure in np.unique(owners):
        segments = [
            (scene.points_mm[piece.start : piece.stop], np.roll(scene.points_mm[piece.start : piece.stop], -1, axis=0))
            for piece in scene.pieces
            if piece.structure == structure and piece.slice_index == CENTRE_SLICE
        ]
        if not segments:
            continue
        start, stop = (np.concatenate(ends) for ends in zip(*segments, strict=True))  # [S, 2] each
        mine = owners == structure
        way = stop - start
        offset = points[mine][:, None] - start  # [P, S, 2]
        share = np.clip((offset * way).sum(axis=2) / np.maximum((way * way).sum(axis=1), np.float32(1e-6)), 0, 1)
        nearest = start + share[..., None] * way
        distance = np.linalg.norm(nearest - points[mine][:, None], axis=2)
        best = distance.argmin(axis=1)
        chosen = np.arange(len(best))
        near = distance[chosen, best] < SNAP_MM
        snapped[np.flatnonzero(mine)[near]] = nearest[chosen, best][near]
    return snapped


def _spread(recording: Recording, points: Float32Array, moved: Float32Array) -> Float32Array:
    """Spread motion [P, 2] known at points [P, 2] over the picture, [H, W, 2]."""
    screen = recording.screen
    first, last = screen.places_mm[0, 0], screen.places_mm[-1, -1]
    reach = (last - first) * as_float32([1 + 1 / (screen.width_px - 1), 1 + 1 / (screen.height_px - 1)])  # edge to edge
    counts = np.maximum(np.ceil(np.abs(reach) / CELL_MM).astype(int), 1)  # (columns, rows)
    from_middle = [(np.arange(count) + 0.5) / count - 0.5 for count in counts]
    x, y = (as_float32((first + last)[axis] / 2 + reach[axis] * from_middle[axis]) for axis in (0, 1))
    squared = (x[:, None] - points[:, 0]) ** 2, (y[:, None] - points[:, 1]) ** 2  # [columns, P] and [rows, P]
    total = np.full((len(y), len(x), 1), STILLNESS, dtype=np.float32)
    summed = np.zeros((len(y), len(x), 2), dtype=np.float32)
    for reach, weight in ((NEAR_MM, 1.0), (FAR_MM, FAR_WEIGHT)):
        across, down = (np.exp(np.maximum(part * np.float32(-0.5 / reach**2), np.float32(-40))) for part in squared)
        total[..., 0] += weight * (down @ across.T)
        for axis in (0, 1):
            summed[..., axis] += weight * ((down * moved[:, axis]) @ across.T)
    field = summed / total
    return as_float32(cv2.resize(field, (screen.width_px, screen.height_px), interpolation=cv2.INTER_LINEAR))
