"""Thin layers: sheets, and the bright outline of closed surfaces that face the beam, as echo power on the grid."""

from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array, IntArray, as_float32
from training.simulator.heart.surfaces import Surface
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.looks import Looks
from training.simulator.views.scene import CENTRE_SLICE, SLICE_OFFSETS_MM, Scene

COS_SPECULAR, COS_DIFFUSE = float(np.cos(np.deg2rad(10))), float(np.cos(np.deg2rad(30)))
"""A smooth interface answers in full within 10 degrees of facing the beam and no more than a diffuse one beyond 30."""

RIM_MM = 1.4  # thickness of a specular outline
RIM_BASE_DB = 0.0  # an interface of blood and muscle is as strong as muscle
LEAST_POWER = 0.02  # what is weaker cannot be seen
STEP_PX = 0.7  # between the places where a layer is put down
STEPS_LIMIT = 60  # in one segment


@dataclass(frozen=True)
class Points:
    """The points of a scene, one array a property.

    Attributes:
        structures, slices: [M], of the piece each point belongs to.
        following: [M], index of the next point of its piece.
        has_segment: [M], whether an edge leads there; not from the end of an open line.
        px: [M, 2], (column, row) on the grid.
        cosine: [M], of the angle between the beam and the surface's normal, 0-1.
        look_db: [M].
    """

    structures: IntArray
    slices: IntArray
    following: IntArray
    has_segment: BoolArray
    px: Float32Array
    cosine: Float32Array
    look_db: Float32Array


def gather_points(scene: Scene, grid: PolarGrid, looks: Looks) -> Points:
    """Lay out the points of a scene for work on all of them at once."""
    rows = [(p.structure, p.slice_index, p.start, p.stop, p.is_closed) for p in scene.pieces]
    pieces = np.array(sorted(rows, key=itemgetter(2)), dtype=np.int64).reshape(-1, 5)
    counts = pieces[:, 3] - pieces[:, 2]
    total = len(scene.points_mm)
    following = np.arange(1, total + 1, dtype=np.int64)
    following[pieces[:, 3] - 1] = pieces[:, 2]
    has_segment = np.ones(total, dtype=np.bool_)
    has_segment[pieces[:, 3] - 1] = pieces[:, 4] > 0
    structures = np.repeat(pieces[:, 0], counts)
    x, y = scene.points_mm[:, 0], scene.points_mm[:, 1]
    distance = np.sqrt(x * x + y * y) + np.float32(1e-3)
    cosine = np.abs(x * scene.normals[:, 0] + y * scene.normals[:, 1]) / distance
    return Points(
        structures,
        np.repeat(pieces[:, 1], counts),
        following,
        has_segment,
        grid.to_px(scene.points_mm),
        as_float32(cosine),
        looks.at(structures, scene.places),
    )


def specular_share(cosine: Float32Array) -> Float32Array:
    """How specular a surface answers, 0-1, same shape as the cosine of its angle to the beam."""
    return as_float32(np.clip((cosine - np.float32(COS_DIFFUSE)) / np.float32(COS_SPECULAR - COS_DIFFUSE), 0, 1))


class LayerPainter:
    """Puts thin layers down on one grid."""

    def __init__(self, surfaces: tuple[Surface, ...], grid: PolarGrid) -> None:
        self._grid = grid
        self._is_sheet = np.array([s.is_sheet for s in surfaces], dtype=np.bool_)
        self._specular_db = as_float32([s.specular_db for s in surfaces])
        echo = [s.tissue.value.echo_db if s.is_sheet else max(s.tissue.value.echo_db, RIM_BASE_DB) for s in surfaces]
        self._echo_db = as_float32(echo)
        self._thickness_mm = as_float32([s.thickness_mm if s.is_sheet else RIM_MM for s in surfaces])
        thickest = float(self._thickness_mm.max()) if surfaces else RIM_MM
        copies = int(np.clip(round(thickest / grid.row_mm), 2, 5))
        self._sides = as_float32((np.arange(copies) + 0.5) / copies - 0.5)  # [sides], places across the thickness
        cells_mm2 = grid.row_mm * grid.beam_rad * np.maximum(grid.depths_mm, 1.0)
        self._per_cell = as_float32(1 / cells_mm2)  # [rows]
        self._weight = as_float32([1 if s.is_sheet else 1 / len(SLICE_OFFSETS_MM) for s in surfaces])

    def power(self, scene: Scene, points: Points, labels: ByteArray) -> Float32Array:
        """Echo power [rows, beams] above muscle's, mean of the slices; `labels` [slices, rows, beams] hide outlines."""
        power, after = self._point_power(points), points.following
        start = np.flatnonzero(points.has_segment & (np.maximum(power, power[after]) > LEAST_POWER))
        start = start[self._is_shown(points, start, labels)]
        stop = after[start]
        step_mm = scene.points_mm[stop] - scene.points_mm[start]
        step_px = points.px[stop] - points.px[start]
        length_mm = np.hypot(step_mm[:, 0], step_mm[:, 1])
        steps = np.maximum(np.abs(step_px[:, 0]), np.abs(step_px[:, 1])) / np.float32(STEP_PX)
        counts = np.clip(steps + 1, 1, STEPS_LIMIT).astype(np.int64)
        thickness = self._thickness_mm[points.structures[start]]
        part_mm2 = length_mm * thickness / (counts * np.float32(len(self._sides)))
        which = np.repeat(np.arange(len(start)), counts)  # [N], segment of each place
        first = np.repeat(np.cumsum(counts) - counts, counts)
        share = as_float32((np.arange(len(which)) - first + 0.5) / counts[which])
        weight = (power[start][which] * (1 - share) + power[stop][which] * share) * part_mm2[which]
        across = step_mm[:, ::-1] * as_float32([-1, 1]) * (thickness / (length_mm + np.float32(1e-4)))[:, None]
        begin = self._grid.to_px(scene.points_mm[start] + across * self._sides[:, None, None])  # [sides, segments, 2]
        along = step_px[which]
        column, row = (begin[..., axis][:, which] + along[:, axis] * share for axis in (0, 1))
        return self._put_down(column, row, weight)

    def _put_down(self, column: Float32Array, row: Float32Array, weight: Float32Array) -> Float32Array:
        """Add weights [N], power times mm2, to the cells nearest to places [sides, N]; returns power [rows, beams]."""
        rows, beams = self._grid.rows, self._grid.beams
        columns = (column + np.float32(1.5)).astype(np.int64) - 1  # rounds, below zero too
        lines = (row + np.float32(1.5)).astype(np.int64) - 1
        inside = (columns >= 0) & (lines >= 0) & (columns < beams) & (lines < rows)
        flat = np.where(inside, lines * beams + columns, rows * beams)
        total = np.bincount(flat.ravel(), np.broadcast_to(weight, flat.shape).ravel(), rows * beams + 1)[:-1]
        return as_float32(total).reshape(rows, beams) * self._per_cell[:, None]

    def _point_power(self, points: Points) -> Float32Array:
        """Power above muscle's at each point, [M]: all of a sheet's, of an outline what is specular."""
        structures = points.structures
        specular = self._specular_db[structures] * specular_share(points.cosine)
        level = self._echo_db[structures] + points.look_db
        scale = np.float32(np.log(10) / 10)
        diffuse = np.exp(level * scale)
        added = diffuse * (np.exp(specular * scale) - np.where(self._is_sheet[structures], 0, 1))
        return as_float32(added * self._weight[structures])

    def _is_shown(self, points: Points, chosen: IntArray, labels: ByteArray) -> BoolArray:
        """Whether the chosen points count: sheets of the middle slice for all, outlines where not painted over."""
        at = np.rint(points.px[chosen]).astype(np.int64)
        column = np.clip(at[:, 0], 0, labels.shape[2] - 1)
        row = np.clip(at[:, 1], 0, labels.shape[1] - 1)
        own = points.structures[chosen]
        slices = points.slices[chosen]
        is_top = labels[slices, row, column] <= own + 1
        shown: BoolArray = np.where(self._is_sheet[own], slices == CENTRE_SLICE, is_top)
        return shown
