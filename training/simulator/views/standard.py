"""Where the standard planes lie: from the landmarks of a heart at end-diastole and a few numbers of the hand.

Angles about the long axis as in the 17-segment model; see `training.simulator.heart` for the coordinates.
"""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.shapes import direction, unit
from training.simulator.views.pose import Pose

APICAL_DEG = {"a4c": 30.0, "a2c": 90.0, "a3c": 150.0, "a5c": 30.0}
LONG_AXIS_DEG = 330.0  # where the parasternal beam goes: from the anteroseptal to the inferolateral wall
ACROSS_BEAM_DEG = {False: 278.0, True: 292.0}  # of a short axis; at the aortic level the left atrium comes to lie below
PSAX_LEVEL = {"psax_mitral": (0.08, 0.2), "psax_papillary": (0.36, 0.56), "psax_apical": (0.66, 0.85)}
SUPERIOR, ANTERIOR = as_float32([0.31, 0.75, -0.58]), as_float32([-0.53, 0.65, 0.55])
AXIS = as_float32([0, 0, 1])  # from the base to the apex


@dataclass(frozen=True)
class Hand:
    """How a probe is held, beside the standard plane: angles in degrees, lengths in mm.

    Attributes:
        turn_deg: rotation about the long axis of the heart.
        lean_deg: rocking in the plane: apical views, the base to the right; parasternal ones, the base downwards.
        tilt_deg: of the fan out of its plane, about the skin.
        foreshortening_deg: of an apical plane about the mitral annulus: it leaves the apex.
        aside_mm, deep_mm: where the plane's own middle (apex, or what it is centred on) appears, right and down.
        slide_mm: of the whole plane, square to itself.
        level_fraction: of a short axis along the ventricle, annulus 0 to apex 1.
    """

    turn_deg: float = 0.0
    lean_deg: float = 0.0
    tilt_deg: float = 0.0
    foreshortening_deg: float = 0.0
    aside_mm: float = 0.0
    deep_mm: float = 0.0
    slide_mm: float = 0.0
    level_fraction: float = 0.0


def standard_pose(heart: Heart, plane: str, hand: Hand) -> Pose:
    """Lay a plane, one of the simple ones (no sweep), through a heart.

    Raises:
        KeyError: the plane is not one of them.
    """
    marks = {name: places[0] for name, places in heart.steps.items()}
    if plane in APICAL_DEG:
        return _apical(marks, plane, hand)
    if plane.startswith("psax"):
        return _short_axis(marks, plane, hand)
    makers = {"plax": _long_axis, "plax_valves": _long_axis, "subcostal": _subcostal, "suprasternal": _suprasternal}
    if plane in makers:
        return makers[plane](marks, hand)
    aimed_at = {"rv_inflow": "tricuspid_centre", "rv_outflow": "pulmonary_centre"}[plane]
    return _tilted_to(_long_axis(marks, hand), marks[aimed_at], hand.tilt_deg)


def turned(pose: Pose, angle_deg: float, about: Float32Array, through: Float32Array) -> Pose:
    """Turn a plane about an axis [3] (unit) through a point [3] mm, right-handed."""
    angle = np.deg2rad(angle_deg)
    cross = np.array([[0, -about[2], about[1]], [about[2], 0, -about[0]], [-about[1], about[0], 0]])
    matrix = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return Pose(
        as_float32(through + matrix @ (pose.origin_mm - through)),
        as_float32(matrix @ pose.right),
        as_float32(matrix @ pose.down),
    )


def moved(pose: Pose, offset_mm: Float32Array) -> Pose:
    """Move a plane by (right, down, out) mm."""
    step = pose.right * offset_mm[0] + pose.down * offset_mm[1] + pose.out * offset_mm[2]
    return Pose(as_float32(pose.origin_mm + step), pose.right, pose.down)


def _from_axes(middle: Float32Array, right: Float32Array, down: Float32Array, hand: Hand) -> Pose:
    """A plane on which a point [3] appears at (`aside_mm`, `deep_mm`), slid and tilted."""
    side = unit(right - down * np.dot(right, down))
    pose = Pose(as_float32(middle - hand.aside_mm * side - hand.deep_mm * down), side, as_float32(down))
    pose = moved(pose, as_float32([0, 0, hand.slide_mm]))
    return turned(pose, hand.tilt_deg, pose.right, pose.origin_mm)


def _rocked(right: Float32Array, down: Float32Array, angle_deg: float) -> tuple[Float32Array, Float32Array]:
    """Turn the axes in their plane so that what lay along `down` comes to lie to the right of it."""
    angle = np.deg2rad(angle_deg)
    return (
        as_float32(np.cos(angle) * right + np.sin(angle) * down),
        as_float32(np.cos(angle) * down - np.sin(angle) * right),
    )


def _apical(marks: dict[str, Float32Array], plane: str, hand: Hand) -> Pose:
    """The probe at the apex, the base below."""
    across = direction(APICAL_DEG[plane] + hand.turn_deg)
    right, down = _rocked(across, as_float32(-AXIS), hand.lean_deg)
    pose = _from_axes(marks["lv_apex"], right, down, hand)
    pose = turned(pose, hand.foreshortening_deg, across, marks["mitral_centre"])
    return _tilted_to(pose, marks["aortic_centre"], 0.0, 0.8) if plane == "a5c" else pose


def _long_axis(marks: dict[str, Float32Array], hand: Hand) -> Pose:
    """The probe beside the breast bone, through the mitral valve and the aortic root."""
    beam = direction(LONG_AXIS_DEG + hand.turn_deg)
    right, down = _rocked(as_float32(-AXIS), beam, -hand.lean_deg)
    middle = as_float32(0.6 * marks["mitral_centre"] + 0.4 * marks["aortic_centre"] + 6 * AXIS)
    return _from_axes(middle, right, down, hand)


def _short_axis(marks: dict[str, Float32Array], plane: str, hand: Hand) -> Pose:
    """Across the ventricle, or across the root between its own axis and the ventricle's."""
    beam = direction(ACROSS_BEAM_DEG[plane == "psax_aortic"] + hand.turn_deg)
    if plane == "psax_aortic":
        root = unit(marks["sinotubular_centre"] - marks["aortic_centre"])
        normal = unit(0.5 * root - 0.5 * AXIS)
        middle = as_float32(marks["aortic_centre"] + 9.5 * root)
    else:
        normal = as_float32(-AXIS)
        middle = marks["mitral_centre"] + hand.level_fraction * (marks["lv_apex"] - marks["mitral_centre"])
        middle = as_float32(middle + direction(180.0) * 8)
    normal = turned(Pose(middle, direction(0), normal), hand.lean_deg, direction(90.0), middle).down
    down = unit(beam - normal * np.dot(beam, normal))
    return _from_axes(middle, as_float32(np.cross(normal, down)) * np.float32(_handed(normal, down)), down, hand)


def _handed(normal: Float32Array, down: Float32Array) -> int:
    """1 or -1, so that the lateral wall comes to lie at the right."""
    return 1 if np.cross(normal, down)[0] > 0 else -1


def _subcostal(marks: dict[str, Float32Array], hand: Hand) -> Pose:
    """The probe under the ribs: liver first, then the right heart, the apex at the right."""
    beam = direction(30.0 + hand.turn_deg)
    right, down = _rocked(AXIS, beam, 25 + hand.lean_deg)
    return _from_axes(as_float32(0.6 * marks["mitral_centre"] + 0.4 * marks["lv_apex"]), right, down, hand)


def _suprasternal(marks: dict[str, Float32Array], hand: Hand) -> Pose:
    """The probe in the notch above the breast bone, along the arch of the aorta."""
    down = turned(
        Pose(marks["arch_top"], ANTERIOR, unit(-SUPERIOR)), hand.lean_deg, unit(ANTERIOR), marks["arch_top"]
    ).down
    along = marks["descending_aorta"] - marks["sinotubular_centre"]
    return _from_axes(marks["arch_top"], unit(along - down * np.dot(along, down)), down, hand)


def _tilted_to(pose: Pose, target_mm: Float32Array, beyond_deg: float, share: float = 1.0) -> Pose:
    """Tilt a plane about the skin until it holds a point [3], or comes near it by a share of the angle."""
    away = target_mm - pose.origin_mm
    angle = np.rad2deg(np.arctan2(np.dot(away, pose.out), np.dot(away, pose.down)))
    return turned(pose, share * float(angle) + beyond_deg, pose.right, pose.origin_mm)
