"""Measures the left ventricle of an A4C as real contours were measured: size, shape, place, grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import BoolArray, FloatArray, UInt8Array
from training.simulator.display.screen import Screen

PROFILE_PLACES = np.arange(0.05, 1.0, 0.1, dtype=np.float32)
"""Places along the cavity, 0 annulus to 1 apex, at which its width is told."""

DISCS = 20
"""As the biplane rule has (Lang 2015)."""

APICAL_FROM = 2 / 3
"""Share of the length from the annulus beyond which muscle is apical: thirds, as the segments have."""

LEAST_REGION_PX = 30
"""A region of fewer pixels has no grey level."""


@dataclass(frozen=True)
class Axis:
    """The long axis of a cavity on the screen, mm, y downwards: from the apex to the middle of the annulus."""

    apex: FloatArray  # [2]
    base: FloatArray  # [2]

    @property
    def length(self) -> float:
        """Distance from the apex to the base."""
        return float(np.hypot(*(self.base - self.apex)))

    @property
    def lean_deg(self) -> float:
        """Angle from straight down, positive with the base to the right."""
        right, down = self.base - self.apex
        return float(np.degrees(np.arctan2(right, down)))

    def to_axis(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give points [..., 2] as the share of the length from the base (0) to the apex (1), and the distance right."""
        along = (self.apex - self.base) / self.length
        steps = points - self.base
        right = np.array([-along[1], along[0]], np.float32)
        return np.asarray(steps @ along / self.length, np.float32), np.asarray(steps @ right, np.float32)


def find_axis(contour: FloatArray) -> Axis:
    """Find the long axis of a cavity.

    Args:
        contour: [N, 2], from one hinge of the valve round the apex to the other hinge.

    Returns:
        The axis to the point that lies farthest from the middle of the annulus.
    """
    base = (contour[0] + contour[-1]) / 2
    return Axis(contour[int(np.hypot(*(contour - base).T).argmax())], base)


def measure_ventricle(contour_mm: FloatArray) -> dict[str, float]:
    """Measure a cavity's size and shape.

    Args:
        contour_mm: [N, 2], from one hinge of the valve round the apex to the other hinge.

    Returns:
        Length, largest width and annulus in mm, volume of discs from the one plane in ml, length over width, and the
        width profile over the length at `PROFILE_PLACES`.
    """
    axis = find_axis(contour_mm)
    places = np.linspace(0.5 / DISCS, 1 - 0.5 / DISCS, DISCS, dtype=np.float32)
    discs = _widths(contour_mm, axis, places)
    profile = _widths(contour_mm, axis, PROFILE_PLACES) / axis.length
    measured = {
        "length_mm": axis.length,
        "width_mm": float(discs.max()),
        "annulus_mm": float(np.hypot(*(contour_mm[0] - contour_mm[-1]))),
        "volume_ml": float((np.pi / 4 * discs**2).sum() * axis.length / DISCS / 1000),
        "length_over_width": axis.length / float(discs.max()),
    }
    names = (f"width_at_{100 * place:02.0f}" for place in PROFILE_PLACES)
    return measured | dict(zip(names, map(float, profile), strict=True))


def measure_pose(contour_mm: FloatArray, depth_mm: float) -> dict[str, float]:
    """Measure where a cavity lies on the screen.

    Args:
        contour_mm: [N, 2], right of the middle line and under the top of the sector, any flip undone.
        depth_mm: of the sector, from its top.
    """
    axis = find_axis(contour_mm)
    return {
        "apex_depth_mm": float(axis.apex[1]),
        "apex_depth_fraction": float(axis.apex[1]) / depth_mm,
        "annulus_depth_mm": float(axis.base[1]),
        "annulus_depth_fraction": float(axis.base[1]) / depth_mm,
        "lean_deg": axis.lean_deg,
        "apex_beside_mm": float(axis.apex[0]),
        "annulus_beside_mm": float(axis.base[0]),
        "depth_mm": depth_mm,
    }


def measure_grey(
    frame: UInt8Array, masks: dict[str, BoolArray], screen: Screen, contour_mm: FloatArray
) -> dict[str, float]:
    """Measure mean grey levels by region, and how far above the cavity they lie.

    Args:
        frame: [H, W].
        masks: `lv_cavity`, `myocardium` and `la`, [H, W] each.
        screen: where the plane lies on the frame.
        contour_mm: of the cavity, from hinge to hinge, [N, 2], any flip undone.
    """
    muscle, sector = masks["myocardium"], screen.sector_mask
    regions = {
        "lv_cavity": masks["lv_cavity"],
        **_wall_parts(muscle, screen, find_axis(contour_mm)),
        "la_cavity": masks["la"],
        "outside": ~masks["lv_cavity"] & ~muscle & ~masks["la"],
    }
    mean = {name: _mean(frame, region & sector) for name, region in regions.items()}
    above = {f"{name}_above_cavity": grey - mean["lv_cavity"] for name, grey in mean.items() if name != "lv_cavity"}
    return {
        **mean,
        **above,
        "septum_minus_lateral": mean["septum"] - mean["lateral_wall"],
        "cavity_sd": _sd(frame, masks["lv_cavity"] & sector),
        "muscle_sd": _sd(frame, muscle & sector),
    }


def _wall_parts(wall: BoolArray, screen: Screen, axis: Axis) -> dict[str, BoolArray]:
    """Part the muscle into septum (left of the axis), lateral wall and apical third, [H, W] each."""
    place, right = axis.to_axis(screen.places_mm)
    apical = place > APICAL_FROM
    return {
        "septum": wall & ~apical & (right < 0),
        "lateral_wall": wall & ~apical & (right >= 0),
        "apical_muscle": wall & apical,
    }


def _mean(frame: UInt8Array, region: BoolArray) -> float:
    return float(frame[region].mean()) if region.sum() >= LEAST_REGION_PX else float("nan")


def _sd(frame: UInt8Array, region: BoolArray) -> float:
    return float(frame[region].std()) if region.sum() >= LEAST_REGION_PX else float("nan")


def _widths(contour: FloatArray, axis: Axis, places: FloatArray) -> FloatArray:
    """Widths of a cavity square to its axis at places along it, 0 annulus to 1 apex."""
    along, right = axis.to_axis(contour)
    apex = int(along.argmax())
    one_side = _across(along[: apex + 1], right[: apex + 1], places)
    other_side = _across(along[apex:][::-1], right[apex:][::-1], places)
    return np.asarray(np.abs(one_side - other_side), np.float32)


def _across(along: FloatArray, right: FloatArray, places: FloatArray) -> FloatArray:
    """Distance from the axis of one wall, from hinge to apex, at places along the axis."""
    return np.asarray(np.interp(places, np.maximum.accumulate(along), right), np.float32)
