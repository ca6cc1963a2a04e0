"""Curves in millimetres: smooth outlines through a few control points, their offsets, areas and turns."""

from functools import cache

import numpy as np

from training.simulator.arrays import Float32Array


def points(*pairs: tuple[float, float]) -> Float32Array:
    """Stack (x, y) pairs in mm into an array, shape [N, 2]."""
    return np.array(pairs, dtype=np.float32)


@cache
def _spline_basis(controls: int, samples: int, is_closed: bool) -> Float32Array:
    """Weights [samples, controls] that turn control points into points of a Catmull-Rom spline."""
    span = controls if is_closed else controls - 1
    position = np.linspace(0, span, samples, endpoint=not is_closed)
    start = np.minimum(position.astype(int), span - 1)
    f = position - start
    weights = np.stack(
        [
            -0.5 * f + f**2 - 0.5 * f**3,
            1 - 2.5 * f**2 + 1.5 * f**3,
            0.5 * f + 2 * f**2 - 1.5 * f**3,
            0.5 * f**3 - 0.5 * f**2,
        ],
        axis=1,
    )
    basis = np.zeros((samples, controls), dtype=np.float32)
    for shift in range(4):
        column = start + shift - 1
        column = column % controls if is_closed else np.clip(column, 0, controls - 1)
        np.add.at(basis, (np.arange(samples), column), weights[:, shift].astype(np.float32))
    return basis


def open_curve(control: Float32Array, samples: int = 24) -> Float32Array:
    """Run a smooth open curve through control points [K, 2] mm; returns [samples, 2] mm."""
    return _spline_basis(len(control), samples, False) @ control


def closed_curve(control: Float32Array, samples: int = 40) -> Float32Array:
    """Run a smooth closed curve through control points [K, 2] mm; returns [samples, 2] mm."""
    return _spline_basis(len(control), samples, True) @ control


def ellipse(
    centre: Float32Array, radii: tuple[float, float], angle_deg: float = 0.0, samples: int = 28
) -> Float32Array:
    """Draw an ellipse around a centre [2] mm; radii in mm; returns [samples, 2] mm."""
    turn = np.linspace(0, 2 * np.pi, samples, endpoint=False, dtype=np.float32)
    flat = np.stack([radii[0] * np.cos(turn), radii[1] * np.sin(turn)], axis=1).astype(np.float32)
    return rotate(flat, angle_deg) + centre


def rotate(path: Float32Array, angle_deg: float) -> Float32Array:
    """Turn points [N, 2] mm about the origin, clockwise on a screen whose y points down."""
    angle = np.deg2rad(angle_deg)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], dtype=np.float32)
    return path @ matrix


def normals(path: Float32Array) -> Float32Array:
    """Unit normals [N, 2] of a path [N, 2] mm, to the left of its direction on a screen whose y points down."""
    along = np.empty_like(path)
    along[1:-1] = path[2:] - path[:-2]
    along[0], along[-1] = path[1] - path[0], path[-1] - path[-2]
    length = np.sqrt((along * along).sum(axis=1, keepdims=True)) + np.float32(1e-6)
    along /= length
    return np.stack([along[:, 1], -along[:, 0]], axis=1)


def offset(path: Float32Array, distance_mm: Float32Array | float) -> Float32Array:
    """Move a path [N, 2] mm along its left normals; distance is one number or shape [N], mm."""
    distance = np.asarray(distance_mm, dtype=np.float32).reshape(-1, 1)  # [N] -> [N, 1]
    return path + normals(path) * distance


def grown(contour: Float32Array, distance_mm: float) -> Float32Array:
    """Grow a closed contour [N, 2] mm outwards by a distance in mm, whichever way it runs."""
    along = np.roll(contour, -1, axis=0) - np.roll(contour, 1, axis=0)
    along /= np.sqrt((along * along).sum(axis=1, keepdims=True)) + np.float32(1e-6)
    x, y = contour[:, 0], contour[:, 1]
    turn = 1 if float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) > 0 else -1
    outwards = np.stack([along[:, 1], -along[:, 0]], axis=1) * np.float32(turn * distance_mm)
    return contour + outwards


def area_mm2(contour: Float32Array) -> float:
    """Area inside a closed contour [N, 2] mm."""
    x, y = contour[:, 0].astype(np.float64), contour[:, 1].astype(np.float64)
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
