"""Surfaces from few numbers: tubes along a curve, stacks of rings, and closed ends."""

import numpy as np
import numpy.typing as npt

from training.simulator.arrays import Float32Array, as_float32

DoubleArray = npt.NDArray[np.float64]

CONTRACTIONS = np.linspace(0, 1, 5, dtype=np.float32)
"""Steps of the contraction at which surfaces are made; between them places run straight."""

OPENINGS = np.linspace(0, 1, 4, dtype=np.float32)
"""Steps of a valve's opening."""


def direction(theta_deg: float, z: float = 0.0) -> Float32Array:
    """Unit vector [3] at an angle about the long axis, with `z` before it is made a unit."""
    angle = np.deg2rad(theta_deg)
    return unit(np.array([np.cos(angle), np.sin(angle), z]))


def unit(vector: npt.ArrayLike) -> Float32Array:
    """The same direction [..., 3] with length 1."""
    values = np.asarray(vector)
    return as_float32(values / np.linalg.norm(values, axis=-1, keepdims=True))


def spline(control: Float32Array, samples: int) -> Float32Array:
    """Catmull-Rom curve [samples, ...] through control points [K, ...], by even steps of the control's index."""
    place = np.linspace(0, len(control) - 1, samples)
    start = np.minimum(place.astype(int), len(control) - 2)
    f = as_float32(place - start).reshape(-1, *[1] * (control.ndim - 1))
    padded = np.concatenate([2 * control[:1] - control[1:2], control, 2 * control[-1:] - control[-2:-1]])
    a, b, c, d = (padded[start + step] for step in range(4))
    return as_float32(0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3))


def frames_along(path: Float32Array, first_side: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Two unit vectors [U, 3] square to a path [U, 3] and to each other, carried along it without twist."""
    along = unit(np.gradient(path, axis=0))
    sides = np.empty_like(path)
    side = first_side
    for index, tangent in enumerate(along):
        side = unit(side - tangent * np.dot(side, tangent))
        sides[index] = side
    return sides, as_float32(np.cross(along, sides))


def tube(
    path: Float32Array, radii_mm: Float32Array, columns: int, first_side: Float32Array, flattening: float = 1.0
) -> Float32Array:
    """Closed tube [U + 2, columns, 3] along a path [U, 3] with radii [U] or [U, columns].

    `flattening` scales the second axis of its cross-section.
    The first and last row are poles: the tube's ends are closed by cones half a radius long.
    """
    first, second = frames_along(path, first_side)
    turn = np.linspace(0, 2 * np.pi, columns, dtype=np.float32)
    ring = np.cos(turn)[None, :, None] * first[:, None] + flattening * np.sin(turn)[None, :, None] * second[:, None]
    radii = radii_mm if radii_mm.ndim == 2 else radii_mm[:, None]
    rings = path[:, None] + radii[..., None] * ring
    along = unit(path[[1, -1]] - path[[0, -2]])
    ends = path[[0, -1]] + along * (radii[[0, -1], 0] * np.float32(0.5))[:, None] * np.array([[-1], [1]], np.float32)
    return closed(as_float32(rings), ends[0], ends[1])


def closed(rings: Float32Array, first_pole: Float32Array, last_pole: Float32Array) -> Float32Array:
    """Add a pole before and behind rings [U, V, 3] whose last column is the first; returns [U + 2, V, 3]."""
    columns = rings.shape[1]
    rings = np.concatenate([rings[:, :-1], rings[:, :1]], axis=1)  # rounding would leave a gap at the seam
    poles = [np.broadcast_to(pole, (1, columns, 3)) for pole in (first_pole, last_pole)]
    return as_float32(np.concatenate([poles[0], rings, poles[1]]))


def smooth_noise(rng: np.random.Generator, rows: int, columns: int, knots: tuple[int, int]) -> Float32Array:
    """Smooth normal noise [rows, columns] of about unit variance, periodic over its columns."""
    coarse = rng.standard_normal((knots[0], knots[1]))
    u = np.linspace(0, knots[0] - 1, rows)
    v = np.linspace(0, knots[1], columns)
    low = np.minimum(u.astype(int), knots[0] - 2)
    left = v.astype(int) % knots[1]
    fu, fv = _ease(u - low)[:, None], _ease(v - v.astype(int))[None, :]
    right = (left + 1) % knots[1]
    top = coarse[low][:, left] * (1 - fv) + coarse[low][:, right] * fv
    bottom = coarse[low + 1][:, left] * (1 - fv) + coarse[low + 1][:, right] * fv
    return as_float32(1.3 * (top * (1 - fu) + bottom * fu))


def _ease(share: DoubleArray) -> DoubleArray:
    return share * share * (3 - 2 * share)


def volume_ml(surface_mm: Float32Array) -> float:
    """Volume inside a closed surface [U, V, 3] mm whose rows end in poles and whose last column is its first."""
    grid = surface_mm.astype(np.float64)
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    signed = np.einsum("uvi,uvi->", a, np.cross(b, c)) + np.einsum("uvi,uvi->", a, np.cross(c, d))
    return float(abs(signed) / 6 / 1000)
