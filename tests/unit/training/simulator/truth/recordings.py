"""Recordings for tests: real hearts in known planes, and an egg that does as it is told."""

from dataclasses import replace
from functools import cache

import numpy as np

from training.simulator.arrays import Float32Array, TimeArray, as_float32
from training.simulator.display.screen import Screen
from training.simulator.heart.heart import Heart, build_heart
from training.simulator.heart.rhythm import HeartState, draw_rhythm
from training.simulator.heart.shapes import direction, unit
from training.simulator.heart.subject import draw_subject
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.surroundings import ellipsoid
from training.simulator.heart.tissues import Tissue
from training.simulator.truth.recording import Recording
from training.simulator.views.pose import Pose

LONG_AXIS = {"a2c": 90.0, "a4c": 30.0, "a3c": 150.0}
LEVELS = {"psax_mitral": 0.2, "psax_mid": 0.5, "psax_apex": 0.8}
DEPTH_MM = 160.0


def state(contraction: float) -> HeartState:
    return HeartState(contraction, 0, 0, 0, 0, 0, 800)


def screen(size_px: int = 112, depth_mm: float = DEPTH_MM) -> Screen:
    """A sector that fills a square."""
    scale = (size_px - 4) / depth_mm
    return Screen(size_px, size_px, size_px / 2, 2.0, scale, depth_mm, 90.0, 3.0, depth_mm, is_flipped=False)


def pose(heart: Heart, plane: str) -> Pose:
    """Where a plane lies; `oblique` is turned 18 degrees off A4C, tilted and slid aside."""
    apex_mm, towards_base = heart.subject.lv_length_mm, as_float32([0, 0, -1])
    if plane in LONG_AXIS:
        return Pose(as_float32([0, 0, apex_mm + 25]), direction(LONG_AXIS[plane]), towards_base)
    if plane == "plax":
        return Pose(as_float32([0, 0, 20] - direction(330) * 75), towards_base, direction(330))
    if plane == "oblique":
        down = unit(np.array([0.12, 0.1, -1]))
        right = unit(direction(48) - down * np.dot(direction(48), down))
        return Pose(as_float32([-6, 4, apex_mm + 25]), right, down)
    return Pose(as_float32([0, 75, LEVELS[plane] * apex_mm]), direction(0), -direction(90))


@cache
def heart(seed: int) -> Heart:
    return build_heart(draw_subject(seed))


def record(seed: int, plane: str, step_ms: float = 50.0, size_px: int = 112, beats: float = 1.0) -> Recording:
    """A still plane through a subject for a number of beats."""
    subject = heart(seed).subject
    times_ms = np.arange(0, beats * 60000 / subject.heart_rate_bpm, step_ms)
    held = (pose(heart(seed), plane),) * len(times_ms)
    return Recording(heart(seed), draw_rhythm(subject, seed), held, screen(size_px), times_ms)


def egg(moves_mm: tuple[float, float, float], halves_mm: tuple[float, float, float] = (30.0, 20.0, 40.0)) -> Heart:
    """A cavity in a wall, 8 mm thicker, instead of a heart; contraction from 0 to 1 moves it a way in mm."""
    moved = np.linspace(0, 1, 5)[:, None, None, None] * np.asarray(moves_mm)

    def surface(name: str, tissue: Tissue, extra: float) -> Surface:
        keys = moved + ellipsoid(np.zeros(3, np.float32), tuple(half + extra for half in halves_mm))  # type: ignore[arg-type]
        return Surface(name, tissue, as_float32(keys)[:, None], is_material=True)

    surfaces = (surface("lv_wall", Tissue.MUSCLE, 8.0), surface("lv_cavity", Tissue.BLOOD, 0.0))
    return replace(heart(3), surfaces=surfaces)


def record_egg(moves_mm: tuple[float, float, float], shown_on: Screen, times_ms: TimeArray) -> Recording:
    """The egg seen from its side, the third axis upwards."""
    subject = heart(3).subject
    held = (Pose(as_float32([0, 0, 90]), direction(0), as_float32([0, 0, -1])),) * len(times_ms)
    return Recording(egg(moves_mm), draw_rhythm(subject, 3), held, shown_on, times_ms)


def distance_mm(outline: Float32Array, point: Float32Array) -> float:
    """Distance of a point [2] from a closed outline [N, 2]."""
    dense = np.concatenate(
        [outline + (np.roll(outline, -1, axis=0) - outline) * share for share in np.linspace(0, 1, 50)]
    )
    return float(np.linalg.norm(dense - point, axis=1).min())
