"""Landmarks in the heart and on the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.truth.contour import cavity_outline, nearest_on
from training.simulator.truth.recording import Recording
from training.simulator.views.scene import CENTRE_SLICE, Scene

CUSPS = ("aortic_cusp_right", "aortic_cusp_left", "aortic_cusp_non")
LEAFLETS = ("mitral_anterior", "mitral_posterior")
PAPILLARY = ("papillary_anterolateral", "papillary_posteromedial")
AT_HINGE, AT_EDGE = 0.02, 0.3
"""Shares of a leaflet's length: a cut that begins this near to its hinge shows it. One that ends this near to its free
edge shows the tip: an oblique plane leaves the leaflet at its side."""

HINGE_REACH_MM = 4.0  # a hinge lies on the outline of the cavity, which the model's annulus leaves by 2 mm at most
MISSING = np.full(2, np.nan, dtype=np.float32)


@dataclass(frozen=True)
class PictureLandmarks:
    """Landmarks on the picture, by name; NaN where the plane does not show them.

    Attributes:
        mm: [T, 2] on the plane (right, down, flip undone).
        px: [T, 2] (x, y) on the picture.
        off_plane_mm: [T], how far the thing itself lies from the plane; 0 for what the plane cuts.
    """

    mm: dict[str, Float32Array]
    px: dict[str, Float32Array]
    off_plane_mm: dict[str, Float32Array]


def landmarks_mm(recording: Recording) -> dict[str, Float32Array]:
    """Landmarks in heart coordinates, name to [T, 3] mm: all of the heart's own, and the aortic cusps' lowest hinges.

    The heart's own hold `lv_apex`, `mitral_anterior_hinge` and `mitral_posterior_hinge`, the tips of both papillary
    muscles, and the middles of valves and chambers; `aortic_right_hinge`, `aortic_left_hinge` and `aortic_non_hinge`
    are named after their cusps.
    """
    frames = [{**recording.heart.landmarks(state)} for state in recording.states]
    starts = np.cumsum([0, *(surface.keys[0, 0].size // 3 for surface in recording.heart.surfaces)])
    for marks, state in zip(frames, recording.states, strict=True):
        vertices = recording.heart.vertices.at(state)
        for surface, start in zip(recording.heart.surfaces, starts, strict=False):
            if surface.name in CUSPS:
                marks[_hinge_name(surface.name)] = vertices[start + surface.keys.shape[3] // 2]
    return {name: np.stack([marks[name] for marks in frames]) for name in frames[0]}


def picture_landmarks(recording: Recording) -> PictureLandmarks:
    """Landmarks where the plane shows them.

    `apex` is the place on the cavity's outline furthest from the valve, `mitral_anterior_hinge` and
    `mitral_posterior_hinge` are where the outline meets the leaflets: both NaN in a short axis. The aortic hinges are
    where a cusp's hinge is cut. The tips of the papillary muscles are shown as they fall on the plane, with their
    distance from it.
    """
    frames = [_on_plane(scene) for scene in recording.scenes]
    mm = {name: np.stack([marks[name] for marks in frames]) for name in frames[0]}
    off = {name: np.where(np.isnan(places[:, 0]), np.nan, 0).astype(np.float32) for name, places in mm.items()}
    for name, places in landmarks_mm(recording).items():
        if name in PAPILLARY:
            fallen = np.stack([pose.to_plane(place) for pose, place in zip(recording.poses, places, strict=True)])
            mm[name], off[name] = fallen[:, :2], fallen[:, 2]
    return PictureLandmarks(mm, {name: recording.screen.to_px(places) for name, places in mm.items()}, off)


def leaflet_ends(scene: Scene, name: str) -> tuple[Float32Array, Float32Array]:
    """Where the plane cuts a leaflet's hinge and its free edge, [2] mm each; NaN where it cuts neither."""
    hinges, edges = [], []
    for piece in scene.pieces:
        if piece.slice_index == CENTRE_SLICE and scene.surfaces[piece.structure].name == name:
            rows = scene.places[piece.start : piece.stop, 0]
            points = scene.points_mm[piece.start : piece.stop]
            hinges.append((rows.min(), points[rows.argmin()]))
            edges.append((1 - rows.max(), points[rows.argmax()]))
    return _reached(hinges, AT_HINGE), _reached(edges, AT_EDGE)


def _reached(ends: Sequence[tuple[float, Float32Array]], within: float) -> Float32Array:
    """The end that comes nearest, if it is near enough."""
    distance, place = min(ends, key=lambda end: end[0], default=(1.0, MISSING))
    return place if distance < within else MISSING


def _hinge_name(leaflet: str) -> str:
    return leaflet.replace("_cusp", "") + "_hinge"


def _on_plane(scene: Scene) -> dict[str, Float32Array]:
    """What one scene shows, name to [2] mm."""
    marks = {_hinge_name(name): leaflet_ends(scene, name)[0] for name in (*LEAFLETS, *CUSPS)}
    outline = cavity_outline(scene)
    hinges = [_hinge_name(name) for name in LEAFLETS]
    for name in hinges:
        on_outline = MISSING if outline is None else nearest_on(outline, marks[name])
        is_near = float(np.linalg.norm(on_outline - marks[name])) < HINGE_REACH_MM
        marks[name] = on_outline if is_near else MISSING
    middle = as_float32(np.mean([marks[name] for name in hinges], axis=0))
    marks["apex"] = MISSING
    if outline is not None and not np.isnan(middle).any():
        marks["apex"] = outline[np.linalg.norm(outline - middle, axis=1).argmax()]
    return marks
