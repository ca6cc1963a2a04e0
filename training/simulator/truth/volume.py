"""The heart as a volume of labels, in its own coordinates."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import ByteArray, Float32Array, as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.rhythm import HeartState
from training.simulator.truth.filling import label_cells
from training.simulator.truth.masks import STRUCTURES
from training.simulator.views.cutting import CutHeart
from training.simulator.views.pose import Pose

MARGIN_MM = 4.0
WITHIN = ("lv_wall", "rv_wall", "la_wall", "ra_wall", "rvot_wall")
"""The volume is the box round these; the aorta, veins and the liver leave it."""


@dataclass(frozen=True)
class LabelVolume:
    """A heart at one instant, voxel by voxel.

    Attributes:
        labels: [Z, Y, X] uint8, 0 for none, else a key of `names`. Axes are those of the heart: x lateral, y anterior,
            z from the mitral annulus to the apex.
        names: label to the name of its surface; sheets such as the leaflets are not in it.
        spacing_mm: of the voxels.
        origin_mm: [3] (x, y, z) of the first voxel's middle, heart coordinates.
    """

    labels: ByteArray
    names: dict[int, str]
    spacing_mm: float
    origin_mm: Float32Array

    def volume_ml(self, structure: str) -> float:
        """Volume of a structure: a key of `STRUCTURES`, or a surface's name."""
        wanted = STRUCTURES.get(structure, (structure,))
        voxels = np.isin(self.labels, [label for label, name in self.names.items() if name in wanted]).sum()
        return float(voxels) * self.spacing_mm**3 / 1000


def label_volume(heart: Heart, state: HeartState, spacing_mm: float = 1.0) -> LabelVolume:
    """Cut the heart by parallel planes square to its long axis and fill what they cut, in painting order."""
    low, high = _box(heart)
    count = np.ceil((high - low) / spacing_mm).astype(int) + 1  # (x, y, z)
    right, down = as_float32([1, 0, 0]), as_float32([0, 1, 0])
    poses = [Pose(low + as_float32([0, 0, level * spacing_mm]), right, down) for level in range(count[2])]
    cut = CutHeart(heart, poses[len(poses) // 2])

    def to_cells(points_mm: Float32Array) -> Float32Array:
        return points_mm * np.float32(1 / spacing_mm)

    layers = [label_cells(cut.scene(state, pose), to_cells, int(count[1]), int(count[0])) for pose in poses]
    names = {index: surface.name for index, surface in enumerate(heart.surfaces, 1) if not surface.is_sheet}
    return LabelVolume(np.stack(layers), names, spacing_mm, low)


def _box(heart: Heart) -> tuple[Float32Array, Float32Array]:
    """Corners [3] mm of the box that holds the heart at any time of the beat."""
    corners = [surface.keys.reshape(-1, 3) for surface in heart.surfaces if surface.name in WITHIN]
    points = np.concatenate(corners or [surface.keys.reshape(-1, 3) for surface in heart.surfaces])
    return as_float32(points.min(axis=0) - MARGIN_MM), as_float32(points.max(axis=0) + MARGIN_MM)
