"""Scenes drawn by hand instead of cut from a heart: other organs, a curve or two for a test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.tissues import Tissue
from training.simulator.shapes import normals
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
    surfaces, pieces, points, places, owners = [], [], [], [], []
    row = 0
    for index, drawing in enumerate(drawings):
        is_sheet = drawing.thickness_mm > 0
        surfaces.append(
            Surface(
                drawing.name,
                drawing.tissue,
                NO_KEYS,
                is_sheet=is_sheet,
                thickness_mm=drawing.thickness_mm,
                specular_db=drawing.specular_db,
                is_material=drawing.is_material,
            )
        )
        stop = row + len(drawing.path)
        slices = (CENTRE_SLICE,) if is_sheet else range(len(SLICE_OFFSETS_MM))
        pieces += [Piece(index, number, row, stop, not is_sheet) for number in slices]
        points.append(drawing.path)
        places.append(np.stack([np.linspace(0, 1, len(drawing.path)), np.full(len(drawing.path), 0.5)], axis=1))
        owners.append(np.full(len(drawing.path), index))
        row = stop
    material = [index for index, drawing in enumerate(drawings) if drawing.is_material]
    handles = [(points[index][::HANDLE_STEP], owners[index][::HANDLE_STEP], places[index][::HANDLE_STEP]) for index in material]
    flat = [normals(as_float32(path)) for path in points]
    return Scene(
        surfaces=tuple(surfaces),
        pieces=tuple(sorted(pieces, key=lambda piece: (piece.slice_index, piece.structure))),
        points_mm=as_float32(np.concatenate(points)),
        places=as_float32(np.concatenate(places)),
        normals=as_float32(np.concatenate([np.pad(each, ((0, 0), (0, 1))) for each in flat])),
        handles_mm=as_float32(np.concatenate([each[0] for each in handles])),
        handle_structures=np.concatenate([each[1] for each in handles]),
        handle_places=as_float32(np.concatenate([each[2] for each in handles])),
        flow_axis=as_float32([0, 1]),
    )
