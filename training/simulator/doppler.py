"""Colour Doppler: an outlined box in which the blood's speed towards the probe is shown in red and blue."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array
from training.simulator.motion import HeartState
from training.simulator.polar import PolarGrid
from training.simulator.speckle import CLOUD_MM_PER_PX, cloud, look_up

SHOWN_ABOVE = 0.1  # of the fastest speed; wall filter


@dataclass(frozen=True)
class ColourBox:
    """A box in scan-line pixels: rows `top`-`bottom`, beams `left`-`right`."""

    top: int
    bottom: int
    left: int
    right: int
    shift_px: Float32Array  # [2], into the turbulence field

    def outline_mm(self, grid: PolarGrid) -> Float32Array:
        """Border of the box [N, 2] mm."""
        rows = np.linspace(self.top, self.bottom, 12)
        beams = np.linspace(self.left, self.right, 12)
        row = np.concatenate([np.full(12, self.top), rows, np.full(12, self.bottom), rows[::-1]])
        beam = np.concatenate([beams, np.full(12, self.right), beams[::-1], np.full(12, self.left)])
        depth = grid.start_mm + row * grid.row_mm
        angle = grid.angles_rad[0] + beam * grid.beam_rad
        return np.stack([depth * np.sin(angle), depth * np.cos(angle)], axis=1).astype(np.float32)


def draw_colour_box(grid: PolarGrid, blood: BoolArray, seed: tuple[int, ...]) -> ColourBox:
    """Draw a box round a part of the blood [rows, beams]."""
    rng = np.random.default_rng([*seed, 71])
    rows, beams = np.nonzero(blood[: int(grid.rows * 0.8)])
    deep = rows > 0.3 * grid.rows  # boxes lie on valves, not on the skin
    rows, beams = (rows[deep], beams[deep]) if deep.any() else (rows, beams)
    pick = int(rng.integers(len(rows)))
    height, width = grid.rows * rng.uniform(0.28, 0.45), grid.beams * rng.uniform(0.3, 0.55)
    top = int(np.clip(rows[pick] - height / 2, 0.12 * grid.rows, 0.9 * grid.rows - height))
    left = int(np.clip(beams[pick] - width / 2, 1, grid.beams - 2 - width))
    return ColourBox(top, int(top + height), left, int(left + width), rng.uniform(0, 500, 2).astype(np.float32))


def colour_lines(
    box: ColourBox,
    grid: PolarGrid,
    blood: BoolArray,
    state: HeartState,
    axis: Float32Array,
    places_mm: Float32Array,
    time_ms: float,
) -> ByteArray:
    """Colour the blood inside the box by its speed: [rows, beams, 3] uint8 BGR, zero where no colour shows."""
    drift = np.array([0.9, 0.7], dtype=np.float32) * np.float32(time_ms * 0.12)
    eddies = look_up(cloud(4.0), places_mm, CLOUD_MM_PER_PX, (box.shift_px + drift) % 512)
    large = look_up(cloud(14.0), places_mm, CLOUD_MM_PER_PX, (box.shift_px + drift * np.float32(0.3)) % 512)
    towards = np.float32(-axis[1]) * np.float32(0.9 * (state.inflow - state.outflow))
    speed = towards + np.float32(0.22) * eddies + np.float32(0.22 + 0.2 * (state.inflow + state.outflow)) * large
    inside = np.zeros_like(blood)
    inside[box.top : box.bottom, box.left : box.right] = True
    shown = inside & blood & (np.abs(speed) > SHOWN_ABOVE)
    strength = np.clip(np.abs(speed), 0, 1)
    colour = np.zeros((*speed.shape, 3), dtype=np.float32)
    red = speed > 0
    colour[..., 2] = np.where(red, 110 + 145 * strength, 30 * strength)
    colour[..., 1] = np.where(strength > 0.5, 300 * (strength - 0.5), 0)
    colour[..., 0] = np.where(red, 0, 110 + 145 * strength)
    return (np.clip(colour, 0, 255) * shown[..., None]).astype(np.uint8)


def add_colour(
    picture: ByteArray, lines: ByteArray, maps: tuple[ByteArray, ByteArray], mask: BoolArray, outline_px: Float32Array
) -> None:
    """Lay the colour [rows, beams, 3] and the outline of its box over a picture [H, W, 3], in place."""
    colour = cv2.remap(lines, *maps, cv2.INTER_LINEAR)
    shown = (colour.max(axis=2) > 40) & mask
    picture[shown] = colour[shown]
    border = np.zeros(mask.shape, dtype=np.uint8)
    cv2.polylines(border, [np.rint(outline_px).astype(np.int32)], True, 255.0, max(mask.shape[0] // 300, 1))
    picture[(border > 0) & mask] = (230, 230, 230)
