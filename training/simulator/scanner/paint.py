"""From what a plane cuts to how strongly each cell of the grid answers."""

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, Float32Array, as_bytes, as_float32
from training.simulator.heart.surfaces import Surface
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.layers import LayerPainter, Points
from training.simulator.scanner.looks import Looks
from training.simulator.views.scene import SLICE_OFFSETS_MM, Scene

SUBPIXEL_BITS = 4
SLICES = len(SLICE_OFFSETS_MM)


class Painter:
    """Paints scenes of the same surfaces on one grid."""

    def __init__(self, surfaces: tuple[Surface, ...], grid: PolarGrid, looks: Looks, background: Float32Array) -> None:
        """Lay out levels; `background` [rows, beams] is the power of what is round the heart."""
        self._grid = grid
        self._layers = LayerPainter(surfaces, grid)
        self._background = background * np.float32(1 / SLICES)
        echo_db = as_float32([s.tissue.value.echo_db for s in surfaces]) + looks.shift_db
        self._power = np.zeros(256, dtype=np.float32)
        self._power[1 : len(surfaces) + 1] = 10 ** (echo_db / 10) / SLICES
        self._labels = np.empty((SLICES, grid.rows, grid.beams), dtype=np.uint8)

    def labels(self, scene: Scene, px: Float32Array) -> ByteArray:
        """Index of the closed surface painted last in each slice, +1, 0 for none: [slices, rows, beams].

        The array is overwritten by the next call. `px` [M, 2] are the scene's points on the grid.
        """
        labels = self._labels
        labels.fill(0)
        fixed = np.rint(px * np.float32(1 << SUBPIXEL_BITS)).astype(np.int32)
        for piece in scene.pieces:
            if piece.is_closed:
                outline = fixed[piece.start : piece.stop]
                colour = float(piece.structure + 1)
                cv2.fillPoly(labels[piece.slice_index], [outline], colour, cv2.LINE_8, SUBPIXEL_BITS)
        return labels

    def power(self, scene: Scene, points: Points, labels: ByteArray) -> Float32Array:
        """Echo power [rows, beams] above muscle's, mean of the slices."""
        rows, beams = self._grid.rows, self._grid.beams
        filled = as_float32(cv2.LUT(labels.reshape(-1, beams), self._power)).reshape(SLICES, rows, beams)
        is_open = as_bytes(labels == 0)
        uncovered = as_float32(is_open[0] + is_open[1] + is_open[2])
        power = filled[0] + filled[1] + filled[2] + uncovered * self._background
        return as_float32(power + self._layers.power(scene, points, labels))
