"""How fast blood and muscle move along the beams, and where in a box a scanner would show it."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array, as_float32
from training.simulator.heart.rhythm import HeartState
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.speckle import CLOUD_MM_PER_PX, cloud, look_up
from training.simulator.studio import Studio
from training.simulator.views.scene import Scene

BLOOD_SHOWN_ABOVE = 0.1  # of the fastest speed; wall filter
MUSCLE_SHOWN_ABOVE = 0.06
FASTEST_MUSCLE_MM_PER_MS = 0.08  # 8 cm/s, a healthy early diastolic wave
MUSCLE_STEP_MS = 20.0
MUSCLE_ABOVE_GREY = 60  # tissue Doppler colours strong echo only
DEPTH_SPAN = 0.12  # share of the depth above the box that no box covers


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

    def inside(self, grid: PolarGrid) -> BoolArray:
        """The box on the grid, [rows, beams]."""
        inside = np.zeros((grid.rows, grid.beams), dtype=np.bool_)
        inside[self.top : self.bottom, self.left : self.right] = True
        return inside


@dataclass(frozen=True)
class Flow:
    """Speed towards the probe (1 is the fastest), how disturbed it is (0-1) and where it is shown; [rows, beams]."""

    speed: Float32Array
    disturbance: Float32Array
    shown: BoolArray


def draw_colour_box(
    grid: PolarGrid,
    blood: BoolArray,
    rng: np.random.Generator,
    height: tuple[float, float] = (0.28, 0.45),
    width: tuple[float, float] = (0.3, 0.55),
) -> ColourBox:
    """Draw a box round a part of the blood [rows, beams]; height and width are shares of the depth and the opening."""
    rows, beams = np.nonzero(blood[: int(grid.rows * 0.8)])
    deep = rows > 0.3 * grid.rows  # boxes lie on valves, not on the skin
    rows, beams = (rows[deep], beams[deep]) if deep.any() else (rows, beams)
    pick = int(rng.integers(len(rows)))
    high, wide = grid.rows * rng.uniform(*height), grid.beams * rng.uniform(*width)
    top = int(
        np.clip(rows[pick] - high / 2, DEPTH_SPAN * grid.rows, max(0.96 * grid.rows - high, DEPTH_SPAN * grid.rows))
    )
    left = int(np.clip(beams[pick] - wide / 2, 1, max(grid.beams - 2 - wide, 1)))
    bottom, right = min(int(top + high), grid.rows - 2), min(int(left + wide), grid.beams - 2)
    return ColourBox(top, bottom, left, right, rng.uniform(0, 500, 2).astype(np.float32))


def blood_flow(studio: Studio, box: ColourBox, scene: Scene, state: HeartState, time_ms: float) -> Flow:
    """Blood inside a box: carried by filling and ejection, stirred by eddies that drift."""
    scanner = studio.scanner
    drift = np.array([0.9, 0.7], dtype=np.float32) * np.float32(time_ms * 0.12)
    eddies = look_up(cloud(4.0), scanner.places_mm, CLOUD_MM_PER_PX, (box.shift_px + drift) % 512)
    large = look_up(cloud(14.0), scanner.places_mm, CLOUD_MM_PER_PX, (box.shift_px + drift * np.float32(0.3)) % 512)
    towards = np.float32(-scene.flow_axis[1]) * np.float32(0.9 * (state.inflow - state.outflow))
    busy = state.inflow + state.outflow
    speed = towards + np.float32(0.22) * eddies + np.float32(0.22 + 0.2 * busy) * large
    shown = box.inside(scanner.grid) & scanner.blood(scene) & (np.abs(speed) > BLOOD_SHOWN_ABOVE)
    disturbance = np.clip(np.float32(0.35 + 0.5 * busy) * np.abs(eddies) - np.float32(0.15), 0, 1)
    return Flow(as_float32(speed), as_float32(disturbance), shown)


def jet_share(studio: Studio, box: ColourBox, scene: Scene) -> BoolArray:
    """A thin cone of blood that starts in the middle of the box and widens along the flow, [rows, beams]."""
    grid = studio.scanner.grid
    origin = grid_place_mm(grid, (box.top + box.bottom) / 2, (box.left + box.right) / 2)
    step = studio.scanner.places_mm - origin
    along = step @ scene.flow_axis
    across = np.abs(step @ np.array([scene.flow_axis[1], -scene.flow_axis[0]], dtype=np.float32))
    cone: BoolArray = (np.abs(along) < 11) & (across < 1.8 + 0.22 * np.abs(along))
    return cone


def grid_place_mm(grid: PolarGrid, row: float, beam: float) -> Float32Array:
    """Where a place of the grid lies, [2] mm."""
    depth, angle = grid.start_mm + row * grid.row_mm, grid.angles_rad[0] + beam * grid.beam_rad
    return np.array([depth * np.sin(angle), depth * np.cos(angle)], dtype=np.float32)


def muscle_motion(studio: Studio, box: ColourBox, lines: ByteArray, time_ms: float) -> Flow:
    """Muscle inside a box: how fast the tissue behind the grey `lines` [rows, beams] comes towards the probe."""
    scanner = studio.scanner
    scene = studio.scene_at(time_ms)
    now = scanner.carry(scene)[0]
    later = scanner.carry(studio.scene_at(time_ms + MUSCLE_STEP_MS))[0]
    beam = scanner.places_mm / np.linalg.norm(scanner.places_mm, axis=2, keepdims=True)  # [rows, beams, 2]
    away_mm = ((now - later) * beam).sum(axis=2)
    speed = as_float32(away_mm * np.float32(-1 / (MUSCLE_STEP_MS * FASTEST_MUSCLE_MM_PER_MS)))
    is_muscle = (lines > MUSCLE_ABOVE_GREY) & ~scanner.blood(scene)
    shown = box.inside(scanner.grid) & is_muscle & (np.abs(speed) > MUSCLE_SHOWN_ABOVE)
    return Flow(speed, np.zeros_like(speed), shown)
