"""Outline of the left ventricle's cavity in the plane."""

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.truth.recording import Recording
from training.simulator.views.pose import Pose
from training.simulator.views.scene import Scene, area_mm2

CONTOUR_POINTS = 64
SQUARE_MM = 10.0  # the valve seen nearer to the middle of the outline than this shows no side of it


def lv_contour_mm(recording: Recording, points: int = CONTOUR_POINTS) -> Float32Array:
    """Trace the cavity, [T, N, 2] mm on the plane (right, down, flip undone); NaN where the plane misses it.

    The points lie evenly along the outline, clockwise, and begin in the middle of the valve's side (of the right side
    in a short axis), so that a point is about the same piece of wall in every frame. Where a plane cuts the cavity
    twice the larger piece is told.
    """
    valves = [marks["mitral_centre"] for marks in map(recording.heart.landmarks, recording.states)]
    frames = zip(recording.scenes, recording.poses, valves, strict=True)
    return np.stack([_resample(scene, pose, valve, points) for scene, pose, valve in frames])


def lv_contour_px(recording: Recording, points: int = CONTOUR_POINTS) -> Float32Array:
    """The same in pixels (x, y) of the picture, [T, N, 2]."""
    return recording.screen.to_px(lv_contour_mm(recording, points))


def lv_area_mm2(recording: Recording) -> Float32Array:
    """Area of the cavity in the plane, [T] mm2; 0 where the plane misses it."""
    return as_float32([sum(map(area_mm2, scene.outlines("lv_cavity"))) for scene in recording.scenes])


def cavity_outline(scene: Scene) -> Float32Array | None:
    """The largest outline of the cavity in a scene, [N, 2] mm; None where the plane misses it."""
    return max(scene.outlines("lv_cavity"), key=area_mm2, default=None)


def nearest_on(outline: Float32Array, point: Float32Array) -> Float32Array:
    """The place on a closed outline [N, 2] nearest to a point [2]."""
    way = np.roll(outline, -1, axis=0) - outline
    squared = np.maximum((way * way).sum(axis=1), np.float32(1e-9))
    share = np.clip(((point - outline) * way).sum(axis=1) / squared, 0, 1)
    places = outline + share[:, None] * way
    return as_float32(places[np.linalg.norm(places - point, axis=1).argmin()])


def _resample(scene: Scene, pose: Pose, valve_mm: Float32Array, points: int) -> Float32Array:
    outline = cavity_outline(scene)
    if outline is None:
        return np.full((points, 2), np.nan, dtype=np.float32)
    x, y = outline.T
    if np.dot(x, np.roll(y, -1)) < np.dot(y, np.roll(x, -1)):
        outline = outline[::-1]  # clockwise, as y grows downwards
    middle = outline.mean(axis=0)
    towards = pose.to_plane(valve_mm)[:2] - middle
    if np.hypot(*towards) < SQUARE_MM:
        towards = as_float32([1, 0])
    aligned = (outline - middle) @ towards / np.linalg.norm(outline - middle, axis=1)
    ring = np.roll(outline, -int(aligned.argmax()), axis=0)
    ring = np.concatenate([ring, ring[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    wanted = np.linspace(0, along[-1], points, endpoint=False)
    return as_float32(np.stack([np.interp(wanted, along, ring[:, axis]) for axis in (0, 1)], axis=1))
