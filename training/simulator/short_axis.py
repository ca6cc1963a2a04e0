"""The parasternal short axis, PSAX: the ventricle's ring at three levels, and the aortic valve with what wraps it."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from training.simulator.anatomy import Subject
from training.simulator.arrays import Float32Array, as_float32
from training.simulator.motion import HeartState
from training.simulator.scene import Echo, Line, Region, Scene
from training.simulator.shapes import closed_curve, ellipse, grown, open_curve, points

RING_POINTS = 44
TWIST_BASE_DEG = -4.0  # clockwise seen from the apex; the apex turns the other way
TWIST_APEX_DEG = 8.0


class Level(Enum):
    """Height of the cut, with its share of short-axis cines."""

    AORTIC = 0.44
    MITRAL = 0.22
    PAPILLARY = 0.26
    APICAL = 0.08


@dataclass(frozen=True)
class ShortAxisPlane:
    """One parasternal short-axis cut: level, pose on the screen (mm, degrees), obliqueness."""

    subject: Subject
    level: Level
    centre_mm: Float32Array  # [2], middle of the ventricle or of the root
    turn_deg: float
    oblique: float  # ratio of the ring's axes
    oblique_deg: float
    roughness: Float32Array  # [RING_POINTS], mm
    papillary_split_deg: float

    def scene(self, state: HeartState) -> Scene:
        """Cut the heart at one instant."""
        return _aortic_scene(self, state) if self.level is Level.AORTIC else _ring_scene(self, state)


def draw_short_axis_plane(subject: Subject, seed: int) -> ShortAxisPlane:
    """Draw level, pose and error of a PSAX plane."""
    rng = np.random.default_rng([seed, 41])
    level = list(Level)[int(np.searchsorted(np.cumsum([level.value for level in Level])[:-1], rng.random()))]
    if level is Level.AORTIC:
        depth = 15 + subject.rv_wall_mm + 0.85 * subject.rv_outflow_mm + subject.sinus_mm / 2 + rng.normal(8, 4)
        across = rng.normal(2, 5)
    else:
        depth = 17 + 0.45 * subject.rv_outflow_mm + subject.septum_mm + subject.lv_width_mm / 2 + rng.normal(8, 4.5)
        across = rng.normal(9, 5)
    rough = rng.normal(0, 1, RING_POINTS + 2)
    return ShortAxisPlane(
        subject=subject,
        level=level,
        centre_mm=points((float(across), float(depth)))[0],
        turn_deg=float(rng.normal(0, 11)),
        oblique=float(1 + abs(rng.normal(0, 0.09))),
        oblique_deg=float(rng.uniform(0, 180)),
        roughness=(0.7 * (rough[:-2] + rough[1:-1] + rough[2:])).astype(np.float32),
        papillary_split_deg=float(rng.uniform(105, 135)),
    )


def _around(
    centre: Float32Array, radius_mm: Float32Array | np.float32 | float, clock_deg: Float32Array
) -> Float32Array:
    """Points [N, 2] mm at clock angles (0 at 12 o'clock, growing clockwise) round a centre."""
    angle = np.deg2rad(clock_deg.astype(np.float32))
    radius = np.asarray(radius_mm, dtype=np.float32)
    return centre + np.stack([radius * np.sin(angle), -radius * np.cos(angle)], axis=1)


class _Ring:
    """Endocardium and epicardium of the ventricle's ring at one instant."""

    def __init__(self, plane: ShortAxisPlane, state: HeartState) -> None:
        subject, e = plane.subject, state.contraction
        size = {Level.MITRAL: 1.04, Level.PAPILLARY: 1.0, Level.APICAL: 0.66, Level.AORTIC: 1.0}[plane.level]
        basal = {Level.MITRAL: 0.0, Level.PAPILLARY: 0.5, Level.APICAL: 1.0, Level.AORTIC: 0.0}[plane.level]
        half_ed = subject.lv_width_mm * 1.04 * size / 2
        half = half_ed * (1 - min(1.1 * subject.width_shortening_fraction, 0.5) * e)
        wall = 0.5 * (subject.septum_mm + subject.posterior_wall_mm)
        stretch = 1 / (1 - subject.length_shortening_fraction * e)
        thick = np.sqrt(half**2 + ((half_ed + wall) ** 2 - half_ed**2) * stretch) - half
        twist = (TWIST_BASE_DEG + basal * (TWIST_APEX_DEG - TWIST_BASE_DEG)) * state.twist
        self.clock = np.linspace(0, 360, RING_POINTS, endpoint=False, dtype=np.float32) + np.float32(
            plane.turn_deg - twist
        )
        squash = 1 + (plane.oblique - 1) * np.cos(2 * np.deg2rad(self.clock - plane.oblique_deg))
        self.turn_deg = float(plane.turn_deg - twist)
        self.centre = plane.centre_mm + points((0.5 * e, 1.0 * e))[0]
        self.half, self.thick = half, float(thick)
        flat = 1 - 0.05 * np.exp(-(((self.clock - plane.turn_deg - 290) / 40) ** 2))  # the septum is a little flatter
        side = np.sin(np.deg2rad(self.clock))  # walls along the beam show less than those across it
        self.fading_db = (1.5 - 6.5 * side**2 - 1.5 * (side > 0.5)).astype(np.float32)
        self.inner = _around(self.centre, half * squash * flat + plane.roughness * (half / half_ed), self.clock)
        self.outer = _around(self.centre, (half + thick) * squash * flat, self.clock)

    def at(self, share: float, clock_deg: float) -> Float32Array:
        """A point [2] mm at a share of the inner radius and a clock angle that turns with the muscle."""
        return as_float32(_around(self.centre, self.half * share, np.array([clock_deg + self.turn_deg]))[0])


def _crescent(plane: ShortAxisPlane, ring: _Ring, e: float) -> tuple[Float32Array, Float32Array]:
    """Right ventricle wrapped round the septum from 12:30 to 8 o'clock; outline [40, 2], outer arc [20, 2]."""
    size = {Level.MITRAL: 1.0, Level.PAPILLARY: 0.9, Level.APICAL: 0.55, Level.AORTIC: 1.0}[plane.level]
    start, end = 372 + plane.turn_deg, 238 + plane.turn_deg
    clock = np.linspace(start, end, 20, dtype=np.float32)
    outer = ring.half + ring.thick + 0.5
    inner_arc = _around(ring.centre, outer, clock)
    share = np.linspace(0, 1, 20)
    bulge = (
        plane.subject.rv_outflow_mm
        * 0.95
        * size
        * (1 - 0.25 * e)
        * np.interp(share, [0, 0.12, 0.4, 0.72, 0.92, 1], [0.03, 0.45, 0.95, 1.0, 0.45, 0.03])
    )
    outer_arc = _around(ring.centre, (outer + bulge).astype(np.float32), clock)
    return np.concatenate([inner_arc, outer_arc[::-1]]), outer_arc


def _papillary_muscles(plane: ShortAxisPlane, ring: _Ring, e: float) -> list[Region]:
    """Anterolateral at 4 o'clock, posteromedial at 8 o'clock, drawing together in systole."""
    radius = 0.2 * plane.subject.lv_width_mm * 0.9
    regions = []
    for name, clock in (
        ("papillary_anterolateral", 180 - plane.papillary_split_deg / 2),
        ("papillary_posteromedial", 180 + plane.papillary_split_deg / 2),
    ):
        body = ring.at(0.82 - 0.1 * e, clock)
        regions.append(
            Region(
                name,
                ellipse(body, (radius * (1 - 0.12 * e), radius * 0.8 * (1 - 0.1 * e)), 90 - clock, 20),
                Echo.MUSCLE,
            )
        )
    return regions


def _fish_mouth(ring: _Ring, state: HeartState) -> list[Line]:
    """Mitral leaflets seen from below: a wide oval in diastole, a smile in systole."""
    w, lines = state.mitral_opening, []
    left, right = ring.at(0.72, 262), ring.at(0.72, 98)
    for name, height, shut in (("mitral_anterior", -0.5, 0.16), ("mitral_posterior", 0.62, 0.26)):
        lift = (height * w + shut * (1 - w)) * ring.half
        middle = ring.centre + points((0, lift))[0]
        quarter = points((0.42 * ring.half, lift * 0.82))[0]
        path = np.stack([left, ring.centre + quarter * points((-1, 1))[0], middle, ring.centre + quarter, right])
        lines.append(Line(name, open_curve(path, 18), 2.6, Echo.LEAFLET, 4.0))
    return lines


def _ring_scene(plane: ShortAxisPlane, state: HeartState) -> Scene:
    """Ventricular levels: muscle ring, crescent of the right ventricle, papillary muscles or the mitral mouth."""
    ring, e = _Ring(plane, state), state.contraction
    crescent, outer_arc = _crescent(plane, ring, e)
    regions = [
        Region("epicardial_fat", grown(ring.outer, 3.5), Echo.SOFT_TISSUE),
        Region("rv_free_wall", grown(crescent, plane.subject.rv_wall_mm), Echo.THIN_WALL),
        Region("lv_wall", ring.outer, Echo.MUSCLE, is_handle=True, fading_db=ring.fading_db),
        Region("rv_cavity", crescent, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        Region("lv_cavity", ring.inner, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
    ]
    if plane.level is Level.PAPILLARY:
        regions += _papillary_muscles(plane, ring, e)
    far = _around(
        ring.centre,
        np.float32(ring.half + ring.thick + 2.0),
        np.linspace(95, 245, 24, dtype=np.float32) + plane.turn_deg,
    )
    near = ring.outer[np.arange(-8, 9)]
    lines = [
        Line("pericardium", far, 3.6, Echo.MUSCLE, 15.0),
        Line("endocardium_far", ring.inner[14:31], 1.8, Echo.MUSCLE, 5.0),
        Line("septum_surface", near, 1.6, Echo.MUSCLE, 4.0),
        Line("rv_free_wall_front", outer_arc, 2.2, Echo.THIN_WALL, 5.0),
    ]
    if plane.level is Level.MITRAL:
        lines += _fish_mouth(ring, state)
    return Scene(regions, lines, ring.inner, points((0, -1))[0])


def _aortic_scene(plane: ShortAxisPlane, state: HeartState) -> Scene:
    """Aortic-valve level: root in the middle, outflow tract over it, atria behind, pulmonary artery at the right."""
    subject, e = plane.subject, state.contraction
    centre = plane.centre_mm + points((1.5 * e, -3.0 * e))[0]
    radius = subject.sinus_mm / 2 * (1 + 0.03 * e)
    turn = plane.turn_deg
    clock = np.linspace(0, 360, 36, endpoint=False, dtype=np.float32)
    lobes = 1 + 0.05 * np.cos(
        np.deg2rad(3 * (clock - 0))
    )  # sinuses bulge between the commissures at 2, 6 and 10 o'clock
    squash = 1 + 0.6 * (plane.oblique - 1) * np.cos(2 * np.deg2rad(clock - plane.oblique_deg))
    rough = 0.5 * plane.roughness[: len(clock)] * np.sin(np.linspace(0, np.pi, len(clock)))
    root = _around(centre, (radius * lobes * squash + rough).astype(np.float32), clock + np.float32(turn))
    outflow, outer_arc = _outflow(subject, centre, radius, turn, e)
    left_atrium, right_atrium, septum = _atria_behind(subject, centre, radius, turn, e)
    artery = _pulmonary_artery(subject, centre, radius, turn)
    regions = [
        Region("rv_free_wall", grown(outflow, subject.rv_wall_mm), Echo.THIN_WALL),
        Region("pulmonary_wall", grown(artery, 2.0), Echo.THIN_WALL),
        Region("la_shell", grown(left_atrium, 2.5), Echo.THIN_WALL),
        Region("ra_shell", grown(right_atrium, 2.5), Echo.SOFT_TISSUE),
        Region("pulmonary_artery", artery, Echo.BLOOD, is_blood_flowing=True),
        Region("rv_outflow", outflow, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        Region("ra_cavity", right_atrium, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        Region("la_cavity", left_atrium, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
        Region("root_wall", grown(root, subject.aortic_wall_mm), Echo.LUNG, is_handle=True),
        Region("root_cavity", root, Echo.BLOOD, is_blood_flowing=True),
    ]
    ring = np.concatenate([root, root[:1]])
    lines = [
        Line("root_wall_surface", ring, 2.2, Echo.SOFT_TISSUE, 11.0),
        *_cusps(centre, radius, turn, state.aortic_opening),
        Line("atrial_septum", septum, 2.6, Echo.THIN_WALL, 3.0),
        Line("la_wall_floor", left_atrium[18:38], 2.6, Echo.THIN_WALL, 10.0),
        Line("rv_free_wall_front", outer_arc, 2.4, Echo.THIN_WALL, 6.0),
        _tricuspid(subject, centre, radius, turn, state.mitral_opening),
        _pulmonary_valve(subject, centre, radius, turn, state.aortic_opening),
    ]
    return Scene(regions, lines, np.empty((0, 2), dtype=np.float32), points((0.7, -0.7))[0])


def _outflow(
    subject: Subject, centre: Float32Array, radius: float, turn: float, e: float
) -> tuple[Float32Array, Float32Array]:
    """Right ventricle and its outflow tract, wrapped over the root from 9 to 2 o'clock."""
    clock = np.linspace(262, 428, 22, dtype=np.float32) + np.float32(turn)
    share = np.linspace(0, 1, 22)
    inner = _around(centre, np.float32(radius + 2 * subject.aortic_wall_mm + 1), clock)
    height = (
        subject.rv_outflow_mm * (1 - 0.2 * e) * np.interp(share, [0, 0.25, 0.6, 0.85, 1], [1.25, 1.15, 0.85, 0.82, 0.8])
    )
    outer = _around(centre, (radius + 5 + height).astype(np.float32), clock)
    return np.concatenate([inner, outer[::-1]]), outer


def _pulmonary_artery(subject: Subject, centre: Float32Array, radius: float, turn: float) -> Float32Array:
    """Main pulmonary artery, running down along the right of the root towards its fork."""
    clock = np.array([64, 82, 100, 118, 132], dtype=np.float32) + np.float32(turn)
    inner = _around(
        centre, np.array([radius + 6, radius + 5, radius + 6, radius + 9, radius + 14], dtype=np.float32), clock
    )
    width = 0.78 * subject.sinus_mm
    outer = _around(
        centre,
        np.array(
            [radius + 6 + width, radius + 7 + width, radius + 10 + width, radius + 15 + width, radius + 20 + width],
            dtype=np.float32,
        ),
        clock,
    )
    return np.concatenate([open_curve(inner, 12), open_curve(outer, 12)[::-1]])


def _atria_behind(
    subject: Subject, centre: Float32Array, radius: float, turn: float, e: float
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Left atrium behind the root, right atrium at the lower left, and the septum between them."""
    depth, width = subject.la_depth_mm * 0.82 * (0.92 + 0.16 * e), subject.la_width_mm * 0.6
    top = radius + subject.aortic_wall_mm + 2.0

    def spot(x: float, y: float) -> Float32Array:
        return as_float32(centre + points((x, y))[0])

    slope = np.float32(np.sin(np.deg2rad(turn)))
    left = closed_curve(
        np.stack(
            [
                spot(-6, top),
                spot(7, top),
                spot(width * 0.85, top + 1 - 0.3 * radius),
                spot(width * 1.15, top + depth * 0.3),
                spot(width * 1.0, top + depth * 0.78),
                spot(width * 0.2, top + depth),
                spot(-width * 0.55, top + depth * 0.88),
                spot(-width * 0.72, top + depth * 0.5),
            ]
        ),
        40,
    )
    ra = subject.ra_width_mm
    right = closed_curve(
        np.stack(
            [
                spot(-radius * 0.75, top - 3),
                spot(-width * 0.62 - 5, top + depth * 0.3),
                spot(-width * 0.72 - 4, top + depth * 0.75),
                spot(-radius - ra * 0.75, top + depth * 0.72),
                spot(-radius - ra * 1.02, top + 2),
                spot(-radius - ra * 0.85, 0.2 * radius),
                spot(-radius - 7, 0.05 * radius),
                spot(-radius - 4, 0.5 * radius),
            ]
        ),
        40,
    )
    septum = open_curve(
        np.stack(
            [
                spot(-radius * 0.5, top - 1),
                spot(-width * 0.5 - 3, top + depth * 0.3),
                spot(-width * 0.66 - 1, top + depth * 0.75),
            ]
        ),
        12,
    )
    lean = points((0, 0))[0] + slope * 0
    return left + lean, right + lean, septum + lean


def _cusps(centre: Float32Array, radius: float, turn: float, opening: float) -> list[Line]:
    """Three cusps: a Y when shut, a rounded triangle near the wall when open."""
    lines = []
    for name, commissure in (("aortic_cusp_left", 60.0), ("aortic_cusp_non", 180.0), ("aortic_cusp_right", 300.0)):
        start = _around(centre, np.float32(radius * 0.97), np.array([commissure + turn]))[0]
        end = _around(centre, np.float32(radius * 0.97), np.array([commissure + 120 + turn]))[0]
        reach = radius * (0.03 + 0.72 * opening)
        middle = _around(centre, np.float32(reach), np.array([commissure + 60 + turn]))[0]
        near_start = _around(
            centre, np.float32(radius * (0.5 + 0.32 * opening)), np.array([commissure + 4 + 22 * opening + turn])
        )[0]
        near_end = _around(
            centre, np.float32(radius * (0.5 + 0.32 * opening)), np.array([commissure + 116 - 22 * opening + turn])
        )[0]
        lines.append(
            Line(name, open_curve(np.stack([start, near_start, middle, near_end, end]), 16), 1.6, Echo.THIN_WALL, 1.0)
        )
    return lines


def _tricuspid(subject: Subject, centre: Float32Array, radius: float, turn: float, opening: float) -> Line:
    """Tricuspid leaflet at 9 o'clock, between the right atrium and the right ventricle."""
    hinge = _around(centre, np.float32(radius + 6), np.array([266 + turn]))[0]
    far = _around(centre, np.float32(radius + 8 + subject.rv_base_mm * 0.8), np.array([266 + turn]))[0]
    lift = points((4, -12))[0] * np.float32(opening)
    return Line(
        "tricuspid_anterior",
        open_curve(np.stack([far, 0.6 * far + 0.4 * hinge + lift * 0.6, 0.3 * far + 0.7 * hinge + lift]), 10),
        2.0,
        Echo.LEAFLET,
        3.0,
    )


def _pulmonary_valve(subject: Subject, centre: Float32Array, radius: float, turn: float, opening: float) -> Line:
    """Pulmonary cusp across the end of the outflow tract at 2 o'clock."""
    inner = _around(centre, np.float32(radius + 6), np.array([66 + turn]))[0]
    outer = _around(centre, np.float32(radius + 6 + 0.75 * subject.sinus_mm), np.array([66 + turn]))[0]
    swing = points((3, 8))[0] * np.float32(opening)
    return Line(
        "pulmonary_valve",
        open_curve(np.stack([outer, 0.5 * (inner + outer) + swing, inner]), 8),
        1.7,
        Echo.LEAFLET,
        2.0,
    )
