"""The two apical planes, A4C and A2C: what they cut of the left heart, and of the right."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.simulator.anatomy import ED_PROFILE, ES_PROFILE, PROFILE_POSITION, Subject
from training.simulator.arrays import Float32Array, as_float32
from training.simulator.motion import HeartState
from training.simulator.scene import Echo, Line, Region, Scene
from training.simulator.shapes import closed_curve, ellipse, grown, offset, open_curve, points

# Places along the cavity, 0 annulus to 1 apex, denser at the apex where the outline turns.
ALONG = np.array([0, 0.06, 0.13, 0.2, 0.28, 0.36, 0.44, 0.52, 0.6, 0.68, 0.76, 0.83, 0.89, 0.935, 0.967, 0.988, 1.0])
APICAL_THINNING = 0.7  # wall at the apex over wall at the base
NARROWEST_RV_SHARE = 0.55


@dataclass(frozen=True)
class ApicalPlane:
    """One apical cut: a pose on the screen (mm, degrees) and what its error does to the shapes."""

    subject: Subject
    is_four_chamber: bool
    rotation_error_deg: float
    apex_mm: Float32Array  # [2], apex of the cavity at end-diastole
    lean_deg: float  # base to the right
    foreshortening: float  # length seen over true length
    bend: float  # sideways bow of the cavity, share of the length
    roughness: Float32Array  # [2, 17], trabecular waves of each wall, mm
    right_heart_scale: float
    papillary_place: float

    def scene(self, state: HeartState) -> Scene:
        """Cut the heart at one instant."""
        frame = _LeftHeart(self, state)
        regions, lines = (_four_chambers if self.is_four_chamber else _two_chambers)(frame)
        return Scene(regions, lines, frame.cavity, -frame.down)


def draw_apical_plane(subject: Subject, view: str, seed: int) -> ApicalPlane:
    """Draw the pose and the error of an apical plane.

    Reference:
        Pose measured on 500 patients' A4C (CAMUS): apex 23/31/41 deep, lean 3/11/20 degrees, apex -13/-4/+3 beside
        the middle, lean and apex offset correlated -0.6.
    """
    rng = np.random.default_rng([seed, 31, view == "A4C"])
    wide = rng.random() < 0.05
    score = rng.normal()
    lean_deg = 10.5 + 7.0 * score
    apex_x = -4 + 6.5 * (-0.6 * score + 0.8 * rng.normal())
    error_deg = float(rng.normal(0, 14 if wide else 7))
    short = rng.random() < 0.15
    return ApicalPlane(
        subject=subject,
        is_four_chamber=view == "A4C",
        rotation_error_deg=error_deg,
        apex_mm=points((apex_x, float(np.clip(rng.normal(29, 5.5), 18, 44))))[0],
        lean_deg=float(np.clip(lean_deg, -8, 27)),
        foreshortening=float(rng.uniform(0.8, 0.92) if short else rng.uniform(0.95, 1.0)),
        bend=float(rng.normal(0.02, 0.025)),
        roughness=rng.normal(0, 0.9, (2, len(ALONG))).astype(np.float32),
        right_heart_scale=float(np.clip(1.04 + 0.012 * error_deg + rng.normal(0, 0.07), NARROWEST_RV_SHARE, 1.3)),
        papillary_place=float(rng.uniform(0.46, 0.6)),
    )


class _LeftHeart:
    """The left ventricle's frame at one instant: s runs from the annulus (0) to the apex (1), t to the right in mm."""

    def __init__(self, plane: ApicalPlane, state: HeartState) -> None:
        subject, lean = plane.subject, np.deg2rad(plane.lean_deg)
        self.plane, self.state, self.subject = plane, state, subject
        self.down = np.array([np.sin(lean), np.cos(lean)], dtype=np.float32)
        self.right = np.array([np.cos(lean), -np.sin(lean)], dtype=np.float32)
        length_ed = subject.lv_length_mm * plane.foreshortening
        e = state.contraction
        self.length = length_ed * (1 - subject.length_shortening_fraction * e)
        self.apex = plane.apex_mm + self.down * np.float32(1.5 * e)
        self.base_shift = length_ed - self.length - 1.5 * e  # how far the annulus has moved to the apex, mm
        narrowing = 1 - subject.width_shortening_fraction * e
        profile = np.sqrt((1 - e) * (ED_PROFILE / 0.60) ** 2 + e * (ES_PROFILE / 0.54) ** 2)
        half = np.sqrt(np.interp(ALONG, PROFILE_POSITION, profile**2)) * subject.lv_width_mm / 2
        annulus = subject.mitral_annulus_mm * (1 - 0.1 * e) / 2
        half[0] = annulus
        half[1] = 0.5 * (half[1] + annulus * 1.05)
        self.half = half * narrowing
        self.half[0] = annulus
        self.bow = plane.bend * self.length * 4 * ALONG * (1 - ALONG)
        fade = np.clip(ALONG * 6, 0, 1) * np.clip((1 - ALONG) * 5, 0, 1)
        rough = plane.roughness * fade  # [2, 17]
        left = self.at(ALONG, self.bow - self.half + rough[0])
        right = self.at(ALONG, self.bow + self.half + rough[1])
        self.cavity = np.concatenate([left, right[-2::-1]])  # [33, 2]
        self.thickness_left = self._thickness(subject.septum_mm if plane.is_four_chamber else subject.posterior_wall_mm)
        self.thickness_right = self._thickness(subject.posterior_wall_mm)
        thickness = np.concatenate([self.thickness_left, self.thickness_right[-2::-1]])
        self.outer = offset(self.cavity, thickness)

    def at(self, s: npt.ArrayLike, t: npt.ArrayLike) -> Float32Array:
        """Screen points [N, 2] mm of places s along (0-1) and t across (mm)."""
        down = ((1 - as_float32(s)) * np.float32(self.length))[:, None] * self.down
        return as_float32(self.apex + down + as_float32(t)[:, None] * self.right)

    def place(self, s: float, t: float) -> Float32Array:
        """One screen point [2] mm; s below 0 lies in the atrium."""
        return as_float32(self.apex + self.down * np.float32((1 - s) * self.length) + self.right * np.float32(t))

    def below(self, base: Float32Array, down_mm: float, right_mm: float) -> Float32Array:
        """A point [2] mm reached from another by steps along the heart's axes."""
        return as_float32(base + self.down * np.float32(down_mm) + self.right * np.float32(right_mm))

    def _thickness(self, diastolic_mm: float) -> Float32Array:
        """Wall thickness [17] mm now, from incompressible muscle."""
        diastolic = diastolic_mm * (1 - (1 - APICAL_THINNING) * ALONG**3) * np.clip(0.55 + ALONG * 5, 0, 1)
        half_ed = np.sqrt(np.interp(ALONG, PROFILE_POSITION, (ED_PROFILE / 0.6) ** 2)) * self.subject.lv_width_mm / 2
        half_ed = np.maximum(half_ed, 8.0)
        stretch = self.subject.lv_length_mm * self.plane.foreshortening / self.length
        half_now = np.maximum(self.half, 6.0)
        ring = ((half_ed + diastolic) ** 2 - half_ed**2) * stretch
        return as_float32(np.sqrt(half_now**2 + ring) - half_now)


def _mitral_leaflets(heart: _LeftHeart) -> list[Line]:
    """Two leaflets hinged at the annulus; long one at the left (septal or anterior)."""
    subject, opening = heart.subject, heart.state.mitral_opening
    ring = 2 * heart.half[0]
    long_mm, short_mm = 0.62 * ring, 0.45 * ring
    tent_mm = 6.0
    lines = []
    for name, side, reach, length in (("mitral_anterior", -1, long_mm, 1.0), ("mitral_posterior", 1, short_mm, 0.8)):
        hinge = heart.place(0.0, side * heart.half[0])
        inward = -side
        shut = heart.below(hinge, -tent_mm, inward * reach * 0.98)
        middle_shut = heart.below(hinge, -0.15 * tent_mm, inward * reach * 0.5)
        span = subject.anterior_leaflet_mm * length * 0.85
        wide = heart.below(hinge, -span * 0.97, inward * span * 0.25)
        middle_wide = heart.below(hinge, -span * 0.42, inward * span * 0.30)
        w = np.float32(opening)
        swing = np.float32(np.sin(np.pi * opening) * 0.12 * span) * (-heart.down + inward * heart.right)
        path = np.stack(
            [hinge, middle_shut * (1 - w) + middle_wide * w + swing * 0.5, shut * (1 - w) + wide * w + swing]
        )
        lines.append(Line(name, open_curve(path, 12), 2.1, Echo.LEAFLET, 3.0))
    return lines


def _left_atrium(heart: _LeftHeart, scale: float = 1.0) -> Float32Array:
    """Outline [44, 2] mm of the left atrium; its roof stands still while the annulus moves."""
    subject = heart.subject
    left, right = heart.place(0.0, -heart.half[0]), heart.place(0.0, heart.half[0])
    depth = subject.la_depth_mm * scale + heart.base_shift * 0.9
    half = subject.la_width_mm * scale / 2 * (0.94 + 0.14 * heart.state.contraction)
    mid = as_float32((left + right) / 2)
    control = np.stack(
        [
            heart.below(left, 0.5, 0.5),
            heart.below(mid, depth * 0.25, -half * 0.93),
            heart.below(mid, depth * 0.62, -half * 0.98),
            heart.below(mid, depth * 0.93, -half * 0.6),
            heart.below(mid, depth, half * 0.05),
            heart.below(mid, depth * 0.92, half * 0.68),
            heart.below(mid, depth * 0.6, half * 1.04),
            heart.below(mid, depth * 0.24, half * 0.98),
            heart.below(right, 0.5, -0.5),
        ]
    )
    return closed_curve(control, 44)


def _papillary(heart: _LeftHeart, side: int, place: float, name: str) -> Region:
    """A papillary muscle standing off one wall and pointing at the annulus."""
    half = float(np.interp(place, ALONG, heart.half)) * side
    thick = 6.5 * (1 + 0.2 * heart.state.contraction)
    foot, tip = heart.place(place + 0.14, half * 1.05), heart.place(place - 0.1, half * 0.62)
    across = heart.right * np.float32(-side * thick * 0.5)
    control = np.stack(
        [
            foot - heart.down * np.float32(4),
            foot + across * 1.4,
            tip + across * 0.8,
            tip - across * 0.4,
            heart.place(place, half * 1.08),
        ]
    )
    return Region(name, closed_curve(control, 24), Echo.MUSCLE)


def _wall_fading(heart: _LeftHeart) -> Float32Array:
    """Level in dB along the outer outline [33]: the apex and the right-hand wall show less than the left-hand one."""
    lateral_db, apical_db = (-5.0, -2.0) if heart.plane.is_four_chamber else (-2.5, -2.0)
    run = np.linspace(-1, 1, len(heart.outer))
    lateral = np.where(run > 0, lateral_db * np.sqrt(np.abs(run)), 0.0)
    return as_float32(lateral + apical_db * np.exp(-((run / 0.25) ** 2)))


def _septal_lines(heart: _LeftHeart) -> list[Line]:
    """Surface layers of the walls that catch the beam where they turn towards it."""
    return [
        Line("apex_surface", heart.cavity[12:21], 2.0, Echo.MUSCLE, 4.0),
        Line("pericardium_lateral", offset(heart.outer, 1.5)[19:31], 2.4, Echo.MUSCLE, 6.0),
    ]


def _two_chambers(heart: _LeftHeart) -> tuple[list[Region], list[Line]]:
    """Left ventricle and atrium only: inferior wall at the left, anterior wall at the right."""
    atrium = _left_atrium(heart, 1.05)
    inferior = heart.place(0.0, -heart.half[0])
    sinus = ellipse(heart.below(inferior, 2.0, -8.0), (4.2, 3.6))
    shell = grown(atrium, 2.6)
    regions = [
        Region("epicardial_fat", offset(heart.outer, 4.0), Echo.SOFT_TISSUE),
        Region("la_shell", shell, Echo.THIN_WALL),
        Region("lv_wall", heart.outer, Echo.MUSCLE, is_handle=True, fading_db=_wall_fading(heart)),
        Region("groove", ellipse(heart.below(inferior, 2.0, -7.0), (8.0, 7.0)), Echo.THIN_WALL),
        Region("coronary_sinus", sinus, Echo.BLOOD),
        Region("lv_cavity", heart.cavity, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        Region("la_cavity", atrium, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        _papillary(heart, -1, heart.plane.papillary_place, "papillary_posteromedial"),
    ]
    lines = [
        *_mitral_leaflets(heart),
        *_septal_lines(heart),
        Line("la_wall_roof", atrium[8:36], 2.2, Echo.THIN_WALL, 8.0),
    ]
    lines.append(Line("pericardium_inferior", offset(heart.outer, 1.5)[3:14], 2.2, Echo.MUSCLE, 6.0))
    return regions, lines


def _right_ventricle(heart: _LeftHeart) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Cavity outline [N, 2], septal hinge [2] and lateral hinge [2] of the tricuspid valve, mm."""
    subject, scale, e = heart.subject, heart.plane.right_heart_scale, heart.state.contraction
    reach = subject.rv_reach_fraction
    septal_side = heart.outer[:17]  # annulus to apex along the left
    medial = np.stack([np.interp(np.linspace(0.1, reach, 9), ALONG, septal_side[:, axis]) for axis in (0, 1)], axis=1)
    medial = medial.astype(np.float32)
    hinge = medial[0]
    base = subject.rv_base_mm * scale * (1 - 0.18 * e)
    descent = subject.tapse_mm * e - heart.base_shift
    lateral = heart.below(hinge, -descent - 1.0, -base)
    apex, top = medial[-1], heart.below(medial[-1], 0, -3)
    run, bulge = top - lateral, -heart.right
    squeeze = 1 - 0.28 * e
    free = open_curve(
        np.stack(
            [
                lateral,
                lateral + run * np.float32(0.25) + bulge * np.float32(0.2 * base * squeeze),
                lateral + run * np.float32(0.55) + bulge * np.float32(0.22 * base * squeeze),
                lateral + run * np.float32(0.82) + bulge * np.float32(0.13 * base * squeeze),
                top,
            ]
        ),
        16,
    )
    return np.concatenate([medial, np.stack([apex]), free[::-1]]), hinge, lateral


def _right_atrium(heart: _LeftHeart, hinge: Float32Array, lateral: Float32Array) -> Float32Array:
    """Outline [40, 2] mm of the right atrium, between the tricuspid ring and its roof."""
    subject, scale = heart.subject, heart.plane.right_heart_scale
    mid = as_float32((hinge + lateral) / 2)
    depth = subject.ra_depth_mm * scale + 8 + heart.base_shift
    half = subject.ra_width_mm * scale / 2
    control = np.stack(
        [
            heart.below(hinge, 1, -1),
            heart.below(hinge, depth * 0.3, 0.0),
            heart.below(hinge, depth * 0.65, -0.5),
            heart.below(mid, depth * 0.95, half * 0.5),
            heart.below(mid, depth, -half * 0.2),
            heart.below(mid, depth * 0.85, -half * 0.9),
            heart.below(mid, depth * 0.5, -half * 1.2),
            heart.below(mid, depth * 0.2, -half * 1.15),
            heart.below(lateral, 1, 1),
        ]
    )
    return closed_curve(control, 40)


def _tricuspid_leaflets(heart: _LeftHeart, hinge: Float32Array, lateral: Float32Array) -> list[Line]:
    """Septal and anterior tricuspid leaflets; the septal hinge sits nearer the apex than the mitral one."""
    width = float(np.hypot(*(hinge - lateral)))
    w = np.float32(heart.state.mitral_opening)
    lines = []
    for name, start, inward, reach in (("tricuspid_septal", hinge, -1, 0.42), ("tricuspid_anterior", lateral, 1, 0.6)):
        shut = heart.below(start, -3.5, inward * reach * width)
        wide = heart.below(start, -width * 0.62, inward * width * 0.2)
        middle = heart.below(start, -width * 0.2 * float(w), inward * width * (0.28 - 0.12 * float(w)))
        lines.append(
            Line(name, open_curve(np.stack([start, middle, shut * (1 - w) + wide * w]), 10), 1.8, Echo.LEAFLET, 2.0)
        )
    return lines


def _four_chambers(heart: _LeftHeart) -> tuple[list[Region], list[Line]]:
    """Both ventricles side by side, both atria below, the crux between them."""
    ventricle, hinge, lateral = _right_ventricle(heart)
    right_atrium, left_atrium = _right_atrium(heart, hinge, lateral), _left_atrium(heart)
    crux = heart.place(0.02, -heart.half[0] - 2.0)
    roof = heart.below(crux, heart.subject.la_depth_mm * 0.95 + heart.base_shift, -1.0)
    septum = open_curve(np.stack([crux, heart.below(crux, 14, -2.0), heart.below(crux, 28, 0.5), roof]), 14)
    outside = grown(ventricle, heart.subject.rv_wall_mm)
    regions = [
        Region("epicardial_fat", offset(heart.outer, 3.5), Echo.SOFT_TISSUE),
        Region("rv_wall_fat", grown(ventricle, heart.subject.rv_wall_mm + 3.0), Echo.SOFT_TISSUE),
        Region("rv_free_wall", outside, Echo.THIN_WALL),
        Region("ra_shell", grown(right_atrium, 2.5), Echo.SOFT_TISSUE),
        Region("la_shell", grown(left_atrium, 2.5), Echo.SOFT_TISSUE),
        Region("lv_wall", heart.outer, Echo.MUSCLE, is_handle=True, fading_db=_wall_fading(heart)),
        Region("rv_cavity", ventricle, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        Region("ra_cavity", right_atrium, Echo.BLOOD, is_blood_flowing=True),
        Region("la_cavity", left_atrium, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        Region("crux", ellipse(crux, (3.5, 5.0)), Echo.LEAFLET),
        Region("lv_cavity", heart.cavity, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        _papillary(heart, 1, heart.plane.papillary_place, "papillary_anterolateral"),
    ]
    band_end = outside[len(outside) - 6]
    lines = [
        *_mitral_leaflets(heart),
        *_tricuspid_leaflets(heart, hinge, lateral),
        *_septal_lines(heart),
        Line("atrial_septum", septum, 2.8, Echo.THIN_WALL, 2.0),
        Line("la_wall_roof", left_atrium[10:36], 2.2, Echo.THIN_WALL, 8.0),
        Line("ra_wall_roof", right_atrium[12:36], 2.2, Echo.THIN_WALL, 6.0),
        Line(
            "moderator_band",
            np.stack([ventricle[6], (ventricle[6] + band_end) / 2, band_end]),
            2.6,
            Echo.SOFT_TISSUE,
            2.0,
        ),
        Line("septum_surface", heart.cavity[1:12], 2.0, Echo.MUSCLE, 2.0),
    ]
    return regions, lines
