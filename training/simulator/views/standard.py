"""Where the standard planes lie: from the landmarks of a heart at end-diastole and a few numbers of the hand.

Angles about the long axis as in the 17-segment model; see `training.simulator.heart` for the coordinates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.shapes import direction, unit
from training.simulator.views.pose import Pose

LONG_AXIS_BEAM_DEG = 330.0  # where the parasternal beam goes: from the anteroseptal to the inferolateral wall
SHORT_AXIS_BEAM_DEG = 290.0  # over the septum: the right ventricle at the upper left, muscles at 4 and 8 o'clock
FIVE_CHAMBER_SHARE = 0.8  # of the way from the four-chamber plane to the aortic valve: root and atria in one picture
AORTIC_LEVEL_MM = 8.0  # above the annulus, where the three cusps meet
ATRIAL_SHARE = 0.6  # of the way from a plane square to the root to one through the left atrium's middle
ATRIUM_ASIDE_DEG = 12.0  # at this level the left atrium lies behind the root, a little to the right
SUBCOSTAL_LEAN_DEG = 25.0  # the apex points up to the right
WINDOW_MM = 80.0  # from the skin to the middle of the long axis: what the beam is fanned about
FRONT_WALLS = ("rv_wall", "rvot_wall", "lv_wall")
FRONT_REACH_MM = (18.0, 9.0)  # half width, in and out of the plane, of what a parasternal probe looks through first
FALL_BESIDE = 2.0  # mm: how much farther a place counts for each mm that it lies beside that
SUPERIOR = as_float32([0.31, 0.75, -0.58])
AXIS = as_float32([0, 0, 1])  # from the base to the apex

Marks = dict[str, Float32Array]


@dataclass(frozen=True)
class Hand:
    """How a probe is held, beside the standard plane: angles in degrees, lengths in mm.

    Attributes:
        turn_deg: rotation of the probe about its middle beam; at the apex the angle about the long axis grows by it.
        lean_deg: rocking in the plane: what lies deep comes to the right.
        tilt_deg: of the fan out of its plane, about the skin.
        foreshortening_deg: of an apical plane about the mitral annulus: it leaves the apex.
        aside_mm: where the plane's own middle (apex, or what it is centred on) appears, to the right.
        deep_mm: how deep it appears; for a parasternal plane, how deep the heart begins: the chest wall.
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


class Hold(NamedTuple):
    """A plane before it is held by a hand: its own middle [3] mm, the screen's right and down [3] in the heart."""

    middle_mm: Float32Array
    right: Float32Array
    down: Float32Array


def standard_pose(heart: Heart, plane: str, hand: Hand) -> Pose:
    """Lay a plane, one of the simple ones (no sweep), through a heart.

    Raises:
        KeyError: the plane is not one of them.
    """
    marks = {name: places[0] for name, places in heart.steps.items()}
    hold = _short_axis(marks, hand.level_fraction) if plane in SHORT_AXES else HOLDS[plane](marks)
    middle = hold.middle_mm
    right, down = _square(hold.right, hold.down), hold.down
    straight = turned(Pose(middle, right, down), hand.turn_deg, as_float32(-down), middle)
    right, down = _rocked(straight.right, straight.down, hand.lean_deg)
    pose = Pose(as_float32(middle - hand.aside_mm * right - hand.deep_mm * down), right, down)
    pose = moved(pose, as_float32([0, 0, hand.slide_mm]))
    pose = turned(pose, hand.tilt_deg, pose.right, pose.origin_mm)
    if hand.foreshortening_deg:
        pose = turned(pose, hand.foreshortening_deg, pose.right, marks["mitral_centre"])
    return _on_the_chest(heart, pose, hand.deep_mm) if plane.startswith(PARASTERNAL) else pose


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


def _rocked(right: Float32Array, down: Float32Array, angle_deg: float) -> tuple[Float32Array, Float32Array]:
    """Turn the axes in their plane so that what lay along `down` comes to lie to the right of it."""
    angle = np.deg2rad(angle_deg)
    return (
        as_float32(np.cos(angle) * right + np.sin(angle) * down),
        as_float32(np.cos(angle) * down - np.sin(angle) * right),
    )


def _on_the_chest(heart: Heart, pose: Pose, wall_mm: float) -> Pose:
    """Move a pose along its beams until the heart begins a chest wall away from the probe."""
    walls = [surface.keys[0, 0].reshape(-1, 3) for surface in heart.surfaces if surface.name in FRONT_WALLS]
    x, depth, out = pose.to_plane(np.concatenate(walls)).T
    beside = np.maximum(np.abs(x) - FRONT_REACH_MM[0], 0) + np.maximum(np.abs(out) - FRONT_REACH_MM[1], 0)
    front = float(np.min(depth + FALL_BESIDE * beside))
    return moved(pose, as_float32([0, front - wall_mm, 0]))


def _square(vector: Float32Array, to: Float32Array) -> Float32Array:
    """Unit vector of the part of a vector [3] that is square to another one."""
    axis = unit(to)
    return unit(vector - axis * np.dot(vector, axis))


def _apical(marks: Marks, theta_deg: float) -> Hold:
    """From the apex down the long axis."""
    return Hold(marks["lv_apex"], direction(theta_deg), unit(marks["mitral_centre"] - marks["lv_apex"]))


def _five_chambers(marks: Marks) -> Hold:
    """The four-chamber plane, tilted forward until it shows the outflow tract."""
    normal = direction(120.0)
    middle = marks["mitral_centre"]
    ahead = np.float32(FIVE_CHAMBER_SHARE * np.dot(marks["aortic_centre"] - middle, normal))
    return Hold(marks["lv_apex"], direction(30.0), unit(middle + ahead * normal - marks["lv_apex"]))


def _long_axis(marks: Marks) -> Hold:
    """Beside the breast bone, through the mitral valve and the aortic root."""
    middle = as_float32(0.6 * marks["mitral_centre"] + 0.4 * marks["aortic_centre"] + 6 * AXIS)
    return Hold(middle, as_float32(-AXIS), direction(LONG_AXIS_BEAM_DEG))


def _short_axis(marks: Marks, level_fraction: float) -> Hold:
    """Across the ventricle at a level."""
    middle = marks["mitral_centre"] + level_fraction * (marks["lv_apex"] - marks["mitral_centre"])
    beam = direction(SHORT_AXIS_BEAM_DEG)
    return Hold(as_float32(middle + direction(180.0) * 8), direction(SHORT_AXIS_BEAM_DEG + 90), beam)


def _aortic_level(marks: Marks) -> Hold:
    """Across the root, turned until the tricuspid and the pulmonary valve and the left atrium are cut as well."""
    root = unit(marks["sinotubular_centre"] - marks["aortic_centre"])
    middle = as_float32(marks["aortic_centre"] + np.float32(AORTIC_LEVEL_MM) * root)
    valves = marks["pulmonary_centre"] - marks["tricuspid_centre"]
    across_root, through_atrium = _square(root, valves), unit(np.cross(valves, marks["la_centre"] - middle))
    side = np.sign(np.dot(across_root, through_atrium))
    out = unit((1 - ATRIAL_SHARE) * across_root + ATRIAL_SHARE * side * through_atrium)
    down = _square(marks["la_centre"] - middle, out)
    return Hold(middle, *_rocked(as_float32(np.cross(down, out)), down, ATRIUM_ASIDE_DEG))


def _fanned(marks: Marks, name: str) -> Float32Array:
    """Beam of the long axis' window, fanned about the long axis until it meets a place, [3]."""
    window = _long_axis(marks).middle_mm - np.float32(WINDOW_MM) * direction(LONG_AXIS_BEAM_DEG)
    return _square(marks[name] - window, AXIS)


def _rv_inflow(marks: Marks) -> Hold:
    """From the window of the long axis, fanned to the right: right ventricle, tricuspid valve, right atrium."""
    down = _fanned(marks, "tricuspid_centre")
    return Hold(marks["tricuspid_centre"], _square(marks["ra_centre"] - marks["rv_apex"], down), down)


def _rv_outflow(marks: Marks) -> Hold:
    """From the same window, fanned to the left shoulder: outflow tract, pulmonary valve and artery."""
    return Hold(marks["pulmonary_centre"], as_float32(-AXIS), _fanned(marks, "pulmonary_centre"))


def _subcostal(marks: Marks) -> Hold:
    """Under the ribs: liver first, then the right heart, the apex at the right."""
    middle = as_float32(0.8 * marks["mitral_centre"] + 0.2 * marks["lv_apex"])
    return Hold(middle, *_rocked(AXIS, direction(30.0), SUBCOSTAL_LEAN_DEG))


def _suprasternal(marks: Marks) -> Hold:
    """In the notch above the breast bone, along the arch of the aorta: its descending part at the right."""
    down = unit(-SUPERIOR)
    return Hold(marks["arch_top"], _square(marks["descending_aorta"] - marks["sinotubular_centre"], down), down)


PARASTERNAL = ("plax", "psax", "rv")
SHORT_AXES = ("psax_mitral", "psax_papillary", "psax_apical")
HOLDS: dict[str, Callable[[Marks], Hold]] = {
    "a2c": partial(_apical, theta_deg=90.0),
    "a3c": partial(_apical, theta_deg=150.0),
    "a4c": partial(_apical, theta_deg=30.0),
    "a5c": _five_chambers,
    "plax": _long_axis,
    "plax_valves": _long_axis,
    "psax_aortic": _aortic_level,
    "rv_inflow": _rv_inflow,
    "rv_outflow": _rv_outflow,
    "subcostal": _subcostal,
    "suprasternal": _suprasternal,
}
