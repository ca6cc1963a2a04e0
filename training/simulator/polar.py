"""The scan-line grid: rows are depth, columns are beams; geometry in mm is painted on it as echo levels."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from training.simulator.arrays import ByteArray, Float32Array, as_float32
from training.simulator.scene import Look, Scene
from training.simulator.shapes import normals

# Levels are painted as bytes: (dB + 60) * 3, so that one picture carries -60 to +25 dB in steps of a third.
LEVEL_FLOOR_DB = -60.0
LEVEL_STEPS_PER_DB = 3.0
SUBPIXEL_BITS = 4
# A surface is fully specular within 10 degrees of facing the beam and diffuse beyond 30.
COS_SPECULAR, COS_DIFFUSE = np.cos(np.deg2rad(10)), np.cos(np.deg2rad(32))


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


def to_level(echo_db: npt.ArrayLike) -> Float32Array:
    """Decibels above muscle to the byte scale of painted levels (not rounded), clipped to 1-255."""
    return as_float32(np.clip((as_float32(echo_db) - LEVEL_FLOOR_DB) * LEVEL_STEPS_PER_DB, 1, 255))


def level_table_db() -> Float32Array:
    """Decibels of each painted level, [256]."""
    return (np.arange(256, dtype=np.float32) / LEVEL_STEPS_PER_DB + LEVEL_FLOOR_DB).astype(np.float32)


def paint(scene: Scene, grid: PolarGrid, background: ByteArray, looks: dict[str, Look]) -> ByteArray:
    """Paint a scene over a background of levels [rows, beams]; returns levels, same shape."""
    levels = background.copy()
    scale = 1 << SUBPIXEL_BITS
    for region in scene.regions:
        level = float(to_level(region.echo.value + looks[region.name].shift_db))
        corners = np.rint(grid.to_px(region.contour) * scale).astype(np.int32)
        cv2.fillPoly(levels, [corners], level, cv2.LINE_AA, SUBPIXEL_BITS)
    bright = np.zeros_like(levels)
    for line in scene.lines:
        edge = normals(line.path) * np.float32(line.width_mm / 2)
        sides = np.rint(grid.to_px(np.stack([line.path - edge, line.path + edge])) * scale).astype(
            np.int32
        )  # [2, N, 2]
        quads = np.stack([sides[0, :-1], sides[0, 1:], sides[1, 1:], sides[1, :-1]], axis=1)  # [N-1, 4, 2]
        echo_db = line.echo.value + looks[line.name].along(len(line.path) - 1) + line.specular_db * _facing(line.path)
        for quad, level in zip(quads, to_level(echo_db).tolist(), strict=True):
            cv2.fillConvexPoly(bright, quad, level, cv2.LINE_AA, SUBPIXEL_BITS)
    return np.maximum(levels, bright)


def _facing(path: Float32Array) -> Float32Array:
    """How far each piece [N-1] of a path [N, 2] faces the beam: 1 square on, 0 beyond about 30 degrees."""
    step, middle = path[1:] - path[:-1], path[1:] + path[:-1]
    cross = np.abs(step[:, 0] * middle[:, 0] + step[:, 1] * middle[:, 1])
    size = np.sqrt((step * step).sum(axis=1) * (middle * middle).sum(axis=1)) + np.float32(1e-6)
    cosine = np.sqrt(np.maximum(1 - (cross / size) ** 2, 0))
    return as_float32(np.clip((cosine - COS_DIFFUSE) / (COS_SPECULAR - COS_DIFFUSE), 0, 1))
