"""Scenes drawn by hand instead of cut from a heart: other organs, a curve or two for a test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.curves import normals
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.tissues import Tissue
from training.simulator.views.scene import CENTRE_SLICE, SLICE_OFFSETS_MM, Piece, Scene

NO_KEYS = np.zeros((1, 1, 2, 2, 3), dtype=np.float32)
HANDLE_STEP = 3


@dataclass(frozen=True)
class Drawing:
    """A filled outline, or a line where it has a thickness: `path` [N, 2] mm on the plane.

    The number of points must not change over a cine.
    """

    name: str
    path: Float32Array
    tissue: Tissue
    thickness_mm: float = 0.0
    specular_db: float = 0.0
    is_material: bool = False


def drawn_scene(drawings: Sequence[Drawing]) -> Scene:
    """Make a scene that is the same in all slices, painted in the given order."""
    surfaces = tuple(
        Surface(
            drawing.name,
            drawing.tissue,
            NO_KEYS,
            is_sheet=drawing.thickness_mm > 0,
            thickness_mm=drawing.thickness_mm,
            specular_db=drawing.specular_db,
            is_material=drawing.is_material,
        )
        for drawing in drawings
    )
    pieces, points, places = [], [], []
    row = 0
    for number in range(len(SLICE_OFFSETS_MM)):
        for index, drawing in enumerate(drawings):
            is_sheet, count = drawing.thickness_mm > 0, len(drawing.path)
            if is_sheet and number != CENTRE_SLICE:
                continue
            pieces.append(Piece(index, number, row, row + count, not is_sheet))
            points.append(drawing.path)
            places.append(_places(count))
            row += count
    material = [(index, drawing.path[::HANDLE_STEP]) for index, drawing in enumerate(drawings) if drawing.is_material]
    across = np.concatenate([normals(as_float32(path)) for path in points])
    return Scene(
        surfaces=surfaces,
        pieces=tuple(pieces),
        points_mm=as_float32(np.concatenate(points)),
        places=np.concatenate(places),
        normals=as_float32(np.pad(across, ((0, 0), (0, 1)))),
        handles_mm=as_float32(np.concatenate([path for _, path in material])),
        handle_structures=np.concatenate([np.full(len(path), index) for index, path in material]),
        handle_places=np.concatenate([_places(len(path)) for _, path in material]),
        flow_axis=as_float32([0, 1]),
    )


def _places(count: int) -> Float32Array:
    """Places [N, 2] of points along a drawing."""
    return as_float32(np.stack([np.linspace(0, 1, count), np.full(count, 0.5)], axis=1))
