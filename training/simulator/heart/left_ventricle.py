"""The left ventricle: cavity, wall, papillary muscles; every size at five steps of the contraction."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.shapes import CONTRACTIONS, closed, smooth_noise, tube, volume_ml
from training.simulator.heart.subject import ED_PROFILE, ES_PROFILE, PROFILE_POSITION, Subject
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.tissues import Tissue

ALONG = np.array(
    [0, 0.06, 0.13, 0.2, 0.28, 0.36, 0.44, 0.52, 0.6, 0.68, 0.76, 0.83, 0.89, 0.935, 0.967, 0.988], dtype=np.float32
)
"""Places of the rings from the annulus (0) towards the apex (1), denser where the outline turns."""

COLUMNS = 29
THETA = np.linspace(0, 2 * np.pi, COLUMNS, dtype=np.float32)
APICAL_THINNING = 0.6  # wall at the apex over wall at the base
APEX_DESCENT_MM = 1.5  # the apex hardly moves (CAMUS: 2 +- 2)
OUTFLOW_DEG, OUTFLOW_HALF_WIDTH_DEG = 150.0, 38.0  # where the aorta leaves
OUTFLOW_REACH = 0.32  # share of the length over which the outflow tract widens the cavity
SECANTS = 8
MOST_NARROWING = 0.78  # of any ray in systole
TWIST_RAD = np.deg2rad(14.0)  # between apex and base (297 healthy adults: 13.5 +- 3.7 to 15.6 +- 4.9)
STILL_LEVEL = 0.3  # the base turns the other way
PAPILLARY_DEG = {"papillary_anterolateral": 347.0, "papillary_posteromedial": 236.0}


@dataclass(frozen=True)
class LeftVentricle:
    """Rings of the cavity and of the wall's outside.

    Attributes:
        subject: whose.
        base_mm, apex_mm: [A] height of annulus and cavity apex.
        inner_mm, outer_mm: [A, S, T] radii of cavity and wall at `ALONG` x `THETA`.
        centres_mm: [S, 2] (x, y) of each ring's middle: the cavity bows a little.
    """

    subject: Subject
    base_mm: Float32Array
    apex_mm: Float32Array
    inner_mm: Float32Array
    outer_mm: Float32Array
    centres_mm: Float32Array

    @cached_property
    def heights_mm(self) -> Float32Array:
        """Height of every ring, [A, S]."""
        return as_float32(self.base_mm[:, None] + ALONG * (self.apex_mm - self.base_mm)[:, None])

    @cached_property
    def cavity(self) -> Float32Array:
        """Inside of the wall, [A, U, V, 3]."""
        return self._close(self.inner_mm, 2.5, np.zeros(len(CONTRACTIONS), np.float32))

    @cached_property
    def wall(self) -> Float32Array:
        """Outside of the wall, [A, U, V, 3]."""
        return self._close(self.outer_mm, 1.0, self._apical_mm)

    def grown(self, distance_mm: float) -> Float32Array:
        """The wall's outside, a distance further out, [A, U, V, 3]."""
        dome = np.float32(distance_mm) * np.sqrt(1 - np.clip((ALONG - 0.75) / 0.26, 0, 1) ** 2)[:, None]
        return self._close(
            as_float32(self.outer_mm + dome), 1.0 + distance_mm, self._apical_mm + np.float32(distance_mm)
        )

    def volume_ml(self, contraction: float) -> float:
        """Volume of the cavity at a contraction of 0-1."""
        return float(np.interp(contraction, CONTRACTIONS, self._volumes_ml))

    def place(self, step: int, s: float, theta_deg: float, share: float = 1.0) -> Float32Array:
        """A material point [3] mm: along the length, about the axis, and out to a share of the cavity's radius."""
        angle = np.deg2rad(theta_deg) % (2 * np.pi)
        row = [np.interp(angle, THETA, ring) for ring in self.inner_mm[step]]
        radius = float(np.interp(s, ALONG, row)) * share
        x, y = (float(np.interp(s, ALONG, self.centres_mm[:, axis])) for axis in (0, 1))
        height = self.base_mm[step] + s * (self.apex_mm[step] - self.base_mm[step])
        turned = angle + _twist_rad(CONTRACTIONS[step], s)
        return as_float32([x + radius * np.cos(turned), y + radius * np.sin(turned), height])

    def outer_at(self, step: int, height_mm: float, theta_rad: Float32Array) -> Float32Array:
        """Points [N, 3] on the wall's outside at a height (clipped to the ventricle) and angles [N]."""
        s = float(np.interp(height_mm, self.heights_mm[step], ALONG))
        row = int(np.searchsorted(ALONG, s, side="right")) - 1
        row = min(max(row, 0), len(ALONG) - 2)
        share = np.float32((s - ALONG[row]) / (ALONG[row + 1] - ALONG[row]))
        ring = self.outer_mm[step, row] * (1 - share) + self.outer_mm[step, row + 1] * share
        centre = self.centres_mm[row] * (1 - share) + self.centres_mm[row + 1] * share
        material = theta_rad - _twist_rad(CONTRACTIONS[step], s)
        radius = np.interp(material % (2 * np.pi), THETA, ring)
        x, y = centre[0] + radius * np.cos(theta_rad), centre[1] + radius * np.sin(theta_rad)
        return as_float32(np.stack([x, y, np.full_like(x, height_mm)], axis=1))

    @property
    def _apical_mm(self) -> Float32Array:
        """Thickness of the wall at the apex, [A]: that of the rings round it, thinned."""
        return as_float32(0.9 * (self.outer_mm - self.inner_mm)[:, 9:12].mean(axis=(1, 2)))

    @cached_property
    def _volumes_ml(self) -> list[float]:
        return [volume_ml(step) for step in self.cavity]

    def _close(self, radii_mm: Float32Array, cap_mm: float, beyond_mm: Float32Array) -> Float32Array:
        """Rings [A, S, T] to a closed surface; `beyond_mm` [A] is how far it reaches past the cavity's apex."""
        steps = []
        for step, contraction in enumerate(CONTRACTIONS):
            reach = self.apex_mm[step] + beyond_mm[step] - self.base_mm[step]
            heights = self.base_mm[step] + ALONG * reach
            turned = THETA + _twist_rad(contraction, ALONG[:, None])
            ring = radii_mm[step][..., None] * np.stack([np.cos(turned), np.sin(turned)], axis=-1)
            ring += self.centres_mm[:, None]
            height = np.broadcast_to(heights[:, None, None], (*ring.shape[:2], 1))
            first = as_float32([*ring[0, :-1].mean(axis=0), heights[0] - cap_mm])
            last = as_float32([*self.centres_mm[-1], heights[0] + reach])
            steps.append(closed(as_float32(np.concatenate([ring, height], axis=-1)), first, last))
        return np.stack(steps)


def build_left_ventricle(subject: Subject, rng: np.random.Generator) -> LeftVentricle:
    """Build the ventricle so that its cavity empties by the subject's ejection fraction."""
    length_ed = subject.lv_length_mm
    lengths = length_ed * (1 - subject.length_shortening_fraction * CONTRACTIONS)
    apex = as_float32(length_ed - APEX_DESCENT_MM * CONTRACTIONS)
    diastole = _diastolic_radii(subject, rng)
    region = _regional_share(subject, rng)
    shape = np.interp(ALONG, PROFILE_POSITION, (ES_PROFILE + 1e-3) / 0.54 / ((ED_PROFILE + 1e-3) / 0.60))
    bow = 4 * ALONG * (1 - ALONG)
    centres = as_float32(np.stack([bow * rng.normal(0.6, 1.2), bow * rng.normal(0, 1.2)], axis=1))

    def make(narrowing: float) -> LeftVentricle:
        taken = np.clip(narrowing * region, -0.1, MOST_NARROWING)
        inner = np.stack([diastole * (1 - c * taken) * (1 + c * (shape[:, None] - 1)) for c in CONTRACTIONS])
        inner[:, 0] = diastole[0] * (1 - 0.1 * CONTRACTIONS[:, None])
        return LeftVentricle(subject, as_float32(apex - lengths), apex, as_float32(inner), as_float32(inner), centres)

    def emptied(narrowing: float) -> float:
        trial = make(narrowing).cavity
        return 1 - volume_ml(trial[-1]) / volume_ml(trial[0])

    ventricle = make(_solve(emptied, subject.lvef_fraction))
    outer = ventricle.inner_mm + _wall_thickness(subject, ventricle.inner_mm, length_ed / lengths, rng)
    return LeftVentricle(subject, ventricle.base_mm, apex, ventricle.inner_mm, as_float32(outer), ventricle.centres_mm)


def _twist_rad(contraction: npt.ArrayLike, s: npt.ArrayLike) -> Float32Array:
    """How far material has turned at a place along the length, anticlockwise seen from the apex."""
    return as_float32(TWIST_RAD * np.asarray(contraction) * (np.asarray(s) - STILL_LEVEL))


def _solve(function: Callable[[float], float], wanted: float) -> float:
    """Find where a smooth rising function takes a value, by secants from both ends of what narrowing can be."""
    before, here = 0.1, 0.5
    value_before, value = function(before), function(here)
    for _ in range(SECANTS):
        if abs(value - wanted) < 1e-6 or value == value_before:
            break
        step = (wanted - value) * (here - before) / (value - value_before)
        before, value_before = here, value
        here = float(np.clip(here + step, -0.2, 1.2))
        value = function(here)
    return here


def left_ventricle_surfaces(ventricle: LeftVentricle, rng: np.random.Generator) -> list[Surface]:
    """Fat, wall, cavity, papillary muscles and pericardium, in painting order."""
    return [
        Surface("lv_wall", Tissue.MUSCLE, ventricle.wall[:, None], is_material=True, specular_db=6.0),
        Surface(
            "lv_cavity",
            Tissue.BLOOD,
            ventricle.cavity[:, None],
            is_material=True,
            is_blood_flowing=True,
            specular_db=3.0,
        ),
        *(_papillary(ventricle, name, theta, rng) for name, theta in PAPILLARY_DEG.items()),
    ]


def pericardium(ventricle: LeftVentricle) -> Surface:
    """The bright layer round the free wall, from the inferior septum over the lateral wall to the anterior one."""
    columns = np.arange(-8, 9)  # of THETA, about -103 to +103 degrees round the lateral wall
    around = columns % (COLUMNS - 1)
    keys = ventricle.grown(2.2)[:, 1:-1][:, :, around]
    return Surface("pericardium", Tissue.PERICARDIUM, keys[:, None], is_sheet=True, thickness_mm=2.6, specular_db=10.0)


def _diastolic_radii(subject: Subject, rng: np.random.Generator) -> Float32Array:
    """Radii [S, T] of the cavity at end-diastole: CAMUS profile, annulus, outflow tract, trabeculae."""
    profile = np.interp(ALONG, PROFILE_POSITION, ED_PROFILE / 0.60) * subject.lv_width_mm / 2
    profile[-1] = profile[-2] * 0.6
    annulus = subject.mitral_annulus_mm / 2
    profile[0], profile[1] = annulus, 0.5 * (profile[1] + annulus * 1.1)
    oval = 1 + rng.normal(0, 0.03) * np.cos(2 * (THETA - rng.uniform(0, np.pi)))
    radii = profile[:, None] * oval
    away = (np.rad2deg(THETA) - OUTFLOW_DEG) / OUTFLOW_HALF_WIDTH_DEG
    widening = annulus + subject.aortic_annulus_mm * 0.92 - profile[0]
    radii = radii + widening * np.exp(-(away**2)) * np.clip(1 - ALONG / OUTFLOW_REACH, 0, 1)[:, None] ** 1.5
    rough = smooth_noise(rng, len(ALONG), COLUMNS, (9, 11)) * np.clip(ALONG * 3, 0, 1)[:, None]
    return as_float32(radii + rough * np.clip((1 - ALONG) * 6, 0.2, 1)[:, None] * np.float32(0.9))


def _regional_share(subject: Subject, rng: np.random.Generator) -> Float32Array:
    """How much of the usual narrowing each place [S, T] does: 1 everywhere, less in an ischaemic territory."""
    share = np.ones((len(ALONG), COLUMNS))
    territory = subject.hypokinesis
    if territory is not None:
        away = np.angle(np.exp(1j * (THETA - np.deg2rad(territory.theta_deg)))) / np.deg2rad(territory.half_width_deg)
        along = np.clip((ALONG - territory.from_fraction) / 0.2, 0, 1)
        share -= territory.reduction * np.exp(-(away**2))[None, :] * along[:, None]
    return as_float32(share + 0.06 * smooth_noise(rng, len(ALONG), COLUMNS, (4, 6)))


def _wall_thickness(
    subject: Subject, inner_mm: Float32Array, stretch: np.ndarray, rng: np.random.Generator
) -> Float32Array:
    """Thickness [A, S, T]: septum and free wall at end-diastole, thicker as incompressible muscle gets shorter."""
    septal = np.exp(-((np.angle(np.exp(1j * (THETA - np.deg2rad(165.0)))) / 0.9) ** 2))
    around = subject.posterior_wall_mm + (subject.septum_mm - subject.posterior_wall_mm) * septal
    thinning = (1 - (1 - APICAL_THINNING) * ALONG**2) * np.clip(0.6 + ALONG * 4, 0, 1)
    thinning *= np.sqrt(1 - np.clip((ALONG - 0.75) / 0.26, 0, 1) ** 2)  # the outside closes as a dome
    bulge = subject.septal_bulge_mm * septal * np.exp(-(((ALONG[:, None] - 0.18) / 0.14) ** 2))
    rest = around * thinning[:, None] + bulge + 0.4 * smooth_noise(rng, len(ALONG), COLUMNS, (5, 7))
    rest = np.maximum(rest, 1.0)
    usual = np.maximum(inner_mm, 5.0)
    area = ((usual[0] + rest) ** 2 - usual[0] ** 2)[None] * stretch[:, None, None]
    return as_float32(np.sqrt(usual**2 + area) - usual)


def _papillary(ventricle: LeftVentricle, name: str, theta_deg: float, rng: np.random.Generator) -> Surface:
    """A muscle that stands off the wall and points to the annulus: it moves with the wall and thickens."""
    theta = theta_deg + float(np.clip(rng.normal(0, 5), -9, 9))
    foot, tip = float(rng.uniform(0.66, 0.76)), float(rng.uniform(0.34, 0.42))
    thick = float(rng.uniform(4.2, 6.2))
    path_s = np.linspace(foot, tip, 5)
    steps = []
    for step, contraction in enumerate(CONTRACTIONS):
        reach = np.linspace(1.0, 0.7, 5)
        path = np.stack([ventricle.place(step, s, theta, share) for s, share in zip(path_s, reach, strict=True)])
        radii = thick * (1 + 0.18 * contraction) * np.array([1.15, 1.1, 1.0, 0.9, 0.6])
        steps.append(tube(path, as_float32(radii), 11, as_float32([0, 0, 1])))
    return Surface(name, Tissue.MUSCLE, np.stack(steps)[:, None], is_material=True)
