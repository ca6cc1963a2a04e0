"""Fill outlines without a bias: a cell is inside when its middle is."""

from collections.abc import Callable, Iterator

import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array
from training.simulator.views.scene import CENTRE_SLICE, Piece, Scene

PAPILLARY = "papillary_"

ToCells = Callable[[Float32Array], Float32Array]  # points [N, 2] mm to (column, row) [N, 2]


def fill(outline: Float32Array, height: int, width: int) -> BoolArray:
    """Tell which cells [height, width] have their middle inside a closed outline [N, 2] of (column, row).

    The even-odd rule; the middle of the first cell lies at (0, 0). OpenCV's filling would add the outline's own cells
    and so half a cell all round.
    """
    inside = np.zeros((height, width), dtype=np.bool_)
    start = outline.astype(np.float64)
    stop = np.roll(start, -1, axis=0)
    top, bottom = max(int(np.ceil(start[:, 1].min())), 0), min(int(np.floor(start[:, 1].max())), height - 1)
    left, right = max(int(np.ceil(start[:, 0].min())), 0), min(int(np.floor(start[:, 0].max())), width - 1)
    if top > bottom or left > right:
        return inside
    rows, columns = np.arange(top, bottom + 1), right - left + 1
    first, last = np.minimum(start[:, 1], stop[:, 1])[:, None], np.maximum(start[:, 1], stop[:, 1])[:, None]
    edge, row = np.nonzero((first <= rows) & (rows < last))  # edges that cross the middle of a row
    share = (rows[row] - start[edge, 1]) / (stop[edge, 1] - start[edge, 1])
    crossing = start[edge, 0] + share * (stop[edge, 0] - start[edge, 0])
    column = np.clip(np.ceil(crossing).astype(np.int64) - left, 0, columns)
    counts = np.bincount(row * (columns + 1) + column, minlength=len(rows) * (columns + 1))
    passed = np.cumsum(counts.reshape(len(rows), columns + 1), axis=1)[:, :columns]
    inside[top : bottom + 1, left : right + 1] = passed % 2 == 1
    return inside


def label_cells(scene: Scene, to_cells: ToCells, height: int, width: int) -> ByteArray:
    """Name the closed surface that owns each cell: its index in `Scene.surfaces` + 1, 0 for none; [height, width].

    Surfaces are filled in painting order but for two of them: the left ventricle's cavity, whose volume the ejection
    fraction is told from, keeps what the beginning of the aorta covers on the picture, and a papillary muscle owns
    only what it takes of that cavity, its foot being wall.
    """
    labels = np.zeros((height, width), dtype=np.uint8)
    cavity = np.zeros((height, width), dtype=np.bool_)
    for piece in _in_order(scene):
        surface = scene.surfaces[piece.structure]
        inside = fill(to_cells(scene.points_mm[piece.start : piece.stop]), height, width)
        if surface.name == "lv_cavity":
            cavity |= inside
        if surface.name.startswith(PAPILLARY):
            inside &= cavity
        labels[inside] = piece.structure + 1
    return labels


def _in_order(scene: Scene) -> Iterator[Piece]:
    """Closed pieces of the centre slice, in the order they are filled."""
    names = [surface.name for surface in scene.surfaces]
    rank: dict[int, float] = {index: index for index in range(len(names))}
    if {"lv_cavity", "aorta_cavity"} <= set(names):
        rank[names.index("lv_cavity")] = names.index("aorta_cavity") + 0.5
    closed = [piece for piece in scene.pieces if piece.slice_index == CENTRE_SLICE and piece.is_closed]
    yield from sorted(closed, key=lambda piece: rank[piece.structure])
