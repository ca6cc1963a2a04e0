"""The aorta from its root over the arch to the chest, the left atrium with its veins, the coronary sinus."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.left_ventricle import OUTFLOW_DEG, LeftVentricle
from training.simulator.heart.right_heart import SUPERIOR, atrium
from training.simulator.heart.shapes import CONTRACTIONS, direction, spline, tube, unit
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.tissues import Tissue

ROOT_LEAN_DEG = (38.0, 6.0)  # from the long axis of the ventricle, towards the front; 45-62 from the septum's line
ROOT_AWAY_DEG = (12.0, 5.0)  # out of the long-axis plane, towards the head
SINUS_LENGTH_MM = 20.0
POSTERIOR, LEFT = as_float32([0.53, -0.65, -0.55]), as_float32([0.79, 0.14, 0.60])
DESCENDING_MM = as_float32([33, -21, -17])  # where the descending aorta crosses the long-axis plane
SIDE_DEG, COLUMNS = 60.0, 25  # where the first column of the aorta lies, and how many there are
SINUS_DEPTH = 0.1  # of the root's radius
RIGHT_CUSP_DEG = 145.0
AORTA_SAMPLES, CONTROLS = 34, 11
ARCH_TOP = 20  # of the samples


@dataclass(frozen=True)
class Aorta:
    """Middle line of the aorta.

    Attributes:
        root: [A, 2, 3], middle of the annulus and of the sinotubular junction.
        path: [A, U, 3], from the outflow tract inside the ventricle to the descending aorta.
        radii_mm: [U] of the lumen.
    """

    root: Float32Array
    path: Float32Array
    radii_mm: Float32Array


def build_aorta(ventricle: LeftVentricle, rng: np.random.Generator) -> Aorta:
    """Lay the aorta: it leaves the ventricle between mitral valve and septum and leans forward."""
    subject = ventricle.subject
    lean, away = np.deg2rad(rng.normal(*ROOT_LEAN_DEG)), np.deg2rad(rng.normal(*ROOT_AWAY_DEG))
    axis = unit(
        np.cos(lean) * as_float32([0, 0, -1]) + np.sin(lean) * direction(OUTFLOW_DEG) + np.tan(away) * direction(60.0)
    )
    reach = subject.mitral_annulus_mm * 0.47 + subject.aortic_annulus_mm / 2 + 0.5
    start = direction(OUTFLOW_DEG) * np.float32(reach) + as_float32([0, 0, 1.0])
    annulus = start + np.stack([0 * CONTRACTIONS, 0 * CONTRACTIONS, 0.85 * ventricle.base_mm], axis=1)
    junction = annulus + axis * np.float32(SINUS_LENGTH_MM)
    still = start + axis * np.float32(SINUS_LENGTH_MM)
    up = unit(SUPERIOR)
    turning = still + 26 * unit(0.6 * axis + 0.5 * up)
    ascending = turning + 18 * up
    drop = DESCENDING_MM + as_float32(rng.normal(0, 2.5, 3))
    falling = drop + np.dot(up, ascending - drop) * up
    middle, across = (ascending + falling) / 2, (ascending - falling) / 2
    bend = [
        middle + np.cos(angle) * across + 0.8 * np.sin(angle) * float(np.linalg.norm(across)) * up
        for angle in np.deg2rad([45, 90, 135])
    ]
    beyond = [turning, ascending, *bend, falling, drop, drop - 60 * up]
    path = [
        spline(as_float32(np.stack([a - 9 * axis, a, j, *beyond])), AORTA_SAMPLES)
        for a, j in zip(annulus, junction, strict=True)
    ]
    along = np.linspace(0, CONTROLS - 1, AORTA_SAMPLES)
    half = np.array([subject.aortic_annulus_mm * 0.96, subject.aortic_annulus_mm, subject.ascending_aorta_mm * 0.9]) / 2
    arch_half = subject.ascending_aorta_mm / 2
    radii = np.interp(
        along,
        [0, 1, 1.35, 1.7, 2, 3, 4, 6, 8, 10],
        [
            half[0],
            half[1],
            subject.sinus_mm / 2,
            subject.sinus_mm / 2,
            half[2],
            arch_half,
            arch_half,
            arch_half * 0.88,
            arch_half * 0.74,
            arch_half * 0.7,
        ],
    )
    return Aorta(as_float32(np.stack([annulus, junction], axis=1)), as_float32(np.stack(path)), as_float32(radii))


def aorta_surfaces(aorta: Aorta, wall_mm: float) -> tuple[Surface, Surface]:
    """Wall and lumen."""
    side = direction(SIDE_DEG)
    radii = aorta.radii_mm[:, None] * _three_sinuses()
    outer = np.stack([tube(path[3:], radii[3:] + np.float32(wall_mm), COLUMNS, side) for path in aorta.path])
    inner = np.stack([tube(path, radii, COLUMNS, side) for path in aorta.path])
    return (
        Surface("aorta_wall", Tissue.FAT, outer[:, None], is_material=True, specular_db=13.0),
        Surface("aorta_cavity", Tissue.BLOOD, inner[:, None], is_blood_flowing=True),
    )


def _three_sinuses() -> Float32Array:
    """How much wider than a circle the root is behind each cusp, [U, V]; 1 beyond the sinotubular junction."""
    place = np.linspace(0, CONTROLS - 1, AORTA_SAMPLES)[:, None]
    along = np.exp(-(((place - 1.5) / 0.4) ** 2))
    theta = np.deg2rad(SIDE_DEG) - np.linspace(0, 2 * np.pi, COLUMNS)  # columns run clockwise, seen from the apex
    return as_float32(1 + SINUS_DEPTH * along * np.cos(3 * (theta - np.deg2rad(RIGHT_CUSP_DEG))))


def left_atrium_parts(ventricle: LeftVentricle) -> tuple[Float32Array, Float32Array, Float32Array, tuple[float, float]]:
    """Mouth [A, 3], axis [3], depth [A] and half widths of the left atrium."""
    subject = ventricle.subject
    mouth = as_float32(np.stack([0 * CONTRACTIONS, 0 * CONTRACTIONS, ventricle.base_mm], axis=1))
    depth = subject.la_depth_mm + ventricle.base_mm * 0.9
    half = max(subject.la_width_mm / 2, 0.54 * subject.mitral_annulus_mm)
    return mouth, direction(325.0, -8.0), as_float32(depth), (half, half * 0.97)


def left_atrium_surfaces(ventricle: LeftVentricle) -> tuple[list[Surface], list[Surface]]:
    """Walls and cavities of the left atrium, two of its veins, and the coronary sinus."""
    mouth, axis, depth, halves = left_atrium_parts(ventricle)
    roof = mouth + axis * depth[:, None] * np.float32(0.78)
    walls = [Surface("la_wall", Tissue.FAT, atrium(mouth, axis, depth, halves, 2.0)[:, None], specular_db=11.0)]
    veins = []
    for name, side in (("pulmonary_vein_left", 1.0), ("pulmonary_vein_right", -1.0)):
        away = unit(as_float32([side, -0.35, -0.55]))
        path = roof[:, None] + np.linspace(halves[0] * 0.55, halves[0] + 16, 4)[None, :, None] * away
        radii = np.array([6.0, 5.5, 5.0, 5.0], dtype=np.float32)
        keys = np.stack([tube(as_float32(line), radii, 11, as_float32([0, 1, 0])) for line in path])
        veins.append(Surface(name, Tissue.BLOOD, keys[:, None], is_blood_flowing=True))
    cavity = Surface(
        "la_cavity",
        Tissue.BLOOD,
        atrium(mouth, axis, depth, halves, 0.0)[:, None],
        is_material=True,
        is_blood_flowing=True,
    )
    return walls, [*veins, cavity, _coronary_sinus(ventricle)]


def _coronary_sinus(ventricle: LeftVentricle) -> Surface:
    """The vein in the groove behind the left ventricle, from the lateral wall round to the septum."""
    theta = np.deg2rad(np.linspace(315, 235, 7)).astype(np.float32)
    steps = []
    for step in range(len(CONTRACTIONS)):
        path = ventricle.outer_at(step, float(ventricle.base_mm[step]) + 1.0, theta)
        path[:, :2] *= 1.1
        path[:, 2] -= 4.0
        steps.append(tube(path, np.linspace(2.4, 4.2, 7, dtype=np.float32), 11, as_float32([0, 0, 1])))
    return Surface("coronary_sinus", Tissue.BLOOD, np.stack(steps)[:, None])
