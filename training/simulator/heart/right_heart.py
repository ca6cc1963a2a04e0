"""Right ventricle with its outflow tract and pulmonary artery, right atrium, inferior vena cava."""

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.left_ventricle import LeftVentricle
from training.simulator.heart.shapes import CONTRACTIONS, closed, direction, spline, tube
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.tissues import Tissue

RINGS = np.linspace(0, 1, 10, dtype=np.float32)
ARC_COLUMNS = 12
APICAL_DISPLACEMENT_MM = 6.0  # the tricuspid ring lies nearer the apex than the mitral one
SEPTAL_DEG = 205.0  # where the tricuspid ring touches the septum
FREE_WALL_SHORTENING = 0.28
ANTERIOR_INSERTION_DEG, INFERIOR_INSERTION_DEG = (112.0, 160.0), (244.0, 205.0)  # at base and apex
SQUARENESS = 2.8  # atria press on their neighbours: between an ellipse (2) and a box
ATRIAL_RINGS = np.linspace(0.06, 0.96, 9, dtype=np.float32)
SUPERIOR = direction(0) * np.float32(0.31) + as_float32([0, 0.75, -0.58])


def tricuspid_ring(ventricle: LeftVentricle, step: int) -> tuple[Float32Array, float, float]:
    """Middle [3], and half widths (septal to free wall, front to back) of the tricuspid annulus, mm."""
    subject, contraction = ventricle.subject, CONTRACTIONS[step]
    height = APICAL_DISPLACEMENT_MM + subject.tapse_mm * contraction
    half = subject.rv_base_mm / 2 * (1 - 0.12 * contraction)
    medial = ventricle.outer_at(step, height, as_float32([np.deg2rad(SEPTAL_DEG)]))[0]
    middle = medial + direction(SEPTAL_DEG) * np.float32(half - 1.0)
    middle[2] = height
    return as_float32(middle), float(half), float(half * 1.05)


def right_ventricle(ventricle: LeftVentricle, wall_mm: float) -> Float32Array:
    """The cavity (or, with a wall, its outside) as a crescent on the septum, [A, U, V, 3]."""
    subject = ventricle.subject
    steps = []
    for step, contraction in enumerate(CONTRACTIONS):
        base = APICAL_DISPLACEMENT_MM + subject.tapse_mm * contraction
        apex = subject.rv_reach_fraction * (ventricle.apex_mm[step] - ventricle.base_mm[step]) + ventricle.base_mm[step]
        rings = [_crescent(ventricle, step, float(s), float(base + s * (apex - base)), wall_mm) for s in RINGS]
        first = rings[0][:-1].mean(axis=0) - as_float32([0, 0, 2.0 + wall_mm])
        last = rings[-1][:-1].mean(axis=0) + as_float32([0, 0, 3.0 + wall_mm])
        steps.append(closed(as_float32(np.stack(rings)), first, last))
    return np.stack(steps)


def _crescent(ventricle: LeftVentricle, step: int, s: float, height: float, wall_mm: float) -> Float32Array:
    """One ring [V, 3]: along the septum from the anterior to the inferior insertion, back along the free wall."""
    subject, contraction = ventricle.subject, CONTRACTIONS[step]
    start, end = (np.deg2rad(a + (b - a) * s**1.3) for a, b in (ANTERIOR_INSERTION_DEG, INFERIOR_INSERTION_DEG))
    grow = wall_mm / 30.0  # radians by which the wall reaches past the insertions
    theta = as_float32(np.linspace(start - grow, end + grow, ARC_COLUMNS))
    septal = ventricle.outer_at(step, height, theta)
    share = np.linspace(0, 1, ARC_COLUMNS)
    bulge = np.sin(np.pi * share) ** 0.55 * (1 - 0.22 * np.cos(np.pi * share))
    depth = subject.rv_base_mm * (1 - FREE_WALL_SHORTENING * contraction)
    depth *= np.interp(s, [0, 0.15, 0.4, 0.7, 0.9, 1.0], [0.9, 1.0, 0.76, 0.48, 0.26, 0.1])
    outwards = np.stack([np.cos(theta), np.sin(theta), np.zeros_like(theta)], axis=1)
    bulge *= 1 - 0.3 * np.exp(-share / 0.35 - s / 0.3)  # in front the outflow tract takes over
    free = septal + as_float32(depth * bulge + wall_mm)[:, None] * outwards
    return np.concatenate([septal, free[::-1], septal[:1]])


def outflow_tract(ventricle: LeftVentricle, root: Float32Array, wall_mm: float) -> Float32Array:
    """Right ventricular outflow tract, pulmonary valve and artery, [A, U, V, 3].

    Args:
        ventricle: the left one, on which it lies.
        root: [A, 2, 3], middle of the aortic annulus and of the sinotubular junction at each step.
        wall_mm: 0 for the cavity.
    """
    subject, steps = ventricle.subject, []
    for step, contraction in enumerate(CONTRACTIONS):
        path = outflow_path(ventricle, root[step], step)
        half = subject.rv_outflow_mm / 2
        radii = half * np.array([1.0, 1.05, 1.0, 0.92, 0.85, 0.86, 0.9, 0.85, 0.8])
        radii[:4] *= 1 - 0.2 * contraction
        steps.append(tube(path, as_float32(radii + wall_mm), 15, as_float32([0, 0, 1])))
    return np.stack(steps)


def outflow_path(ventricle: LeftVentricle, root: Float32Array, step: int) -> Float32Array:
    """Middle line [9, 3] from the right ventricle's front over the aortic root to the pulmonary artery."""
    subject = ventricle.subject
    half = subject.rv_outflow_mm / 2
    base = ventricle.base_mm[step]
    length = ventricle.apex_mm[step] - base
    inside = ventricle.outer_at(step, float(base + 0.34 * length), as_float32([np.deg2rad(150)]))[0]
    inside = inside + direction(150) * np.float32(half * 0.9)
    front = ventricle.outer_at(step, float(base + 0.12 * length), as_float32([np.deg2rad(142)]))[0]
    front = front + direction(142) * np.float32(half)
    middle = root.mean(axis=0)
    over = middle + unit_across(root, direction(128)) * np.float32(subject.sinus_mm / 2 + half + 2.0)
    valve = (
        middle + unit_across(root, direction(62)) * np.float32(subject.sinus_mm / 2 + half + 2) + as_float32([2, 4, -9])
    )
    artery = valve + as_float32([10, -7, -20])
    return spline(as_float32(np.stack([inside, front, over, valve, artery, artery + as_float32([4, -16, -12])])), 9)


def unit_across(root: Float32Array, wanted: Float32Array) -> Float32Array:
    """The part of a direction [3] that is square to the root's axis [2, 3], as a unit vector."""
    axis = root[1] - root[0]
    axis = axis / np.linalg.norm(axis)
    across = wanted - axis * np.dot(axis, wanted)
    return as_float32(across / np.linalg.norm(across))


def atrium(
    mouth: Float32Array, axis: Float32Array, depth_mm: Float32Array, halves_mm: tuple[float, float], wall_mm: float
) -> Float32Array:
    """A sac behind a valve, [A, U, V, 3]; its roof stands nearly still while the mouth moves.

    Args:
        mouth: [A, 3], middle of the valve's ring.
        axis: [3], unit vector from the mouth to the roof.
        depth_mm: [A], from mouth to roof.
        halves_mm: greatest half width side to side (x) and front to back (y).
        wall_mm: 0 for the cavity.
    """
    turn = np.linspace(0, 2 * np.pi, 21, dtype=np.float32)
    profile = np.interp(ATRIAL_RINGS, [0, 0.12, 0.35, 0.6, 0.8, 0.92, 1], [0.8, 0.92, 1, 0.99, 0.86, 0.62, 0.25])
    square = (np.abs(np.cos(turn)) ** SQUARENESS + np.abs(np.sin(turn)) ** SQUARENESS) ** (-1 / SQUARENESS)
    steps = []
    for step, contraction in enumerate(CONTRACTIONS):
        middle = mouth[step] + ATRIAL_RINGS[:, None] * depth_mm[step] * axis
        swell = profile * (0.95 + 0.12 * contraction) + wall_mm / np.mean(halves_mm)
        ring = np.stack([halves_mm[0] * np.cos(turn) * square, halves_mm[1] * np.sin(turn) * square, 0 * turn], axis=1)
        rings = middle[:, None] + swell[:, None, None] * ring
        steps.append(
            closed(as_float32(rings), mouth[step] + axis * 0.5, mouth[step] + axis * (depth_mm[step] + wall_mm))
        )
    return np.stack(steps)


def right_atrium_parts(
    ventricle: LeftVentricle,
) -> tuple[Float32Array, Float32Array, Float32Array, tuple[float, float]]:
    """Mouth [A, 3], axis [3], depth [A] and half widths of the right atrium."""
    subject = ventricle.subject
    mouth = np.stack([tricuspid_ring(ventricle, step)[0] for step in range(len(CONTRACTIONS))])
    depth = subject.ra_depth_mm + (mouth[:, 2] - mouth[0, 2]) * 0.85
    axis = direction(330.0, -4.5)
    return mouth, axis, as_float32(depth), (subject.ra_width_mm / 2, subject.ra_width_mm / 2 * 1.08)


def right_heart_surfaces(ventricle: LeftVentricle, root: Float32Array) -> tuple[list[Surface], list[Surface]]:
    """Walls and cavities of the right heart, each in painting order."""
    subject = ventricle.subject
    mouth, axis, depth, halves = right_atrium_parts(ventricle)
    cava_path = vena_cava_path(mouth + axis * depth[:, None] * np.float32(0.62))
    cavity = right_ventricle(ventricle, 0.0)
    band = _moderator_band(cavity)
    walls = [
        Surface("ra_wall", Tissue.FAT, atrium(mouth, axis, depth, halves, 2.0)[:, None], specular_db=8.0),
        Surface(
            "rv_wall",
            Tissue.THIN_WALL,
            right_ventricle(ventricle, subject.rv_wall_mm)[:, None],
            is_material=True,
            specular_db=4.0,
        ),
        Surface("rvot_wall", Tissue.FAT, outflow_tract(ventricle, root, 2.6)[:, None], specular_db=9.0),
    ]
    cavities = [
        Surface("ivc_cavity", Tissue.BLOOD, _tubes(cava_path, 9.5)[:, None], is_blood_flowing=True),
        Surface(
            "ra_cavity",
            Tissue.BLOOD,
            atrium(mouth, axis, depth, halves, 0.0)[:, None],
            is_material=True,
            is_blood_flowing=True,
        ),
        Surface("rvot_cavity", Tissue.BLOOD, outflow_tract(ventricle, root, 0.0)[:, None], is_blood_flowing=True),
        Surface("rv_cavity", Tissue.BLOOD, cavity[:, None], is_material=True, is_blood_flowing=True),
        Surface("moderator_band", Tissue.MUSCLE, band[:, None]),
    ]
    return walls, cavities


def vena_cava_path(middle: Float32Array) -> Float32Array:
    """Middle lines [A, 5, 3] from below into the right atrium, whose middle is given, [A, 3]."""
    below = -SUPERIOR
    return as_float32(middle[:, None] + np.linspace(8, 75, 5)[None, :, None] * below)


def _tubes(paths: Float32Array, radius_mm: float) -> Float32Array:
    radii = np.full(paths.shape[1], radius_mm, dtype=np.float32)
    return np.stack([tube(path, radii, 11, as_float32([1, 0, 0])) for path in paths])


def _moderator_band(cavity: Float32Array) -> Float32Array:
    """A muscle from the septum to the free wall of the right ventricle, at three fifths of its length."""
    row = 7  # of RINGS, counted with the pole
    septal, free = cavity[:, row, ARC_COLUMNS // 2 + 1], cavity[:, row, -ARC_COLUMNS // 2 - 1]
    paths = septal[:, None] + np.linspace(-0.1, 1.1, 4)[None, :, None] * (free - septal)[:, None]
    return _tubes(as_float32(paths), 2.0)
