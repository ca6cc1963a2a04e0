"""Cut a heart by a plane: the zero lines of each surface's distance to the plane, at any instant."""

from collections.abc import Iterator
from functools import cache
from typing import cast

import numpy as np
import numpy.typing as npt
from contourpy import FillType, LineType, SerialContourGenerator, ZInterp

from training.simulator.arrays import Float32Array, IntArray, as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.rhythm import HeartState
from training.simulator.views.pose import Pose
from training.simulator.views.scene import CENTRE_SLICE, SLICE_OFFSETS_MM, Piece, Scene

NEAR_MM = 6.0  # material points up to this far from the plane carry the tissue that it shows
HANDLES = 96  # at most
SEAM_TOLERANCE = 1e-6  # of a row: ends of two lines on the two edges of the seam that are one point

DoubleArray = npt.NDArray[np.float64]
_NO_MASK = cast("npt.NDArray[np.bool_]", None)  # what the library takes for "nothing is masked"


class CutHeart:
    """A heart before a plane; all that does not change over a cine is laid out once.

    Args:
        heart: what is cut.
        reference: the pose at which the points that carry the tissue are chosen, at end-diastole.
    """

    def __init__(self, heart: Heart, reference: Pose) -> None:
        self.heart = heart
        self._vertices = heart.vertices
        self._starts, self._columns = self._vertices.starts, self._vertices.columns
        self._extents = self._vertices.extents
        self._handles, self._handle_structures, self._handle_places = self._choose_handles(reference)

    def scene(self, state: HeartState, pose: Pose) -> Scene:
        """Cut the heart at one instant."""
        placed = pose.to_plane(self._vertices.at(state))  # [N, 3]
        heights = placed[:, 2].astype(np.float64)
        low, high = np.minimum.reduceat(heights, self._starts[:-1]), np.maximum.reduceat(heights, self._starts[:-1])
        pieces, lines, row = [], [], 0
        is_cut = (low < SLICE_OFFSETS_MM[-1]) & (high > SLICE_OFFSETS_MM[0])
        for index in np.flatnonzero(is_cut).tolist():
            surface, grid = self.heart.surfaces[index], heights[self._starts[index] : self._starts[index + 1]]
            for slice_index, line, is_closed in _trace(grid.reshape(surface.keys.shape[2:4]), surface.is_sheet):
                pieces.append(Piece(index, slice_index, row, row + len(line), is_closed))
                lines.append(line)
                row += len(line)
        return self._assemble(placed, pose, pieces, lines)

    def _assemble(self, placed: Float32Array, pose: Pose, pieces: list[Piece], lines: list[DoubleArray]) -> Scene:
        """Read points, places and normals of all lines in one go."""
        lengths = np.array([len(line) for line in lines], dtype=np.int64)
        owner = np.repeat(np.array([piece.structure for piece in pieces], dtype=np.int64), lengths)
        traced = np.concatenate(lines) if lines else np.empty((0, 2))  # [M, 2] (column, row)
        columns = self._columns[owner]
        row, column = np.floor(traced[:, 1]).astype(np.int64), np.floor(traced[:, 0]).astype(np.int64)
        extents = self._extents[owner]
        row, column = np.minimum(row, extents[:, 0] - 1), np.minimum(column, extents[:, 1] - 1)
        down, right = (
            (traced[:, 1] - row).astype(np.float32)[:, None],
            (traced[:, 0] - column).astype(np.float32)[:, None],
        )
        corner = self._starts[owner] + row * columns + column
        carried = np.concatenate([placed[:, :2], self._vertices.normals @ _axes(pose)], axis=1)  # [N, 5]
        near = carried[corner] * (1 - right) + carried[corner + 1] * right
        far = carried[corner + columns] * (1 - right) + carried[corner + columns + 1] * right
        values = near * (1 - down) + far * down  # [M, 5]
        places = as_float32(traced[:, ::-1] / np.maximum(extents, 1))
        order = sorted(range(len(pieces)), key=lambda index: (pieces[index].slice_index, pieces[index].structure))
        return Scene(
            surfaces=self.heart.surfaces,
            pieces=tuple(pieces[index] for index in order),
            points_mm=np.ascontiguousarray(values[:, :2]),
            places=places,
            normals=np.ascontiguousarray(values[:, 2:]),
            handles_mm=placed[self._handles, :2],
            handle_structures=self._handle_structures,
            handle_places=self._handle_places,
            flow_axis=self._flow_axis(pose),
        )

    def _flow_axis(self, pose: Pose) -> Float32Array:
        """From the annulus to the apex on the plane, [2]; straight up where the plane is square to it."""
        axis = _axes(pose).T[:2] @ as_float32([0, 0, 1])
        length = float(np.hypot(*axis))
        return as_float32(axis / length) if length > 0.2 else as_float32([0, -1])

    def _choose_handles(self, reference: Pose) -> tuple[IntArray, IntArray, Float32Array]:
        """Material points near the plane at end-diastole: rows of the vertices, their structures and places."""
        rows, owners, places = [], [], []
        distance = np.abs(reference.to_plane(self._vertices.rest)[:, 2])
        for index, surface in enumerate(self.heart.surfaces):
            if not surface.is_material:
                continue
            start, stop = self._starts[index], self._starts[index + 1]
            found = np.flatnonzero(distance[start:stop] < NEAR_MM) + start
            rows.append(found)
            owners.append(np.full(len(found), index))
            place = np.stack(np.divmod(found - start, self._columns[index]), axis=1)
            places.append(place / self._extents[index])
        chosen, owner, place = np.concatenate(rows), np.concatenate(owners), np.concatenate(places)
        step = max(1, -(-len(chosen) // HANDLES))
        return chosen[::step], owner[::step], as_float32(place[::step])


def _axes(pose: Pose) -> Float32Array:
    """From heart coordinates to (right, down, out), [3, 3], to be multiplied from the right."""
    return np.stack([pose.right, pose.down, pose.out], axis=1)


@cache
def _lattice(rows: int, columns: int) -> tuple[DoubleArray, DoubleArray]:
    x, y = np.meshgrid(np.arange(columns, dtype=np.float64), np.arange(rows, dtype=np.float64))
    return x, y


def _trace(heights: DoubleArray, is_sheet: bool) -> Iterator[tuple[int, DoubleArray, bool]]:
    """Trace where a grid of heights over the plane [U, V] crosses each slice.

    Yields:
        Index of the slice, points [N, 2] as (column, row) of the grid, and whether they close.
    """
    if not is_sheet:
        heights[:, -1] = heights[:, 0]  # products of equal points may differ in the last bit
    x, y = _lattice(*heights.shape)
    generator = SerialContourGenerator(
        x,
        y,
        heights,
        _NO_MASK,
        corner_mask=False,
        line_type=LineType.Separate,
        fill_type=FillType.OuterOffset,
        quad_as_tri=False,
        z_interp=ZInterp.Linear,
    )
    for slice_index, offset in enumerate(SLICE_OFFSETS_MM):
        lines = cast("list[DoubleArray]", generator.lines(offset))
        if is_sheet:
            for line in lines:
                if slice_index == CENTRE_SLICE and len(line) > 1:
                    yield slice_index, line, False
            continue
        for outline in _join(lines, heights.shape[1] - 1):
            if len(outline) > 2:
                yield slice_index, outline, True


def _join(lines: list[DoubleArray], seam: int) -> Iterator[DoubleArray]:
    """Join lines [N, 2] that end on column 0 with those that end on the last one (the same place) to outlines."""
    open_lines = []
    for line in lines:
        if line[0, 0] == line[-1, 0] and line[0, 1] == line[-1, 1]:
            yield line[:-1]
        else:
            open_lines.append(line)
    while open_lines:
        outline = open_lines.pop()
        while True:
            column, row = outline[-1]
            if _is_whole(outline, seam):
                break
            follower = _find(open_lines, seam - column, row)
            if follower is None:
                break
            outline = np.concatenate([outline, follower])
        yield outline


def _is_whole(outline: DoubleArray, seam: int) -> bool:
    """Whether an outline's two ends are the same place on the two edges of the seam."""
    first, last = outline[0], outline[-1]
    return bool(abs(first[0] + last[0] - seam) < SEAM_TOLERANCE and abs(first[1] - last[1]) < SEAM_TOLERANCE)


def _find(lines: list[DoubleArray], column: float, row: float) -> DoubleArray | None:
    """Take the line out of a list that has an end at a place, turned so that it starts there."""
    for index, line in enumerate(lines):
        for end in (0, -1):
            if abs(line[end, 0] - column) < SEAM_TOLERANCE and abs(line[end, 1] - row) < SEAM_TOLERANCE:
                lines.pop(index)
                return line if end == 0 else line[::-1]
    return None
