"""The picture that copies are looked for in: 28 x 28 cells of local contrast, which survives what a copy may suffer.

Cells of 4 px see neither speckle nor blur nor compression; dividing by the local spread takes gain and gamma out; what
is outside the sector is zero, so that neither its outline nor black from a shift counts.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from services.cine.cine import FloatArray, UInt8Array
from services.cine.preprocessing import MODEL_SIDE_PX

CELLS = 28
"""Cells a side: 4 px of the model's input each."""

CELL_PX = MODEL_SIDE_PX // CELLS

CENTRE = (CELLS - 1) / 2

_BLACK = 2
"""Mean grey level of a cell up to which it may lie outside the sector; a generator's black is not even."""

_NEAR_CELLS = 2.0
"""Sigma of the neighbourhood that a cell is compared with: structures from 8 px to about 40 px are left."""

_LEAST_SPREAD = 4.0
"""Grey levels: an even neighbourhood is not blown up to noise."""

_LIMIT = 2.5
"""Contrast beyond this says no more: a burned-in letter must not outweigh a wall."""


def shrink(frames: UInt8Array) -> UInt8Array:
    """Give the thumbnails [B, 28, 28] of frames [B, 112, 112]: the mean of 4 x 4 px each."""
    sums = frames.reshape(-1, CELLS, CELL_PX, MODEL_SIDE_PX).sum(axis=2, dtype=np.uint16)  # [B, H, W] -> [B, row, W]
    sums = sums.reshape(-1, CELLS, CELLS, CELL_PX).sum(
        axis=3, dtype=np.uint16
    )  # [B, row, column, 4] -> [B, row, column]
    return np.asarray((sums + CELL_PX**2 // 2) // CELL_PX**2, np.uint8)


def contrast(thumbnails: UInt8Array) -> FloatArray:
    """Give how much brighter each cell is than its neighbourhood, in its spreads, 0 outside the sector, [B, 28, 28]."""
    grey = thumbnails.astype(np.float32)
    inside = (thumbnails > _BLACK).astype(np.float32)
    weight = blur(inside, _NEAR_CELLS) + np.float32(1e-3)
    offset = (grey - blur(grey * inside, _NEAR_CELLS) / weight) * inside
    spread = np.sqrt(blur(offset * offset, _NEAR_CELLS) / weight)
    return np.asarray(np.clip(offset / (spread + _LEAST_SPREAD), -_LIMIT, _LIMIT) * inside, np.float32)


def pose(
    is_mirrored: bool, rotation_deg: float, scale: float, right_cells: float = 0.0, down_cells: float = 0.0
) -> FloatArray:
    """Give the map [3, 3] that carries (column, row, 1) of a picture: mirror, then turn and scale, then move."""
    moved = np.eye(3)
    moved[:2] = cv2.getRotationMatrix2D((CENTRE, CENTRE), rotation_deg, scale)
    moved[:2, 2] += right_cells, down_cells
    if is_mirrored:
        moved = moved @ np.array([[-1.0, 0.0, CELLS - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(moved, np.float32)


def move(frame: UInt8Array, moved: FloatArray) -> UInt8Array:
    """Move a frame [112, 112] by a map of its cells, bilinear, black from outside."""
    in_px = moved[:2].copy()
    corner = (CELL_PX - 1) / 2  # of the middle of the first cell, px
    in_px[:, 2] = CELL_PX * in_px[:, 2] + corner * (1 - in_px[:, 0] - in_px[:, 1])
    return np.asarray(cv2.warpAffine(frame, in_px, (MODEL_SIDE_PX, MODEL_SIDE_PX)), np.uint8)


def warping(moved: FloatArray) -> FloatArray:
    """Give the matrix [784, 784] that moves a flat picture by a map, bilinear, 0 from outside."""
    rows, columns = np.mgrid[:CELLS, :CELLS].reshape(2, -1)
    source = np.linalg.inv(moved.astype(np.float64)) @ np.stack([columns, rows, np.ones(CELLS**2)])
    corner = np.floor(source[:2]).astype(int)  # [column and row, 784]
    part = source[:2] - corner
    matrix = np.zeros((CELLS**2, CELLS**2), np.float32)
    for right in (0, 1):
        for down in (0, 1):
            column, row = corner[0] + right, corner[1] + down
            weight = np.abs(1 - right - part[0]) * np.abs(1 - down - part[1])
            held = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS)
            matrix[np.flatnonzero(held), (row * CELLS + column)[held]] = weight[held]
    return matrix


def blur(pictures: FloatArray, sigma_cells: float) -> FloatArray:
    """Smooth pictures [B, 28, 28] with a Gaussian; what lies outside counts as 0."""
    smoothing = _smoothing(sigma_cells)
    return np.asarray(smoothing @ pictures @ smoothing, np.float32)


@cache
def _smoothing(sigma_cells: float) -> FloatArray:
    """Give the band matrix [28, 28] of a Gaussian."""
    apart = np.subtract.outer(np.arange(CELLS), np.arange(CELLS))
    bell = np.exp(-0.5 * (apart / sigma_cells) ** 2) / (sigma_cells * np.sqrt(2 * np.pi))
    return np.asarray(bell, np.float32)
