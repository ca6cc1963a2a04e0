"""One heart: every surface in painting order, its landmarks and its volumes."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.left_ventricle import (
    LeftVentricle,
    build_left_ventricle,
    left_ventricle_surfaces,
    pericardium,
)
from training.simulator.heart.rhythm import HeartState
from training.simulator.heart.right_heart import (
    outflow_path,
    right_atrium_parts,
    right_heart_surfaces,
    tricuspid_ring,
)
from training.simulator.heart.shapes import CONTRACTIONS
from training.simulator.heart.subject import Subject, draw_subject
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.surroundings import atrial_septum, epicardial_fat, fibrous_body, liver, lung
from training.simulator.heart.valves import (
    aortic_cusps,
    chordae,
    mitral_hinge,
    mitral_leaflets,
    pulmonary_cusps,
    tricuspid_leaflets,
)
from training.simulator.heart.vertices import Vertices
from training.simulator.heart.vessels import (
    ARCH_TOP,
    DESCENDING_MM,
    Aorta,
    aorta_surfaces,
    build_aorta,
    left_atrium_parts,
    left_atrium_surfaces,
)


@dataclass(frozen=True)
class Heart:
    """A parametric heart in three dimensions and time.

    Attributes:
        subject: the sizes it was built from.
        ventricle: the left one.
        surfaces: in painting order: what comes later covers what came before.
        steps: landmarks at each step of the contraction, name to [A, 3] mm.
    """

    subject: Subject
    ventricle: LeftVentricle
    surfaces: tuple[Surface, ...]
    steps: dict[str, Float32Array]

    @cached_property
    def vertices(self) -> Vertices:
        """Its material points."""
        return Vertices(self.surfaces)

    def lv_volume_ml(self, contraction: float) -> float:
        """Volume of the left ventricle's cavity at a contraction of 0 (end-diastole) to 1 (end-systole)."""
        return self.ventricle.volume_ml(contraction)

    @property
    def lvef_fraction(self) -> float:
        """Ejection fraction from the volumes."""
        return 1 - self.lv_volume_ml(1.0) / self.lv_volume_ml(0.0)

    def landmarks(self, state: HeartState) -> dict[str, Float32Array]:
        """Landmarks [3] mm in heart coordinates at one instant."""
        place = min(max(state.contraction, 0.0), 1.0) * (len(CONTRACTIONS) - 1)
        low = min(int(place), len(CONTRACTIONS) - 2)
        share = np.float32(place - low)
        return {name: as_float32(keys[low] * (1 - share) + keys[low + 1] * share) for name, keys in self.steps.items()}


@lru_cache(maxsize=4)
def heart_of(seed: int) -> Heart:
    """Give the heart of a subject by its number; the last few are kept, as one heart is seen in many views."""
    return build_heart(draw_subject(seed))


def build_heart(subject: Subject) -> Heart:
    """Build the heart of a subject; the same subject gives the same heart."""
    rng = np.random.default_rng([subject.seed, 307])
    ventricle = build_left_ventricle(subject, rng)
    aorta = build_aorta(ventricle, rng)
    left_ventricle = left_ventricle_surfaces(ventricle, rng)
    lv_wall, lv_cavity, *papillary = left_ventricle
    la_walls, la_cavities = left_atrium_surfaces(ventricle)
    (ra_wall, rv_wall, rvot_wall), (ivc, ra, rvot, rv, band) = right_heart_surfaces(ventricle, aorta.root)
    aorta_wall, aorta_cavity = aorta_surfaces(aorta, subject.aortic_wall_mm)
    mitral = mitral_leaflets(ventricle)
    depth = left_atrium_parts(ventricle)[2]
    surfaces = (
        lung(ventricle),
        liver(),
        epicardial_fat(ventricle, float(rng.uniform(2.0, 5.0))),
        *la_walls,
        ra_wall,
        *la_cavities,
        ivc,
        ra,
        rv_wall,
        rvot_wall,
        lv_wall,
        rv,
        band,
        rvot,
        aorta_wall,
        fibrous_body(ventricle),
        lv_cavity,
        aorta_cavity,
        *papillary,
        pericardium(ventricle),
        atrial_septum(ventricle, depth, rng),
        chordae(ventricle, mitral),
        *mitral,
        *tricuspid_leaflets(ventricle),
        *aortic_cusps(aorta.root, subject.aortic_annulus_mm / 2 * 1.05),
        *pulmonary_cusps(ventricle, aorta.root),
    )
    return Heart(subject, ventricle, surfaces, _landmarks(ventricle, aorta, rv, papillary))


def _landmarks(
    ventricle: LeftVentricle, aorta: Aorta, right_ventricle: Surface, papillary: list[Surface]
) -> dict[str, Float32Array]:
    """Landmarks at each step, name to [A, 3]."""
    count = range(len(CONTRACTIONS))
    la_mouth, la_axis, la_depth, _ = left_atrium_parts(ventricle)
    ra_mouth, ra_axis, ra_depth, _ = right_atrium_parts(ventricle)
    outflow = np.stack([outflow_path(ventricle, aorta.root[step], step) for step in count])
    return {
        "lv_apex": ventricle.cavity[:, -1, 0],
        "mitral_centre": la_mouth,
        "mitral_anterior_hinge": np.stack([mitral_hinge(ventricle, step, as_float32([0.0]))[0] for step in count]),
        "mitral_posterior_hinge": np.stack([mitral_hinge(ventricle, step, as_float32([180.0]))[0] for step in count]),
        "aortic_centre": aorta.root[:, 0],
        "sinotubular_centre": aorta.root[:, 1],
        "tricuspid_centre": np.stack([tricuspid_ring(ventricle, step)[0] for step in count]),
        "rv_apex": right_ventricle.keys[:, 0, -1, 0],
        "pulmonary_centre": outflow[:, 5],
        "la_centre": la_mouth + la_axis * la_depth[:, None] * np.float32(0.5),
        "ra_centre": ra_mouth + ra_axis * ra_depth[:, None] * np.float32(0.5),
        "arch_top": aorta.path[:, ARCH_TOP],
        "descending_aorta": np.broadcast_to(DESCENDING_MM, (len(CONTRACTIONS), 3)),
        **{muscle.name: muscle.keys[:, 0, -1, 0] for muscle in papillary},
    }
