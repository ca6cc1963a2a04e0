"""How a probe is really held: off its standard plane, drifting with the breath, swept from one view to another."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.rhythm import HeartState
from training.simulator.heart.shapes import unit
from training.simulator.views.cutting import CutHeart
from training.simulator.views.labels import view_shares
from training.simulator.views.names import PLANE_SHARES, VIEW_CLASSES, ZOOMED_SHARE
from training.simulator.views.pose import Pose
from training.simulator.views.standard import Hand, moved, standard_pose

SWEEPS = {
    "sweep_a4c_a2c": ("a4c", "a2c"),
    "sweep_a2c_a3c": ("a2c", "a3c"),
    "sweep_plax_psax": ("plax", "psax_papillary"),
    "sweep_plax_rv_inflow": ("plax", "rv_inflow"),
}
SWEEP_MS = (1100.0, 3200.0)  # from one view to the other
SWEPT = (0.1, 0.4)  # half of the way that is swept, either way round its middle
MIDDLE_MS = 700.0  # of a cine: it lasts 1.2 to 2 beats
DRIFT_MM, DRIFT_MS = (1.0, 0.8, 0.7), (3000.0, 5200.0)  # of breath and hand: right, down, out; a period
WIDE_SHARE, WIDE_DEG = 0.05, 25.0  # of the draws are turned by up to that
OBLIQUE_SHARE = 0.15  # foreshortened (apical) or oblique (else)
FORESHORTENED_DEG, OBLIQUE_DEG = (6.0, 14.0), (8.0, 15.0)
ZOOM_CHANCES = {"plax": 0.0, "plax_valves": 1.0}  # together as often as any other view
ZOOMED_ON = {
    **dict.fromkeys(("plax", "plax_valves", "a3c", "a5c"), ("mitral_centre", "aortic_centre")),
    **dict.fromkeys(("psax_mitral", "psax_papillary", "psax_apical"), ("mitral_centre",)),
    "psax_aortic": ("aortic_centre",),
    "rv_inflow": ("tricuspid_centre",),
    "rv_outflow": ("pulmonary_centre",),
    "subcostal": ("mitral_centre", "tricuspid_centre"),
    "suprasternal": ("arch_top",),
}
"""Landmarks that a zoom is centred between; in the other planes the left ventricle's axis."""

LV_AXIS = ("mitral_centre", "lv_apex")
ZOOM_ASIDE_MM = 5.0  # deviation of what is zoomed on from the middle line
ZOOM_LEAST_DOWN_MM = 65.0  # a rectangle laid less deep would show no more than an apex
MIDDLE_OF_THE_BEAT = HeartState(0.4, 0.4, 0.0, 0.0, 0.0, 0.0, 800.0)
DRAWS, NARROWING = 12, 0.85  # each new draw of a view is held a little better than the one before


@dataclass(frozen=True)
class Spread:
    """What hands do to a kind of plane: means and standard deviations, degrees and mm; see `Hand`.

    Attributes:
        lean_deg, aside_mm: mean and deviation.
        deep_mm: median and deviation of its logarithm.
        turn_deg, tilt_deg, slide_mm: deviations.
        lean_and_aside: correlation of the two.
        level_fraction: lowest and highest.
    """

    lean_deg: tuple[float, float]
    aside_mm: tuple[float, float]
    deep_mm: tuple[float, float]
    turn_deg: float = 9.0
    tilt_deg: float = 3.5
    slide_mm: float = 2.0
    lean_and_aside: float = 0.0
    level_fraction: tuple[float, float] = (0.0, 0.0)


APICAL = Spread((13.0, 6.0), (-4.5, 6.4), (35.5, 0.19), tilt_deg=2.5, lean_and_aside=-0.7)
"""Pose of 500 patients' A4C (CAMUS): apex 23/31/41 deep and -13/-4/+3 beside the middle, lean 3/11/20, correlated by
-.6; depths from the top of the sector, 3 to 8 mm under the common origin of the beams. How well a plane is met: an
automatic alignment is 13.5 degrees off, guidance 8.2 (medians)."""

SPREADS: dict[str, Spread] = {
    **dict.fromkeys(("a2c", "a3c", "a4c", "a5c"), APICAL),
    **dict.fromkeys(("plax", "plax_valves"), Spread((-7.0, 7.0), (3.0, 9.0), (21.0, 0.22))),
    "psax_aortic": Spread((0.0, 11.0), (2.0, 8.0), (21.0, 0.22), turn_deg=6.0, tilt_deg=3.0),
    "psax_mitral": Spread((0.0, 11.0), (6.0, 8.0), (22.0, 0.22), turn_deg=6.0, level_fraction=(0.14, 0.26)),
    "psax_papillary": Spread((0.0, 11.0), (6.0, 8.0), (30.0, 0.2), turn_deg=6.0, level_fraction=(0.36, 0.56)),
    "psax_apical": Spread((0.0, 11.0), (5.0, 8.0), (36.0, 0.2), turn_deg=6.0, level_fraction=(0.66, 0.85)),
    **dict.fromkeys(("rv_inflow", "rv_outflow"), Spread((0.0, 9.0), (4.0, 9.0), (21.0, 0.22), tilt_deg=3.0)),
    "subcostal": Spread((0.0, 9.0), (8.0, 9.0), (110.0, 0.08), tilt_deg=4.0),
    "suprasternal": Spread((0.0, 9.0), (0.0, 9.0), (46.0, 0.18), tilt_deg=4.0),
}
"""The front of the right ventricle lies 15 to 30 mm under a parasternal probe; farther for the lower levels, which it
looks at on a longer way."""


@dataclass(frozen=True)
class Aim:
    """Where the plane lies over a cine.

    Attributes:
        plane: what was aimed at, one of `PLANES`.
        start, end: the two planes of a sweep; the same one twice where there is none.
        sweep_ms: time from start to end, half-way in the middle of the cine.
        swept: half of the way that is swept; below 0 from end to start.
        drift_mm: [3] amplitude of the drift: right, down, out.
        drift_ms, drift_phase: its period, and where in it the cine begins, radians.
        zoom_down_mm: how deep what is zoomed on lies, under the probe; None shows all.
    """

    plane: str
    start: Pose
    end: Pose
    sweep_ms: float = 1.0
    swept: float = 0.0
    drift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    drift_ms: float = 1.0
    drift_phase: float = 0.0
    zoom_down_mm: float | None = None

    def pose_at(self, time_ms: float) -> Pose:
        """Where the plane lies at a time in ms."""
        pose = self.start
        if self.swept:
            share = 0.5 + self.swept * float(np.sin(np.pi * (time_ms - MIDDLE_MS) / self.sweep_ms))
            pose = _between(self.start, self.end, share)
        angle = 2 * np.pi * time_ms / self.drift_ms + self.drift_phase
        sway = np.array([np.sin(angle), np.sin(angle + 1.0), np.sin(angle + 2.1)]) - np.sin(
            self.drift_phase + np.array([0.0, 1.0, 2.1])
        )
        return moved(pose, as_float32(sway * self.drift_mm))


def draw_aim(heart: Heart, plane: str, rng: np.random.Generator, scale: float = 1.0) -> Aim:
    """Draw how a plane is really met.

    Args:
        heart: which is cut.
        plane: one of `PLANES`.
        rng: source of the draw.
        scale: difficulty: 1 usual, 0 perfect.
    """
    first, last = SWEEPS.get(plane, (plane, plane))
    start = standard_pose(heart, first, draw_hand(first, rng, scale))
    end = standard_pose(heart, last, draw_hand(last, rng, scale)) if plane in SWEEPS else start
    zoom_mm = _draw_zoom(heart, plane, start, rng)
    if zoom_mm is not None:  # it is brought under the probe first
        beside = as_float32([zoom_mm[0] - rng.normal(0, ZOOM_ASIDE_MM), 0, 0])
        start, end = moved(start, beside), moved(end, beside)
    drift = [float(scale * rng.normal(0, most)) for most in DRIFT_MM]
    return Aim(
        plane=plane,
        start=start,
        end=end,
        sweep_ms=float(rng.uniform(*SWEEP_MS)),
        swept=float(rng.choice((-1, 1)) * rng.uniform(*SWEPT)) if plane in SWEEPS else 0.0,
        drift_mm=(drift[0], drift[1], drift[2]),
        drift_ms=float(rng.uniform(*DRIFT_MS)),
        drift_phase=float(rng.uniform(0, 2 * np.pi)),
        zoom_down_mm=None if zoom_mm is None else max(zoom_mm[1], ZOOM_LEAST_DOWN_MM),
    )


def draw_view(heart: Heart, view: str, rng: np.random.Generator, scale: float = 1.0) -> Aim:
    """Draw a plane of a view until what it cuts in the middle of a cine is that view; the last draw stands in the end.

    Args:
        heart: which is cut.
        view: one of `VIEW_CLASSES`.
        rng: source of the draw.
        scale: difficulty: 1 usual, 0 perfect.
    """
    planes, shares = zip(*PLANE_SHARES[view].items(), strict=True)
    plane = planes[int(rng.choice(len(planes), p=shares))]
    for draw in range(DRAWS):
        aim = draw_aim(heart, plane, rng, scale * NARROWING**draw)
        pose = aim.pose_at(MIDDLE_MS)
        told = view_shares(CutHeart(heart, pose).scene(MIDDLE_OF_THE_BEAT, pose), pose, heart, MIDDLE_OF_THE_BEAT)
        if told[VIEW_CLASSES.index(view)] > 0.5:
            break
    return aim


def draw_hand(plane: str, rng: np.random.Generator, scale: float) -> Hand:
    """Draw how a hand holds the probe for a simple plane."""
    spread = SPREADS[plane]
    lean, other, depth, turn, tilt, slide = scale * rng.normal(size=6)
    aside = spread.lean_and_aside * lean + np.sqrt(1 - spread.lean_and_aside**2) * other
    turn_deg = turn * spread.turn_deg
    if rng.random() < WIDE_SHARE:
        turn_deg = scale * rng.uniform(-WIDE_DEG, WIDE_DEG)
    oblique = scale * rng.choice((-1, 1)) * (rng.random() < OBLIQUE_SHARE)
    is_apical = spread is APICAL
    if not is_apical:
        turn_deg += oblique * rng.uniform(*OBLIQUE_DEG)
    return Hand(
        turn_deg=float(turn_deg),
        lean_deg=float(spread.lean_deg[0] + spread.lean_deg[1] * lean),
        tilt_deg=float(spread.tilt_deg * tilt),
        foreshortening_deg=float(oblique * rng.uniform(*FORESHORTENED_DEG)) if is_apical else 0.0,
        aside_mm=float(spread.aside_mm[0] + spread.aside_mm[1] * aside),
        deep_mm=float(spread.deep_mm[0] * np.exp(spread.deep_mm[1] * depth)),
        slide_mm=float(spread.slide_mm * slide),
        level_fraction=float(np.interp(0.5 + scale * (rng.random() - 0.5), (0, 1), spread.level_fraction)),
    )


def _draw_zoom(heart: Heart, plane: str, pose: Pose, rng: np.random.Generator) -> tuple[float, float] | None:
    """Draw a place between the landmarks that are zoomed on in this plane, (right, down) mm; None shows all."""
    if rng.random() >= ZOOM_CHANCES.get(plane, ZOOMED_SHARE):
        return None
    names = ZOOMED_ON.get(SWEEPS.get(plane, (plane,))[0], LV_AXIS)
    marks = np.stack([heart.steps[name][0] for name in names])
    across, down, _ = pose.to_plane(as_float32(rng.dirichlet(np.ones(len(marks))) @ marks)[None])[0]
    return float(across), float(down)


def _between(start: Pose, end: Pose, share: float) -> Pose:
    """A plane between two others."""

    def mix(first: Float32Array, second: Float32Array) -> Float32Array:
        return as_float32(first * (1 - share) + second * share)

    down = unit(mix(start.down, end.down))
    right = mix(start.right, end.right)
    return Pose(mix(start.origin_mm, end.origin_mm), unit(right - down * np.dot(right, down)), down)
