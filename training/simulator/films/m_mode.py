"""M-mode: one scan line of the simulated heart over time."""

from dataclasses import replace

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, TimeArray, as_bytes
from training.simulator.films.canvas import open_canvas, set_up_pane
from training.simulator.films.sectors import tint_table
from training.simulator.films.strips import (
    SPANS_MS,
    Strip,
    StripClock,
    draw_ecg_mv,
    draw_layout,
    draw_scale,
    draw_time_marks,
    dress,
    film_strip,
    strip_pane,
)
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.scanner import Scanner
from training.simulator.studio import COARSE_GRID, FINE_GRID, SMALL_PICTURE_PX, Order, Studio, Take

LINE_MS = 16.0  # time between two lines; what lies between is interpolated
BEAMS = 12  # of the narrow fan round the line, enough for the point spread
GREY_MAPS = ("grey", "grey", "grey", "sepia", "blue")


def film_m_mode(order: Order) -> Take:
    """A scan line over time, sweeping or scrolling, below a small sector or alone on the screen."""
    canvas, rng = open_canvas(order), order.rng(131)
    layout = draw_layout(canvas, rng, order.kind.endswith("_full"))
    height, width = layout.size
    clock = StripClock(width, float(rng.choice(SPANS_MS)), order.kind.startswith("sweep"))
    ticks = clock.ticks(order.frame_times_ms)
    studio = set_up_pane(order, layout.sector or layout.strip)
    angle_deg = _draw_angle_deg(studio, rng)
    strip = _colour(_lines(studio, angle_deg, clock.times_ms(ticks), height), str(rng.choice(GREY_MAPS)))
    standing = dress(canvas, layout, order, rng)
    draw_scale(standing, layout, -studio.screen.depth_mm / 10, 0.0, "cm")
    draw_time_marks(standing, layout, clock)
    voltage = draw_ecg_mv(order.rhythm, clock.times_ms(ticks), rng)
    pane = strip_pane(studio, layout.sector, angle_deg, None, rng) if layout.sector else None
    return film_strip(order, canvas, standing, Strip(clock, layout, ticks, strip, voltage), pane)


def _draw_angle_deg(studio: Studio, rng: np.random.Generator) -> float:
    """Draw a beam through blood, as one lays it through a ventricle or a root."""
    grid = studio.scanner.grid
    crossed = studio.scanner.blood(studio.reference).sum(axis=0).astype(np.float64)  # [beams]
    crossed *= np.abs(grid.angles_rad) < np.deg2rad(25)
    beam = int(rng.choice(grid.beams, p=crossed**2 / (crossed**2).sum()))
    return float(np.rad2deg(grid.angles_rad[beam]))


def _lines(studio: Studio, angle_deg: float, times_ms: TimeArray, height: int) -> ByteArray:
    """The scan line at an angle at sorted times [N] ms, the probe on top, [height, N] grey."""
    settings, grid = studio.scanner.settings, studio.scanner.grid
    beam_deg = settings.opening_deg / FINE_GRID[1]
    rows = (COARSE_GRID if height <= SMALL_PICTURE_PX else FINE_GRID)[0]
    narrow = PolarGrid(rows, BEAMS, grid.start_mm, grid.depth_mm, BEAMS * beam_deg, angle_deg)
    plain = replace(settings, edge_loss_db=(0.0, 0.0), lung_fraction=(0.0, 0.0), shadows=())
    scanner = Scanner(plain, studio.reference, studio.seed, narrow)
    place = times_ms / LINE_MS
    wanted = np.unique(np.concatenate([np.floor(place), np.floor(place) + 1]).astype(np.int64))
    lines = np.empty((narrow.rows, len(wanted)), dtype=np.float32)
    for column, number in enumerate(wanted):
        time_ms = float(number * LINE_MS)
        lines[:, column] = scanner.scan(studio.scene_at(time_ms), time_ms)[:, BEAMS // 2]
    before = np.searchsorted(wanted, np.floor(place).astype(np.int64))
    share = (place - np.floor(place)).astype(np.float32)
    between = lines[:, before] * (1 - share) + lines[:, before + 1] * share
    return as_bytes(cv2.resize(between, (len(times_ms), height), interpolation=cv2.INTER_LINEAR).astype(np.uint8))


def _colour(grey: ByteArray, name: str) -> ByteArray:
    """A strip [h, N] through a map, [h, N, 3] BGR."""
    strip = cv2.merge([grey, grey, grey])
    return as_bytes(strip if name == "grey" else cv2.LUT(strip, tint_table(name)))
