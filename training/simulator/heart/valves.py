"""Leaflets and cusps that open and close in phase, and the cords that hold the mitral ones."""

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.left_ventricle import OUTFLOW_DEG, LeftVentricle
from training.simulator.heart.right_heart import outflow_path, tricuspid_ring
from training.simulator.heart.shapes import CONTRACTIONS, OPENINGS, direction, spline, unit
from training.simulator.heart.surfaces import Drive, Surface
from training.simulator.heart.tissues import Tissue
from training.simulator.heart.vessels import RIGHT_CUSP_DEG

ANTERIOR_HALF_ARC_DEG = 76.0  # of the annulus, that carries the anterior leaflet
COAPTATION_SHIFT = 0.16  # of the front-to-back half width, towards the posterior leaflet
TENT_MM = 5.7  # tenting height (748 healthy adults: 5.7 +- 2 mm)
SADDLE_MM = 3.2  # half of the saddle's height of 6-7
ACROSS = 11  # material points along a leaflet's hinge
FROM_HINGE = 7  # and from the hinge to its edge


def mitral_hinge(ventricle: LeftVentricle, step: int, relative_deg: Float32Array) -> Float32Array:
    """Points [N, 3] of the mitral annulus; 0 degrees in front (the aortic side), 180 behind."""
    subject, contraction = ventricle.subject, CONTRACTIONS[step]
    front = subject.mitral_annulus_mm * 0.46 * (1 - 0.05 * contraction)
    side = subject.mitral_annulus_mm * 0.56 * (1 - 0.08 * contraction)
    angle = np.deg2rad(relative_deg)[:, None]
    flat = front * np.cos(angle) * direction(OUTFLOW_DEG) + side * np.sin(angle) * direction(OUTFLOW_DEG + 90)
    saddle = -SADDLE_MM * np.cos(2 * angle) * as_float32([0, 0, 1])
    return as_float32(flat + saddle * 0.5 + as_float32([0, 0, ventricle.base_mm[step]]))


def mitral_leaflets(ventricle: LeftVentricle) -> list[Surface]:
    """The long anterior leaflet and the short posterior one."""
    subject = ventricle.subject
    arcs = {
        "mitral_anterior": (
            np.linspace(-ANTERIOR_HALF_ARC_DEG, ANTERIOR_HALF_ARC_DEG, ACROSS),
            subject.anterior_leaflet_mm,
        ),
        "mitral_posterior": (
            np.linspace(ANTERIOR_HALF_ARC_DEG, 360 - ANTERIOR_HALF_ARC_DEG, ACROSS),
            subject.posterior_leaflet_mm,
        ),
    }
    up, front, aside = as_float32([0, 0, 1]), direction(OUTFLOW_DEG), direction(OUTFLOW_DEG + 90)
    surfaces = []
    for name, (arc, length) in arcs.items():
        keys = []
        relative = np.deg2rad(arc)
        taper = np.clip(1.3 * np.cos(np.linspace(-1, 1, ACROSS) * 1.05), 0.5, 1)[:, None]
        for step in range(len(CONTRACTIONS)):
            hinge = mitral_hinge(ventricle, step, as_float32(arc))
            middle = as_float32([0, 0, ventricle.base_mm[step]])
            half = subject.mitral_annulus_mm * 0.46
            edge = (
                middle
                - COAPTATION_SHIFT * half * front
                + subject.mitral_annulus_mm * 0.48 * np.sin(relative)[:, None] * aside
            )
            shut = edge + TENT_MM * taper * up
            inward = unit(edge - hinge + 1e-3)
            wide = hinge + length * taper * (0.93 * up + 0.30 * inward)
            keys.append(_swing(hinge, as_float32(shut), as_float32(wide), up, inward, 0.13 * length))
        surfaces.append(
            Surface(
                name,
                Tissue.LEAFLET,
                as_float32(np.stack(keys)),
                Drive.MITRAL,
                is_sheet=True,
                thickness_mm=2.2,
                specular_db=6.0,
            )
        )
    return surfaces


def _swing(
    hinge: Float32Array, shut: Float32Array, wide: Float32Array, up: Float32Array, inward: Float32Array, bow_mm: float
) -> Float32Array:
    """Leaflet [B, FROM_HINGE, ACROSS, 3] from closed to open; it bows into the atrium when closed, lags in between."""
    steps = []
    for opening in OPENINGS:
        tip = shut * (1 - opening) + wide * opening - np.sin(np.pi * opening) * bow_mm * 0.6 * up
        belly = (hinge + tip) / 2 - (1 - opening) * 0.35 * bow_mm * up + opening * bow_mm * (0.9 * inward)
        steps.append(spline(as_float32(np.stack([hinge, belly, tip])), FROM_HINGE))
    return as_float32(np.stack(steps))


def chordae(ventricle: LeftVentricle, leaflets: list[Surface]) -> Surface:
    """Cords from the tips of the papillary muscles to the edges of the leaflets: a fan seen as faint lines."""
    anterior = leaflets[0].keys[:, :, -1]  # [A, B, ACROSS, 3] -> edge
    feet = [[ventricle.place(step, 0.36, theta, 0.6) for theta in (236.0, 347.0)] for step in range(len(CONTRACTIONS))]
    tips = np.asarray(feet, dtype=np.float32)  # [A, 2, 3]
    foot = tips[:, np.linspace(0, 1.99, ACROSS).astype(int)][:, None]  # [A, 1, ACROSS, 3]
    share = np.linspace(0, 0.97, 4, dtype=np.float32)[None, None, :, None, None]
    keys = foot[:, :, None] * (1 - share) + anterior[:, :, None] * share
    return Surface("chordae", Tissue.SOFT_TISSUE, as_float32(keys), Drive.MITRAL, is_sheet=True, thickness_mm=0.9)


def tricuspid_leaflets(ventricle: LeftVentricle) -> list[Surface]:
    """The septal leaflet and the large anterior one."""
    surfaces = []
    arcs = {
        "tricuspid_septal": (np.linspace(-55, 55, ACROSS), 0.82),
        "tricuspid_anterior": (np.linspace(70, 290, ACROSS), 1.15),
    }
    up = as_float32([0, 0, 1])
    for name, (arc, reach) in arcs.items():
        keys = []
        for step in range(len(CONTRACTIONS)):
            middle, across, deep = tricuspid_ring(ventricle, step)
            angle = np.deg2rad(arc)[:, None]
            hinge = as_float32(middle + across * np.cos(angle) * direction(12) + deep * np.sin(angle) * direction(102))
            coapt = middle + 0.22 * across * direction(12) + 0.75 * deep * np.sin(angle) * direction(102)
            shut = as_float32(coapt + 4.0 * up)
            inward = unit(coapt - hinge + 1e-3)
            wide = as_float32(hinge + across * reach * (0.92 * up + 0.4 * inward))
            keys.append(_swing(hinge, shut, wide, up, inward, 0.16 * across))
        surfaces.append(
            Surface(
                name,
                Tissue.LEAFLET,
                as_float32(np.stack(keys)),
                Drive.MITRAL,
                is_sheet=True,
                thickness_mm=1.8,
                specular_db=4.0,
            )
        )
    return surfaces


def aortic_cusps(root: Float32Array, radius_mm: float) -> list[Surface]:
    """Three cusps in the root [A, 2, 3]; closed they meet in three lines from the middle to the wall."""
    names = {
        "aortic_cusp_right": RIGHT_CUSP_DEG,
        "aortic_cusp_left": RIGHT_CUSP_DEG - 120,
        "aortic_cusp_non": RIGHT_CUSP_DEG + 120,
    }
    return [_cusp(name, theta, root, radius_mm, 2.4) for name, theta in names.items()]


def pulmonary_cusps(ventricle: LeftVentricle, root: Float32Array) -> list[Surface]:
    """The pulmonary valve, turned away from the aortic one."""
    paths = np.stack([outflow_path(ventricle, root[step], step) for step in range(len(CONTRACTIONS))])
    annulus = paths[:, 5]
    axis = unit(paths[:, 6] - paths[:, 4])
    ring = np.stack([annulus, annulus + axis * np.float32(18)], axis=1)
    radius = ventricle.subject.rv_outflow_mm / 2 * 0.86
    return [
        _cusp(f"pulmonary_cusp_{number}", theta, ring, radius, 1.6)
        for number, theta in enumerate((40.0, 160.0, 280.0), 1)
    ]


def _cusp(name: str, theta_deg: float, root: Float32Array, radius_mm: float, thickness_mm: float) -> Surface:
    """One cusp, hinged along a scallop: its free edge lies on two radii when closed, at the wall when open."""
    keys = []
    turn = np.linspace(-1, 1, ACROSS)
    share = np.linspace(0, 1, 5)[:, None, None]
    for annulus, junction in root:
        axis = unit(junction - annulus)
        first = unit(direction(theta_deg) - axis * np.dot(axis, direction(theta_deg)))
        second = as_float32(np.cross(axis, first))
        angle = np.deg2rad(60 * turn)[:, None]
        wall = radius_mm * (np.cos(angle) * first + np.sin(angle) * second)
        rise = (13.0 * np.abs(turn) ** 1.6)[:, None]
        hinge = annulus + wall + rise * axis
        corner = radius_mm * (np.cos(np.deg2rad(60)) * first + np.sign(angle) * np.sin(np.deg2rad(60)) * second)
        closed_edge = annulus + corner * np.abs(turn)[:, None] + (9.5 + 3.5 * np.abs(turn))[:, None] * axis
        open_edge = annulus + wall * 0.9 + 13.5 * axis
        steps = []
        for opening in OPENINGS:
            edge = closed_edge * (1 - opening) + open_edge * opening
            sag = -2.2 * (1 - opening) * np.sin(np.pi * share) * axis
            steps.append(hinge * (1 - share) + edge * share + sag)
        keys.append(np.stack(steps))
    return Surface(
        name,
        Tissue.LEAFLET,
        as_float32(np.stack(keys)),
        Drive.AORTIC,
        is_sheet=True,
        thickness_mm=thickness_mm,
        specular_db=6.0,
    )
