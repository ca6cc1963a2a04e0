"""How the plane lies in the left ventricle."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.truth.contour import cavity_outline
from training.simulator.truth.recording import Recording
from training.simulator.views.pose import Pose

LONG_AXIS_DEG = 45.0  # a plane that leans less from the ventricle's axis shows its length, another one a level


@dataclass(frozen=True)
class PlaneAngles:
    """Of a plane before the left ventricle, each [T].

    Attributes:
        rotation_deg: turn about the long axis, 0 lateral, 90 anterior, in [0, 360): the side of the heart that is at
            the right of the screen (A4C 30, A2C 90, A3C 150, PSAX 0), or at its top where the axis lies across it
            (PLAX 150, as the same plane in A3C).
        tilt_deg: between the plane and the long axis: 0 holds the axis, 90 is square to it; positive where the apex
            lies in front of the plane (on the side of `Pose.out`).
        distance_mm: of the middle of the long axis from the plane, positive in front of it.
        level_fraction: where the plane crosses the axis, 0 annulus to 1 apex; NaN in a long-axis plane.
        foreshortening_fraction: what the length of the cavity on the picture, from the middle of the annulus, is
            short of the true length, 0 none; NaN in a short-axis plane and where the cavity is missed.
    """

    rotation_deg: Float32Array
    tilt_deg: Float32Array
    distance_mm: Float32Array
    level_fraction: Float32Array
    foreshortening_fraction: Float32Array


def plane_angles(recording: Recording) -> PlaneAngles:
    """Measure each frame's plane against the ventricle's axis, from the middle of its annulus to its apex."""
    rows = []
    for scene, state, pose in zip(recording.scenes, recording.states, recording.poses, strict=True):
        marks = recording.heart.landmarks(state)
        rows.append(_measure(pose, marks["mitral_centre"], marks["lv_apex"], cavity_outline(scene)))
    return PlaneAngles(*as_float32(rows).T)


def _measure(pose: Pose, annulus: Float32Array, apex: Float32Array, outline: Float32Array | None) -> list[float]:
    length = float(np.linalg.norm(apex - annulus))
    axis = (apex - annulus) / np.float32(length)
    tilt = float(np.rad2deg(np.arcsin(np.clip(np.dot(pose.out, axis), -1, 1))))
    heights = pose.to_plane(np.stack([annulus, apex]))  # [2, (right, down, out)]
    level = shortening = float("nan")
    if abs(tilt) > LONG_AXIS_DEG:
        level = float(heights[0, 2] / (heights[0, 2] - heights[1, 2]))
    elif outline is not None:
        along = heights[1, :2] - heights[0, :2]
        seen = ((outline - heights[0, :2]) @ along).max() / np.linalg.norm(along)
        shortening = 1 - float(seen) / length
    return [_rotation_deg(pose, axis, tilt), tilt, float(heights[:, 2].mean()), level, shortening]


def _rotation_deg(pose: Pose, axis: Float32Array, tilt_deg: float) -> float:
    """Angle about the axis of the side that the screen shows at its right, else at its top."""
    if abs(tilt_deg) > LONG_AXIS_DEG:
        across = pose.right
    else:
        across = as_float32(np.cross(axis, pose.out))  # in the plane, square to the axis
        side = pose.right if abs(np.dot(pose.right, across)) > abs(np.dot(pose.down, across)) else -pose.down
        across = across * np.sign(np.dot(side, across))
    return float(np.rad2deg(np.arctan2(across[1], across[0])) % 360)
