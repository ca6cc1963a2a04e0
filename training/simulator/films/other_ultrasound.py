"""Ultrasound of other organs through the same scanner: a vessel under a linear probe, the liver under a curved one."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, as_bytes
from training.simulator.curves import closed_curve, ellipse, open_curve, points
from training.simulator.display.screen import Screen
from training.simulator.films.canvas import Canvas
from training.simulator.heart.tissues import Tissue
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.scanner import Scanner
from training.simulator.studio import FINE_GRID, Order
from training.simulator.styles import draw_style
from training.simulator.views.drawn import Drawing, drawn_scene
from training.simulator.views.scene import Scene

NEAR_MM = 40.0  # a usual depth: the further the virtual origin, the wider the probe
PULSE_MS, BREATH_MS = 830.0, 3900.0
FLAT_START_MM, FLAT_DEPTH_MM, FLAT_DEG = 900.0, 1020.0, 9.0  # a narrow, far fan is a linear probe's box
CURVED_START_MM, CURVED_DEPTH_MM, CURVED_DEG = 60.0, 230.0, 66.0
DOWN = points((0, 1))[0]


def scan_linear(canvas: Canvas, order: Order) -> Callable[[float], ByteArray]:
    """An artery that pulses between two layers of muscle, in a rectangle."""
    rng = order.rng(151)
    grid = PolarGrid(*FINE_GRID, FLAT_START_MM, FLAT_DEPTH_MM, FLAT_DEG)
    depth, lean, bore = FLAT_START_MM + rng.uniform(45, 75), rng.uniform(-12, 12), rng.uniform(14, 24)

    def scene(time_ms: float) -> Scene:
        half = bore / 2 * (1 + 0.09 * max(np.sin(2 * np.pi * time_ms / PULSE_MS), -0.3))
        walls = [
            open_curve(
                points((-85, depth - lean + side * half), (0, depth + side * half), (85, depth + lean + side * half))
            )
            for side in (-1, 1)
        ]
        around = points((-95, FLAT_START_MM - 5), (95, FLAT_START_MM - 5), (95, FLAT_DEPTH_MM), (-95, FLAT_DEPTH_MM))
        muscle = Drawing("muscle", around, Tissue.MUSCLE)
        vessel = Drawing("vessel", np.concatenate([walls[0], walls[1][::-1]]), Tissue.BLOOD, is_material=True)
        layer = open_curve(points((-85, FLAT_START_MM + 22), (0, FLAT_START_MM + 26), (85, FLAT_START_MM + 20)))
        lines = [Drawing(f"wall {side}", wall, Tissue.PERICARDIUM, 3.0, 4.0) for side, wall in enumerate(walls)]
        return drawn_scene([muscle, vessel, *lines, Drawing("fascia", layer, Tissue.PERICARDIUM, 2.0, 3.0)])

    scanner = _scanner(order, scene(0.0), grid)
    side = float(rng.uniform(0.5, 0.7))
    left, top, right, bottom = canvas.box(0.5 - side / 2, 0.08, 0.5 + side / 2, 0.94)

    def draw(time_ms: float) -> ByteArray:
        picture = canvas.blank()
        lines = cv2.resize(scanner.scan(scene(time_ms), time_ms), (right - left, bottom - top))
        picture[top:bottom, left:right] = lines[..., None]
        return picture

    return draw


def scan_convex(canvas: Canvas, order: Order) -> Callable[[float], ByteArray]:
    """A liver with its vessels over the diaphragm, moved by the breath, in a curved probe's fan."""
    rng = order.rng(151)
    grid = PolarGrid(*FINE_GRID, CURVED_START_MM, CURVED_DEPTH_MM, CURVED_DEG)
    vessels = [
        (rng.uniform(-60, 60), rng.uniform(95, 175), *rng.uniform(4, 11, 2), rng.uniform(0, 180)) for _ in range(7)
    ]
    px_per_mm = 0.9 * canvas.height_px / (CURVED_DEPTH_MM - CURVED_START_MM * np.cos(np.deg2rad(CURVED_DEG / 2)))
    screen = Screen(
        width_px=canvas.width_px,
        height_px=canvas.height_px,
        probe_x_px=canvas.width_px / 2,
        probe_y_px=0.96 * canvas.height_px - CURVED_DEPTH_MM * px_per_mm,
        px_per_mm=px_per_mm,
        depth_mm=CURVED_DEPTH_MM,
        opening_deg=CURVED_DEG,
        start_mm=CURVED_START_MM,
        cut_mm=CURVED_DEPTH_MM,
        is_flipped=False,
    )

    def scene(time_ms: float) -> Scene:
        shift = np.float32(7 * np.sin(2 * np.pi * time_ms / BREATH_MS)) * DOWN
        liver = closed_curve(points((-95, 82), (0, 70), (90, 90), (85, 170), (20, 200), (-80, 180))) + shift
        parts = [Drawing("liver", liver, Tissue.LIVER, is_material=True)]
        for number, (x, y, wide, high, turn) in enumerate(vessels):
            outline = ellipse(points((x, y))[0] + shift, (2 * wide, high), turn)
            parts.append(Drawing(f"vessel {number}", outline, Tissue.BLOOD))
        diaphragm = open_curve(points((-100, 178), (-40, 205), (30, 206), (100, 165))) + shift
        return drawn_scene([*parts, Drawing("diaphragm", diaphragm, Tissue.PERICARDIUM, 3.0, 5.0)])

    scanner, maps = _scanner(order, scene(0.0), grid), screen.maps(grid)

    def draw(time_ms: float) -> ByteArray:
        grey = cv2.remap(scanner.scan(scene(time_ms), time_ms), *maps, cv2.INTER_LINEAR) * screen.sector_mask
        return as_bytes(cv2.cvtColor(as_bytes(grey), cv2.COLOR_GRAY2BGR))

    return draw


def _scanner(order: Order, reference: Scene, grid: PolarGrid) -> Scanner:
    """The style's own machine with another probe."""
    settings = draw_style(order.style, order.recording).scanner
    probe = replace(
        settings,
        depth_mm=grid.depth_mm,
        opening_deg=grid.opening_deg,
        aperture_mm=settings.aperture_mm * (1 + grid.start_mm / NEAR_MM),
        focus_mm=(grid.start_mm + grid.depth_mm) / 2,
        lung_fraction=(0.0, 0.0),
    )
    return Scanner(probe, reference, order.recording, grid)
