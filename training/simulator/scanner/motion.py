"""How tissue moves between the places where it is known, and which level of echo it takes with it."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.scanner.grid import PolarGrid

COARSE_ROWS, COARSE_BEAMS = 22, 16  # grid on which fields are interpolated
CARRY_MM = 9.0  # how far a moving outline carries the tissue beside it
FADING_MM = 5.0  # how far the level of a wall reaches into its thickness
STILLNESS = 0.05  # weight of tissue that stays where it is
POINTS_LIMIT = 160  # more points than this change nothing at this smoothness


@dataclass(frozen=True)
class Carrier:
    """Spreads values known at points over the whole grid."""

    grid: PolarGrid
    coarse_mm: Float32Array  # [N, 2]
    coarse_mm2: Float32Array  # [N, 1], squared distance from the origin

    def spread(self, points_mm: Float32Array, values: Float32Array, reach_mm: float) -> Float32Array:
        """Gaussian-weighted mean of values [P, C] at points [P, 2], 0 far from all: [rows, beams(, C)]."""
        step = max(-(-len(points_mm) // POINTS_LIMIT), 1)
        points, values = points_mm[::step], values[::step]
        scale = np.float32(-0.5 / reach_mm**2)
        x, y = points[:, 0], points[:, 1]
        nearness = self.coarse_mm @ (points.T * (-2 * scale)) + self.coarse_mm2 * scale + (x * x + y * y) * scale
        weights = np.exp(np.maximum(nearness, np.float32(-30)))  # [N, P]
        mean = (weights @ values) / (weights.sum(axis=1, keepdims=True) + np.float32(STILLNESS))
        field = mean.reshape(COARSE_ROWS, COARSE_BEAMS, values.shape[1])  # [N, C] -> [rows, beams, C]
        return as_float32(cv2.resize(field, (self.grid.beams, self.grid.rows), interpolation=cv2.INTER_LINEAR))


def make_carrier(grid: PolarGrid) -> Carrier:
    """Lay the coarse grid over a scan-line grid."""
    coarse = grid.places_mm(COARSE_ROWS, COARSE_BEAMS).reshape(-1, 2)  # [rows, beams, 2] -> [N, 2]
    return Carrier(grid, coarse, as_float32((coarse**2).sum(axis=1, keepdims=True)))
