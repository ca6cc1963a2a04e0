"""What lies between and round the chambers: septum of the atria, fibrous body, fat, lung, liver."""

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.left_ventricle import LeftVentricle
from training.simulator.heart.right_heart import SUPERIOR
from training.simulator.heart.shapes import CONTRACTIONS, closed, direction
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.tissues import Tissue

LUNG_DEG, LUNG_HALVES_MM = 325.0, (60.0, 60.0, 75.0)
LUNG_UNDER_MM = 6.0  # as far it reaches under the heart, which covers it


def atrial_septum(ventricle: LeftVentricle, la_depth_mm: Float32Array, rng: np.random.Generator) -> Surface:
    """The thin wall between the atria, thinnest in its middle; from the fibrous body to the common roof."""
    bow = float(rng.normal(0, 2.0))
    along = np.linspace(-0.02, 0.95, 8)[:, None, None]
    across = np.linspace(-20, 15, 9)[None, :, None]
    place = direction(190) * np.float32(ventricle.subject.mitral_annulus_mm * 0.5 + 3.5)
    keys = []
    for step in range(len(CONTRACTIONS)):
        start = place + as_float32([0, 0, ventricle.base_mm[step] + 1.0])
        fall = along * la_depth_mm[step] * as_float32([-0.03, -0.10, -0.95])
        belly = np.sin(np.pi * np.clip(along, 0, 1)) * bow * direction(190)
        keys.append(start + fall + across * direction(100) + belly)
    return Surface(
        "atrial_septum",
        Tissue.THIN_WALL,
        as_float32(np.stack(keys))[:, None],
        is_sheet=True,
        thickness_mm=2.6,
        specular_db=3.0,
    )


def fibrous_body(ventricle: LeftVentricle) -> Surface:
    """The crux, where both septa and both valves meet: small, firm and bright."""
    middles = np.stack(
        [
            ventricle.outer_at(step, float(base) + 1.0, as_float32([np.deg2rad(192)]))[0]
            for step, base in enumerate(ventricle.base_mm)
        ]
    )
    return Surface(
        "crux", Tissue.LEAFLET, np.stack([ellipsoid(middle, (3.2, 6.0, 5.0)) for middle in middles])[:, None]
    )


def epicardial_fat(ventricle: LeftVentricle, thickness_mm: float) -> Surface:
    """A layer outside the left ventricle."""
    return Surface("epicardial_fat", Tissue.FAT, ventricle.grown(thickness_mm)[:, None])


def liver() -> Surface:
    """Below the diaphragm, to the right: seen from under the ribs."""
    middle = as_float32([-22, -12, 35]) - 78 * SUPERIOR - 22 * as_float32([0.79, 0.14, 0.6])
    keys = ellipsoid(as_float32(middle), (70.0, 52.0, 58.0))
    return Surface("liver", Tissue.LIVER, np.broadcast_to(keys, (len(CONTRACTIONS), 1, *keys.shape)).copy())


def lung(ventricle: LeftVentricle) -> Surface:
    """The left lung, behind and beside the ventricle's free wall; what of it lies before the heart is the scanner's."""
    outer_mm = float(ventricle.outer_mm[0].max())
    middle = direction(LUNG_DEG) * np.float32(outer_mm + LUNG_HALVES_MM[0] - LUNG_UNDER_MM) + as_float32([0, 0, 30])
    keys = ellipsoid(as_float32(middle), LUNG_HALVES_MM)
    return Surface("lung", Tissue.LUNG, np.broadcast_to(keys, (len(CONTRACTIONS), 1, *keys.shape)).copy())


def ellipsoid(middle: Float32Array, halves_mm: tuple[float, float, float]) -> Float32Array:
    """Closed ellipsoid [U, V, 3] round a middle [3]."""
    polar = np.linspace(0, np.pi, 11)[1:-1, None]
    turn = np.linspace(0, 2 * np.pi, 15)[None, :]
    ring = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn], axis=-1)
    halves = np.array(halves_mm)
    pole = np.array([0, 0, halves[2]])
    return closed(as_float32(middle + ring * halves), as_float32(middle + pole), as_float32(middle - pole))
