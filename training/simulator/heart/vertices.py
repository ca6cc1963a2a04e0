"""Where every material point of a heart is at any instant: all surfaces side by side in one array."""

import numpy as np

from training.simulator.arrays import Float32Array, IntArray, as_float32
from training.simulator.heart.rhythm import HeartState
from training.simulator.heart.shapes import unit
from training.simulator.heart.surfaces import Drive, Surface


class Vertices:
    """The material points of all surfaces, one surface after the other.

    Attributes:
        starts: [S + 1], row of each surface's first point, and the number of points.
        columns: [S], of each surface's grid.
        extents: [S, 2], rows - 1 and columns - 1 of each grid.
        rest: [N, 3] mm, places at end-diastole with closed valves.
        normals: [N, 3], unit normals there.
    """

    def __init__(self, surfaces: tuple[Surface, ...]) -> None:
        used = [drive for drive in Drive if any(surface.drive is drive for surface in surfaces)]
        self._groups = {drive: _Group(surfaces, drive) for drive in used}
        sizes = [surface.keys.shape[2] * surface.keys.shape[3] for surface in surfaces]
        self.starts: IntArray = np.concatenate([[0], np.cumsum(sizes)])
        self.columns: IntArray = np.array([surface.keys.shape[3] for surface in surfaces])
        self.extents: IntArray = np.array([surface.keys.shape[2:4] for surface in surfaces]) - 1
        self.rest = np.concatenate([surface.keys[0, 0].reshape(-1, 3) for surface in surfaces])
        self.normals = np.concatenate([_normals(surface.keys[0, 0]).reshape(-1, 3) for surface in surfaces])

    def at(self, state: HeartState) -> Float32Array:
        """Give every point's place in a state of the heart, [N, 3] mm in heart coordinates."""
        openings = {Drive.NONE: 0.0, Drive.MITRAL: state.mitral_opening, Drive.AORTIC: state.aortic_opening}
        out = np.empty((int(self.starts[-1]), 3), dtype=np.float32)
        for drive, group in self._groups.items():
            group.fill(out, self.starts, state.contraction, openings[drive])
        return out


class _Group:
    """The surfaces of one drive, side by side, so that one interpolation places them all."""

    def __init__(self, surfaces: tuple[Surface, ...], drive: Drive) -> None:
        mine = [(index, surface) for index, surface in enumerate(surfaces) if surface.drive is drive]
        self.indices = [index for index, _ in mine]
        parts = [surface.keys.reshape(*surface.keys.shape[:2], -1, 3) for _, surface in mine]
        self.keys = np.concatenate(parts, axis=2)  # [A, B, N, 3]
        self.bounds = np.concatenate([[0], np.cumsum([part.shape[2] for part in parts])])

    def fill(self, out: Float32Array, starts: IntArray, contraction: float, opening: float) -> None:
        """Place the group's points in `out` [N, 3] for a contraction and an opening of 0-1."""
        places = _between(self.keys, contraction)
        places = _between(places, opening) if len(places) > 1 else places[0]
        for index, start, stop in zip(self.indices, self.bounds[:-1], self.bounds[1:], strict=True):
            out[starts[index] : starts[index + 1]] = places[start:stop]


def _between(keys: Float32Array, value: float) -> Float32Array:
    """Interpolate along the first axis, whose steps run evenly from 0 to 1."""
    place = min(max(value, 0.0), 1.0) * (len(keys) - 1)
    low = min(int(place), len(keys) - 2)
    share = np.float32(place - low)
    return as_float32(keys[low] + share * (keys[low + 1] - keys[low]))


def _normals(grid: Float32Array) -> Float32Array:
    """Unit normals [U, V, 3] of a grid of points [U, V, 3]."""
    along, across = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normals = np.cross(along, across)
    return unit(normals + 1e-6)
