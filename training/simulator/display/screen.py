"""The monitor: where the sector lies on the canvas, and one remap from scan lines to pixels."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array
from training.simulator.scanner.grid import PolarGrid
from training.simulator.styles import StyleDraw

ZOOM_CENTRE = 0.52  # of the depth
WIDEST_FRAME = 1.25  # a square picture of a wide sector is at most so much larger than its canvas is high
EVERYWHERE_MM = (-np.inf, -np.inf, np.inf, np.inf)
OUTLINE_POINTS = 33

Window = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Screen:
    """A canvas in pixels with a probe at (`probe_x_px`, `probe_y_px`); y grows downwards.

    Attributes:
        px_per_mm: downwards; across it is `squeeze` times that.
        start_mm, depth_mm, opening_deg, steer_deg: the sector from `start_mm` to `depth_mm` round a beam that is
            turned `steer_deg` to the right.
        cut_mm: nothing is shown below this height under the probe.
        is_flipped: right is shown at the left.
        window_mm: nothing is shown outside this rectangle, the flip undone.
        shown_mm: nothing is shown nearer or farther than these two radii.
        export_scale: pixels here for one of the export that the picture stands for.
    """

    width_px: int
    height_px: int
    probe_x_px: float
    probe_y_px: float
    px_per_mm: float
    depth_mm: float
    opening_deg: float
    start_mm: float
    cut_mm: float
    is_flipped: bool
    squeeze: float = 1.0
    steer_deg: float = 0.0
    window_mm: Window = EVERYWHERE_MM
    shown_mm: tuple[float, float] = (0.0, np.inf)
    export_scale: float = 1.0

    @property
    def pixel_spacing_mm(self) -> tuple[float, float]:
        """Distance of rows and of columns, mm."""
        return 1 / self.px_per_mm, 1 / (self.px_per_mm * self.squeeze)

    @cached_property
    def places_mm(self) -> Float32Array:
        """Where each pixel looks, [H, W, 2] mm, the flip undone."""
        row_mm, column_mm = self.pixel_spacing_mm
        x = (np.arange(self.width_px, dtype=np.float32) - np.float32(self.probe_x_px)) * np.float32(column_mm)
        y = (np.arange(self.height_px, dtype=np.float32) - np.float32(self.probe_y_px)) * np.float32(row_mm)
        grid = np.empty((self.height_px, self.width_px, 2), dtype=np.float32)
        grid[..., 0] = -x if self.is_flipped else x
        grid[..., 1] = y[:, None]
        return grid

    @cached_property
    def sector_mask(self) -> BoolArray:
        """Where the sector is shown, [H, W]."""
        x, y = self.places_mm[..., 0], self.places_mm[..., 1]
        left, top, right, bottom = self.window_mm
        radius = np.hypot(x, y)
        off_rad = np.abs(np.arctan2(x, y) - np.float32(np.deg2rad(self.steer_deg)))
        mask = (radius >= max(self.start_mm, self.shown_mm[0])) & (radius <= min(self.depth_mm, self.shown_mm[1]))
        mask &= (off_rad <= np.deg2rad(self.opening_deg) / 2) & (y <= min(self.cut_mm, bottom)) & (y >= top)
        inside: BoolArray = mask & (x >= left) & (x <= right)
        return inside

    def maps(self, grid: PolarGrid) -> tuple[ByteArray, ByteArray]:
        """Fixed-point maps for `cv2.remap` from scan lines to this canvas."""
        at_px = grid.to_px(self.places_mm)
        fine, table = cv2.convertMaps(at_px[..., 0], at_px[..., 1], cv2.CV_16SC2)
        return np.asarray(fine), np.asarray(table)

    def to_px(self, points_mm: Float32Array) -> Float32Array:
        """Points [..., 2] mm to pixels (x, y) [..., 2] on this canvas, flip included."""
        side = -1.0 if self.is_flipped else 1.0
        scale = np.array([side * self.squeeze * self.px_per_mm, self.px_per_mm], dtype=np.float32)
        return points_mm * scale + np.array([self.probe_x_px, self.probe_y_px], dtype=np.float32)


def lay_out(style: StyleDraw, size_px: int | None) -> Screen:
    """Place the sector on the style's canvas, or on a square of `size_px` that frames the same sector."""
    window_mm, shown_mm = _window_mm(style), _shown_mm(style)
    left, top, right, bottom = _bounds_mm(style, window_mm, shown_mm)
    width, height = style.width_px, style.height_px
    px_per_mm = min(
        style.sector_height * height / (bottom - top), style.overflow * width / ((right - left) * style.squeeze)
    )
    side = -1 if style.is_flipped else 1
    is_zoomed = style.box is not None or style.piece is not None
    centre_mm = side * (left + right) / 2 if is_zoomed else 0.0
    probe_x = style.sector_x * width - centre_mm * px_per_mm * style.squeeze
    probe_y = style.free_above * (height - (bottom - top) * px_per_mm) - top * px_per_mm
    scale = 1.0
    if size_px is not None:
        reach = (right - left) * px_per_mm * style.squeeze
        frame = float(max(width, height) if width <= height else max(height, min(reach * 1.04, WIDEST_FRAME * height)))
        middle = width / 2 if width <= frame else style.sector_x * width
        scale = size_px / frame
        probe_x, probe_y = (probe_x - middle + frame / 2) * scale, (probe_y + (frame - height) / 2) * scale
        px_per_mm, width, height = px_per_mm * scale, size_px, size_px
    if style.zoom > 1:
        focus = probe_y + ZOOM_CENTRE * style.scanner.depth_mm * px_per_mm  # this depth comes to the middle
        px_per_mm *= style.zoom
        probe_y = min(focus, 0.55 * height) - ZOOM_CENTRE * style.scanner.depth_mm * px_per_mm
    return Screen(
        width_px=width,
        height_px=height,
        probe_x_px=float(probe_x),
        probe_y_px=float(probe_y),
        px_per_mm=float(px_per_mm),
        depth_mm=style.scanner.depth_mm,
        opening_deg=style.scanner.opening_deg,
        start_mm=style.start_mm,
        cut_mm=style.scanner.depth_mm * (1 - style.cut_bottom),
        is_flipped=style.is_flipped,
        squeeze=style.squeeze,
        steer_deg=style.steer_deg,
        window_mm=window_mm,
        shown_mm=shown_mm,
        export_scale=float(scale),
    )


def _window_mm(style: StyleDraw) -> Window:
    """The rectangle that a zoom or an export's straight sides leave, in mm."""
    depth = style.scanner.depth_mm
    if style.box is not None:
        return style.box.left * depth, style.box.top * depth, style.box.right * depth, style.box.bottom * depth
    if style.cut_sides == (0.0, 0.0):
        return EVERYWHERE_MM
    left, _, right, _ = _bounds_mm(style, EVERYWHERE_MM, _shown_mm(style))
    return left * (1 - style.cut_sides[0]), -np.inf, right * (1 - style.cut_sides[1]), np.inf


def _shown_mm(style: StyleDraw) -> tuple[float, float]:
    if style.piece is None:
        return 0.0, np.inf
    return style.piece[0] * style.scanner.depth_mm, style.piece[1] * style.scanner.depth_mm


def _bounds_mm(style: StyleDraw, window_mm: Window, shown_mm: tuple[float, float]) -> Window:
    """The rectangle round what is shown, in mm; a whole sector begins at its probe."""
    settings = style.scanner
    turn = np.deg2rad(np.linspace(-0.5, 0.5, OUTLINE_POINTS) * settings.opening_deg + style.steer_deg)
    near, far = shown_mm[0], min(settings.depth_mm, shown_mm[1])
    across, down = np.sin(turn), np.cos(turn)
    left, right = min(far * across.min(), near * across.min()), max(far * across.max(), near * across.max())
    return (
        float(max(left, window_mm[0])),
        float(max(near * down.min(), window_mm[1], 0.0)),
        float(min(right, window_mm[2])),
        float(min(far * down.max(), window_mm[3])),
    )
