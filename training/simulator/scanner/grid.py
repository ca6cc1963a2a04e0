"""The scan-line grid: rows are depth, columns are beams."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.simulator.arrays import Float32Array, as_float32


@dataclass(frozen=True)
class PolarGrid:
    """Beams from a virtual apex at the origin: `rows` depths x `beams` angles."""

    rows: int
    beams: int
    start_mm: float
    depth_mm: float
    opening_deg: float
    centre_deg: float = 0.0  # direction of the middle beam, to the right

    @property
    def row_mm(self) -> float:
        """Depth of one row in mm."""
        return (self.depth_mm - self.start_mm) / (self.rows - 1)

    @property
    def beam_rad(self) -> float:
        """Angle of one beam in radians."""
        return float(np.deg2rad(self.opening_deg)) / (self.beams - 1)

    @cached_property
    def depths_mm(self) -> Float32Array:
        """Depth of each row, [rows]."""
        return np.linspace(self.start_mm, self.depth_mm, self.rows, dtype=np.float32)

    @cached_property
    def angles_rad(self) -> Float32Array:
        """Angle of each beam, negative to the left, [beams]."""
        half = np.deg2rad(self.opening_deg) / 2
        return np.linspace(-half, half, self.beams, dtype=np.float32) + np.float32(np.deg2rad(self.centre_deg))

    @cached_property
    def across(self) -> Float32Array:
        """Place of each beam across the sector, 0 left to 1 right, [beams]."""
        return np.linspace(0, 1, self.beams, dtype=np.float32)

    def places_mm(self, rows: int, beams: int) -> Float32Array:
        """Cell centres in mm of the same sector cut into rows x beams: [rows, beams, 2]."""
        share_r = (np.arange(rows, dtype=np.float32) + 0.5) * np.float32(self.rows / rows) - 0.5
        share_b = (np.arange(beams, dtype=np.float32) + 0.5) * np.float32(self.beams / beams) - 0.5
        depth = self.start_mm + share_r * np.float32(self.row_mm)
        angle = self.angles_rad[0] + share_b * np.float32(self.beam_rad)
        return np.stack([depth[:, None] * np.sin(angle), depth[:, None] * np.cos(angle)], axis=-1).astype(np.float32)

    def to_px(self, points_mm: Float32Array) -> Float32Array:
        """Points [..., 2] mm to (column, row) [..., 2] in pixels."""
        x, y = points_mm[..., 0], np.maximum(points_mm[..., 1], np.float32(1))
        column = (np.arctan2(x, y) - self.angles_rad[0]) / np.float32(self.beam_rad)
        row = (np.sqrt(x * x + y * y) - np.float32(self.start_mm)) / np.float32(self.row_mm)
        return as_float32(np.stack([column, row], axis=-1))
