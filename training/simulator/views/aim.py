"""PROVISIONAL (lead): replaced by the planes room."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.shapes import direction, unit
from training.simulator.views.pose import Pose


@dataclass(frozen=True)
class Aim:
    plane: str
    pose: Pose

    def pose_at(self, time_ms: float) -> Pose:
        return self.pose


def draw_aim(heart: Heart, plane: str, rng: np.random.Generator, scale: float = 1.0) -> Aim:
    length = float(heart.steps["lv_apex"][0][2])
    if plane in ("a2c", "a4c", "a3c", "a5c", "sweep_a4c_a2c", "sweep_a2c_a3c"):
        theta = {"a2c": 90.0, "a4c": 30.0, "a3c": 150.0, "a5c": 30.0}.get(plane, 60.0) + scale * rng.normal(0, 8)
        lean = np.deg2rad(11 + scale * rng.normal(0, 6))
        right, up = direction(theta), as_float32([0, 0, 1])
        down = -np.cos(lean) * up + np.sin(lean) * right * 0 - np.sin(lean) * -right * -1
        down = unit(-np.cos(lean) * up - np.sin(lean) * right)
        side = unit(np.cos(lean) * right - np.sin(lean) * up)
        apex = as_float32([0, 0, length])
        return Aim(plane, Pose(as_float32(apex - down * (31 + scale * rng.normal(0, 5)) + side * 4), side, down))
    if plane.startswith(("plax", "rv", "sweep", "sub", "supra")):
        turn = np.deg2rad(15 + scale * rng.normal(0, 6))
        base, away = as_float32([0, 0, -1]), direction(330 + scale * rng.normal(0, 8))
        right, down = unit(np.cos(turn) * base - np.sin(turn) * -away), unit(np.cos(turn) * away - np.sin(turn) * base)
        return Aim(plane, Pose(as_float32(as_float32([0, 0, 12]) - 78 * down), right, down))
    level = {"psax_aortic": -0.1, "psax_mitral": 0.12, "psax_papillary": 0.45, "psax_apical": 0.75}[plane] * length
    if plane == "psax_aortic":
        a, j = heart.steps["aortic_centre"][0], heart.steps["sinotubular_centre"][0]
        axis = unit(j - a)
        down = unit(-direction(90) + axis * np.dot(axis, direction(90)))
        right = unit(np.cross(axis, down)) * np.float32(-1)
        right = right if right[0] > 0 else -right
        return Aim(plane, Pose(as_float32(a + axis * 8 - 60 * down), as_float32(right), down))
    return Aim(plane, Pose(as_float32([-10, 85, level]), direction(0), -direction(90)))


def draw_view(heart: Heart, view: str, rng: np.random.Generator, scale: float = 1.0) -> Aim:
    planes = {"A2C": ["a2c"], "A4C": ["a4c"], "PLAX": ["plax"], "PSAX": ["psax_aortic", "psax_mitral", "psax_papillary"], "OTHER": ["a3c"]}[view]
    return draw_aim(heart, planes[int(rng.integers(len(planes)))], rng, scale)
