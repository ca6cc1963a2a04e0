"""Which view a plane shows, told by what it cuts and never by what was intended."""

import cv2
import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.rhythm import HeartState
from training.simulator.heart.shapes import direction, unit
from training.simulator.views.names import VIEW_CLASSES
from training.simulator.views.pose import Pose
from training.simulator.views.scene import CENTRE_SLICE, Scene

LONGITUDINAL_DEG, ACROSS_DEG, ACROSS_ROOT_DEG = (24.0, 38.0), (48.0, 62.0), (38.0, 54.0)
"""Angle between plane and long axis up to which it runs along the ventricle; from which it cuts across; the same
for the aortic root, of which the plane through three valves and the left atrium is never quite square."""

SAME_PLANE_DEG, OTHER_PLANE_DEG = 16.0, 27.0
"""Rotation off a standard plane up to which it is the same view (repeated alignments differ by 8 to 14), and from which
it is another: half-way from A4C to A2C, 30 degrees from both, it is neither."""

LONG_AXIS_SLACK_DEG = 5.0  # the parasternal long axis is told by the valves it cuts as much as by its angle
MITRAL_MM, APEX_MM = (10.0, 18.0), (14.0, 24.0)
"""Distance of the plane from mitral annulus and apex up to which it shows them, and from which it misses them."""

ROOT_MM = (10.0, 18.0)  # from the middle of the aortic root, whose radius is 12 to 20
OUTFLOW_CM2 = (1.0, 6.0)
"""Of the aortic root in an apical plane: from here on a four-chamber view is a five-chamber view."""

RIGHT_HEART_CM2 = (2.0, 8.0)
"""Of right ventricle and atrium, whose sum the beat hardly changes: above it a two-chamber view is an off-axis
four-chamber view; below it a four-chamber view lacks its right heart."""

APICAL_COSINE, ANTERIOR_COSINE = (0.62, 0.8), (0.2, 0.45)
"""Between the beam and the middle beam of the window: within 52 and 37 degrees at the apex, 78 and 63 in front."""

LEVEL = (-0.02, 0.06, 0.94, 1.0)  # of a short axis along the ventricle
ROOT_REACH_MM = 26.0  # what of the aorta counts as the root
DEPTH_MM, OPENING_DEG = (
    160.0,
    80.0,
)  # of a usual sector, whatever is shown: areas within it count
PICTURE_PX, SUBPIXEL_BITS = 80, 4  # 2 mm a pixel
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
    root_axis = unit(marks["sinotubular_centre"] - marks["aortic_centre"])
    tilt_deg = _angle_deg(axis, pose)
    is_along, is_across = 1 - _rise(tilt_deg, LONGITUDINAL_DEG), _rise(tilt_deg, ACROSS_DEG)
    is_across_root = _rise(_angle_deg(root_axis, pose), ACROSS_ROOT_DEG)
    is_apical = _rise(float(np.dot(pose.down, APICAL_BEAM)), APICAL_COSINE)
    is_anterior = _rise(float(np.dot(pose.down, ANTERIOR_BEAM)), ANTERIOR_COSINE) * (1 - is_apical)
    has_valve, has_apex = 1 - _rise(away["mitral_centre"], MITRAL_MM), 1 - _rise(away["lv_apex"], APEX_MM)
    has_root = 1 - _rise(_from_root(marks, pose), ROOT_MM)
    turn_deg = _turn_deg(pose, axis)
    root = as_float32(0.5 * marks["aortic_centre"] + 0.5 * marks["sinotubular_centre"])
    areas = cut_areas(scene, root_mm=pose.to_plane(root)[:2])
    right_heart = _rise(areas.get("rv_cavity", 0.0) + areas.get("ra_cavity", 0.0), RIGHT_HEART_CM2)
    outflow = _rise(areas.get("aortic_root", 0.0), OUTFLOW_CM2)
    apical = is_along * is_apical * has_valve * has_apex
    shares = np.array(
        [
            apical * _near(turn_deg, 90.0) * (1 - right_heart),
            apical * _near(turn_deg, 30.0) * right_heart * (1 - outflow),
            is_along * is_anterior * _near(turn_deg, 150.0, LONG_AXIS_SLACK_DEG) * has_valve * has_root,
            is_anterior * max(is_across * _has_level(marks, pose, axis), is_across_root * has_root),
            0.0,
        ]
    )
    shares /= max(1.0, float(shares.sum()))
    shares[VIEW_CLASSES.index("OTHER")] = 1 - shares.sum()
    return as_float32(shares)


def cut_areas(
    scene: Scene, depth_mm: float = DEPTH_MM, opening_deg: float = OPENING_DEG, root_mm: Float32Array | None = None
) -> dict[str, float]:
    """Measure what is seen of every closed structure inside a sector, cm2; what is covered by another does not count.

    With `root_mm` [2], where the aortic root lies on the plane, `aortic_root` is the part of the aorta round it.
    """
    px_per_mm = PICTURE_PX / depth_mm
    picture = np.full((PICTURE_PX, PICTURE_PX), len(scene.surfaces), dtype=np.uint8)
    middle = np.array([PICTURE_PX / 2 - 0.5, -0.5], dtype=np.float32)
    corners = np.rint((scene.points_mm * px_per_mm + middle) * (1 << SUBPIXEL_BITS)).astype(np.int32)
    for piece in scene.pieces:
        if piece.slice_index == CENTRE_SLICE and piece.is_closed:
            cv2.fillPoly(picture, [corners[piece.start : piece.stop]], piece.structure, cv2.LINE_8, SUBPIXEL_BITS)
    place = (np.indices(picture.shape, dtype=np.float32)[::-1] - middle[:, None, None]) / px_per_mm  # [2, H, W]
    is_seen = np.abs(np.arctan2(place[0], place[1])) <= np.deg2rad(opening_deg / 2)
    is_seen &= np.hypot(*place) <= depth_mm
    counts = np.bincount(picture[is_seen], minlength=len(scene.surfaces) + 1)
    pixel_cm2 = 1 / px_per_mm**2 / 100
    areas = {surface.name: float(count) * pixel_cm2 for surface, count in zip(scene.surfaces, counts, strict=False)}
    if root_mm is not None:
        names = [surface.name for surface in scene.surfaces]
        near = is_seen & (np.hypot(place[0] - root_mm[0], place[1] - root_mm[1]) < ROOT_REACH_MM)
        areas["aortic_root"] = float(np.sum(near & (picture == names.index("aorta_cavity")))) * pixel_cm2
    return areas


def _rise(value: float, limits: tuple[float, ...]) -> float:
    """0 below the first limit, 1 above the second, smooth between."""
    share = min(max((value - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _near(turn_deg: float, standard_deg: float, slack_deg: float = 0.0) -> float:
    """How much a rotation about the long axis is that of a standard plane; a plane has no sense of direction."""
    off = abs((turn_deg - standard_deg + 90) % 180 - 90)
    return 1 - _rise(off, (SAME_PLANE_DEG + slack_deg, OTHER_PLANE_DEG + slack_deg))


def _angle_deg(axis: Float32Array, pose: Pose) -> float:
    """Angle between a unit vector and the plane, 0-90 degrees."""
    return float(np.rad2deg(np.arcsin(min(abs(float(np.dot(axis, pose.out))), 1.0))))


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
