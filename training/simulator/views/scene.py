"""What a plane cuts at one instant: outlines and thin layers in mm on the plane, and the points that carry tissue."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, IntArray
from training.simulator.heart.surfaces import Surface

SLICE_OFFSETS_MM = (-2.0, 0.0, 2.0)
"""A beam is 3-6 mm thick across the plane: three parallel cuts 2 mm apart stand for it. Tissue shows as
their mean; what is thin (leaflets, cusps, the pericardium) is drawn where the middle one cuts it."""

CENTRE_SLICE = 1


@dataclass(frozen=True)
class Piece:
    """One closed outline or open line: rows `start` to `stop` of the scene's points.

    Attributes:
        structure: index into `Scene.surfaces`.
        slice_index: which of `SLICE_OFFSETS_MM`.
        start, stop: rows of `points_mm`.
        is_closed: an outline to be filled; the last point is not the first one again.
    """

    structure: int
    slice_index: int
    start: int
    stop: int
    is_closed: bool


@dataclass(frozen=True)
class Scene:
    """Everything a plane cuts at one instant; x grows to the right of the screen, y away from the probe.

    Attributes:
        surfaces: the heart's surfaces in painting order, the same over a cine.
        pieces: what is cut, sorted by slice and then by painting order. How many there are changes with the beat.
        points_mm: [M, 2] of all pieces.
        places: [M, 2] where each point lies on its surface, (row, column) of its grid over (U-1, V-1), each 0-1: the
            same number is the same piece of tissue over the whole cine.
        normals: [M, 3] unit normals of the surface at each point: right, down, out of the plane.
        handles_mm: [P, 2] material points near the plane that carry the tissue around them; the same P points over
            a cine.
        handle_structures, handle_places: [P] and [P, 2], of each handle: index into `surfaces`, place on it.
        flow_axis: [2], unit vector from the atrium to the ventricle (or out of the plane's main vessel), for Doppler.
    """

    surfaces: tuple[Surface, ...]
    pieces: tuple[Piece, ...]
    points_mm: Float32Array
    places: Float32Array
    normals: Float32Array
    handles_mm: Float32Array
    handle_structures: IntArray
    handle_places: Float32Array
    flow_axis: Float32Array

    def outlines(self, name: str, slice_index: int = CENTRE_SLICE) -> list[Float32Array]:
        """Give the pieces of a structure in a slice, each [N, 2] mm; none where the plane misses it."""
        return [
            self.points_mm[piece.start : piece.stop]
            for piece in self.pieces
            if piece.slice_index == slice_index and self.surfaces[piece.structure].name == name
        ]


def area_mm2(outline: Float32Array) -> float:
    """Area inside a closed outline [N, 2] mm."""
    x, y = outline[:, 0].astype(np.float64), outline[:, 1].astype(np.float64)
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
