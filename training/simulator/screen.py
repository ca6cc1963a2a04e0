"""The monitor: where the sector lies on the canvas, and one remap from scan lines to pixels."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array
from training.simulator.polar import PolarGrid
from training.simulator.styles import StyleDraw

ZOOM_CENTRE = 0.52  # of the depth
TOP_MARGIN = 0.02  # of the canvas height, above the probe


@dataclass(frozen=True)
class Screen:
    """A canvas in pixels with a probe at (`probe_x_px`, `probe_y_px`); y grows downwards."""

    width_px: int
    height_px: int
    probe_x_px: float
    probe_y_px: float
    px_per_mm: float
    depth_mm: float
    opening_deg: float
    start_mm: float
    cut_mm: float  # nothing is shown below this height under the probe
    is_flipped: bool

    @cached_property
    def places_mm(self) -> Float32Array:
        """Where each pixel looks, [H, W, 2] mm, the flip undone."""
        x = (np.arange(self.width_px, dtype=np.float32) - np.float32(self.probe_x_px)) / np.float32(self.px_per_mm)
        y = (np.arange(self.height_px, dtype=np.float32) - np.float32(self.probe_y_px)) / np.float32(self.px_per_mm)
        grid = np.empty((self.height_px, self.width_px, 2), dtype=np.float32)
        grid[..., 0] = -x if self.is_flipped else x
        grid[..., 1] = y[:, None]
        return grid

    @cached_property
    def sector_mask(self) -> BoolArray:
        """Where the sector is shown, [H, W]."""
        place = self.places_mm
        radius = np.hypot(place[..., 0], place[..., 1])
        angle = np.abs(np.arctan2(place[..., 0], place[..., 1]))
        inside = (radius >= self.start_mm) & (radius <= self.depth_mm) & (place[..., 1] <= self.cut_mm)
        mask: BoolArray = inside & (angle <= np.deg2rad(self.opening_deg) / 2)
        return mask

    def maps(self, grid: PolarGrid) -> tuple[ByteArray, ByteArray]:
        """Fixed-point maps for `cv2.remap` from scan lines to this canvas."""
        at_px = grid.to_px(self.places_mm)
        fine, table = cv2.convertMaps(at_px[..., 0], at_px[..., 1], cv2.CV_16SC2)
        return np.asarray(fine), np.asarray(table)

    def to_px(self, points_mm: Float32Array) -> Float32Array:
        """Points [..., 2] mm to pixels (x, y) [..., 2] on this canvas, flip included."""
        side = -1.0 if self.is_flipped else 1.0
        scale = np.array([side * self.px_per_mm, self.px_per_mm], dtype=np.float32)
        return points_mm * scale + np.array([self.probe_x_px, self.probe_y_px], dtype=np.float32)


def lay_out(style: StyleDraw, start_mm: float, size_px: int | None) -> Screen:
    """Place the sector on the style's canvas, or on a square of `size_px` that frames the same sector."""
    scanner, height = style.scanner, style.height_px
    px_per_mm = style.sector_height * height / scanner.depth_mm
    probe_x, probe_y = (
        style.sector_x * style.width_px,
        TOP_MARGIN * height if style.sector_height < 1 else -0.02 * height,
    )
    half = np.deg2rad(scanner.opening_deg) / 2
    width = style.width_px
    if size_px is not None:
        reach = 2 * scanner.depth_mm * np.sin(half) * px_per_mm
        side = float(max(height, min(reach * 1.04, 1.25 * height)))
        factor = size_px / side
        probe_x = (probe_x - style.width_px / 2 + side / 2) * factor if style.width_px <= side else (side / 2) * factor
        probe_y = (probe_y + (side - height) / 2) * factor
        px_per_mm, width, height = px_per_mm * factor, size_px, size_px
    middle = probe_y + ZOOM_CENTRE * scanner.depth_mm * px_per_mm  # a zoom brings this depth to the middle
    if style.zoom > 1:
        px_per_mm *= style.zoom
        probe_y = min(middle, 0.55 * height) - ZOOM_CENTRE * scanner.depth_mm * px_per_mm
    return Screen(
        width_px=width,
        height_px=height,
        probe_x_px=float(probe_x),
        probe_y_px=float(probe_y),
        px_per_mm=float(px_per_mm),
        depth_mm=scanner.depth_mm,
        opening_deg=scanner.opening_deg,
        start_mm=start_mm,
        cut_mm=scanner.depth_mm * (1 - style.cut_bottom),
        is_flipped=style.is_flipped,
    )
