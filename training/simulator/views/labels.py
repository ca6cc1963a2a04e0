"""Which view a plane shows, told by what it cuts and never by what was intended."""

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.shapes import direction, unit
from training.simulator.motion import HeartState
from training.simulator.views.names import VIEW_CLASSES
from training.simulator.views.pose import Pose
from training.simulator.views.scene import Scene, area_mm2

LONGITUDINAL_DEG, ACROSS_DEG = (24.0, 38.0), (48.0, 62.0)
"""Angle between plane and long axis up to which it runs along the ventricle; from which it cuts across."""

SAME_PLANE_DEG, OTHER_PLANE_DEG = 16.0, 27.0
"""Rotation off a standard plane up to which it is the same view (repeated alignments differ by 8 to 14), and from which
it is another: half-way from A4C to A2C, 30 degrees from both, it is neither."""

LONG_AXIS_SLACK_DEG = 5.0  # the parasternal long axis is told by the valves it cuts as much as by its angle
MITRAL_MM, APEX_MM = (10.0, 18.0), (14.0, 24.0)
"""Distance of the plane from mitral annulus and apex up to which it shows them, and from which it misses them."""

ROOT_MM = (8.0, 15.0)  # from the middle of the aortic root, whose radius is 12 to 20
OUTFLOW_CM2 = (0.8, 4.2)
"""Of the aortic root in an apical plane: from here on a four-chamber view is a five-chamber view."""

RIGHT_HEART_CM2 = (1.5, 5.0)
"""Of the right ventricle: above it a two-chamber view is an off-axis four-chamber view; below it a four-chamber view
lacks a chamber."""

APICAL_COSINE, ANTERIOR_COSINE = (0.5, 0.75), (0.2, 0.45)
"""Between the beam and the middle beam of the window: within 60 and 40 degrees at the apex, 78 and 63 in front."""

LEVEL = (-0.02, 0.06, 0.94, 1.0)  # of a short axis along the ventricle
ROOT_REACH_MM = 26.0  # what of the aorta counts as the root
APICAL_BEAM, ANTERIOR_BEAM = as_float32([0, 0, -1]), direction(300.0)


def view_shares(scene: Scene, pose: Pose, heart: Heart, state: HeartState) -> Float32Array:
    """Give the share of each of `VIEW_CLASSES` in what a plane shows, [5], summing to 1; continuous in the pose.

    Args:
        scene: what the plane cuts.
        pose: where it lies.
        heart: which it cuts.
        state: of the heart.
    """
    marks = heart.landmarks(state)
    away = {name: abs(float(np.dot(place - pose.origin_mm, pose.out))) for name, place in marks.items()}
    axis = unit(marks["lv_apex"] - marks["mitral_centre"])
    tilt_deg = float(np.rad2deg(np.arcsin(min(abs(float(np.dot(axis, pose.out))), 1.0))))
    is_along, is_across = 1 - _rise(tilt_deg, LONGITUDINAL_DEG), _rise(tilt_deg, ACROSS_DEG)
    is_apical = _rise(float(np.dot(pose.down, APICAL_BEAM)), APICAL_COSINE)
    is_anterior = _rise(float(np.dot(pose.down, ANTERIOR_BEAM)), ANTERIOR_COSINE) * (1 - is_apical)
    has_valve, has_apex = 1 - _rise(away["mitral_centre"], MITRAL_MM), 1 - _rise(away["lv_apex"], APEX_MM)
    has_root = 1 - _rise(_from_root(marks, pose), ROOT_MM)
    turn_deg = _turn_deg(pose, axis)
    right_heart = _rise(_area_cm2(scene, "rv_cavity"), RIGHT_HEART_CM2)
    outflow = _rise(_root_area_cm2(scene, pose, marks), OUTFLOW_CM2)
    apical = is_along * is_apical * has_valve * has_apex
    shares = np.array(
        [
            apical * _near(turn_deg, 90.0) * (1 - right_heart),
            apical * _near(turn_deg, 30.0) * right_heart * (1 - outflow),
            is_along * is_anterior * _near(turn_deg, 150.0, LONG_AXIS_SLACK_DEG) * has_valve * has_root,
            is_across * is_anterior * max(_has_level(marks, pose, axis), has_root),
            0.0,
        ]
    )
    shares /= max(1.0, float(shares.sum()))
    shares[VIEW_CLASSES.index("OTHER")] = 1 - shares.sum()
    return as_float32(shares)


def _rise(value: float, limits: tuple[float, ...]) -> float:
    """0 below the first limit, 1 above the second, smooth between."""
    share = min(max((value - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _near(turn_deg: float, standard_deg: float, slack_deg: float = 0.0) -> float:
    """How much a rotation about the long axis is that of a standard plane; a plane has no sense of direction."""
    off = abs((turn_deg - standard_deg + 90) % 180 - 90)
    return 1 - _rise(off, (SAME_PLANE_DEG + slack_deg, OTHER_PLANE_DEG + slack_deg))


def _turn_deg(pose: Pose, axis: Float32Array) -> float:
    """Rotation of the plane about the long axis, degrees."""
    along = np.cross(pose.out, axis)
    return float(np.rad2deg(np.arctan2(along[1], along[0])))


def _from_root(marks: dict[str, Float32Array], pose: Pose) -> float:
    """Distance of the plane from the middle of the aortic root, mm."""
    middle = 0.55 * marks["aortic_centre"] + 0.45 * marks["sinotubular_centre"]
    return abs(float(np.dot(middle - pose.origin_mm, pose.out)))


def _has_level(marks: dict[str, Float32Array], pose: Pose, axis: Float32Array) -> float:
    """Whether a plane crosses the long axis inside the ventricle."""
    slope = float(np.dot(axis, pose.out))
    if abs(slope) < 0.1:
        return 0.0
    length = float(np.linalg.norm(marks["lv_apex"] - marks["mitral_centre"]))
    level = float(np.dot(pose.origin_mm - marks["mitral_centre"], pose.out)) / slope / length
    return _rise(level, LEVEL[:2]) * (1 - _rise(level, LEVEL[2:]))


def _area_cm2(scene: Scene, name: str) -> float:
    return sum(area_mm2(outline) for outline in scene.outlines(name)) / 100


def _root_area_cm2(scene: Scene, pose: Pose, marks: dict[str, Float32Array]) -> float:
    """What is cut of the aorta near its valve, cm2."""
    middle = pose.to_plane(as_float32(0.5 * marks["aortic_centre"] + 0.5 * marks["sinotubular_centre"]))[:2]
    total = 0.0
    for outline in scene.outlines("aorta_cavity"):
        away = outline - middle
        reach = np.linalg.norm(away, axis=1, keepdims=True) + np.float32(1e-6)
        total += area_mm2(away * np.minimum(1, np.float32(ROOT_REACH_MM) / reach))  # what lies further is pulled in
    return total / 100
