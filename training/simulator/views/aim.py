"""How a probe is really held: off its standard plane, drifting with the breath, swept from one view to another."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.heart import Heart
from training.simulator.heart.shapes import unit
from training.simulator.motion import HeartState
from training.simulator.views.cutting import CutHeart
from training.simulator.views.labels import view_shares
from training.simulator.views.names import PLANE_SHARES, VIEW_CLASSES
from training.simulator.views.pose import Pose
from training.simulator.views.standard import PSAX_LEVEL, Hand, moved, standard_pose

SWEEPS = {
    "sweep_a4c_a2c": ("a4c", "a2c"),
    "sweep_a2c_a3c": ("a2c", "a3c"),
    "sweep_plax_psax": ("plax", "psax_papillary"),
    "sweep_plax_rv_inflow": ("plax", "rv_inflow"),
}
SWEEP_MS = (1100.0, 3200.0)  # from one view to the other
DRIFT_MM, DRIFT_MS = (1.0, 0.8, 0.7), (3000.0, 5200.0)  # of breath and hand: right, down, out; a period
WIDE_SHARE, WIDER = 0.05, 2.2  # of the draws lie up to 25 degrees off
FORESHORTENED_SHARE, FORESHORTENED_DEG = 0.15, (6.0, 14.0)
TURN_DEG = 8.0  # how well a plane is met: an automatic alignment is 13.5 degrees off, guidance 8.2 (median)
MIDDLE_OF_THE_BEAT = HeartState(0.4, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 800.0)
DRAWS = 12


@dataclass(frozen=True)
class Aim:
    """Where the plane lies over a cine.

    Attributes:
        plane: what was aimed at, one of `PLANES`.
        start: where it lies at first.
        end: where a sweep ends; None where there is no sweep.
        sweep_ms: time from start to end; then it goes back.
        drift_mm: [3] amplitude of the drift: right, down, out.
        drift_ms, drift_phase: its period, and where in it the cine begins, radians.
    """

    plane: str
    start: Pose
    end: Pose | None = None
    sweep_ms: float = 1.0
    drift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    drift_ms: float = 1.0
    drift_phase: float = 0.0

    def pose_at(self, time_ms: float) -> Pose:
        """Where the plane lies at a time in ms."""
        pose = self.start
        if self.end is not None:
            pose = _between(self.start, self.end, 0.5 - 0.5 * float(np.cos(np.pi * time_ms / self.sweep_ms)))
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
    first, last = SWEEPS.get(plane, (plane, None))
    drift = tuple(float(scale * rng.normal(0, most)) for most in DRIFT_MM)
    start = standard_pose(heart, first, draw_hand(first, rng, scale))
    end = standard_pose(heart, last, draw_hand(last, rng, scale)) if last else None
    return Aim(
        plane=plane,
        start=start,
        end=end,
        sweep_ms=float(rng.uniform(*SWEEP_MS)),
        drift_mm=(drift[0], drift[1], drift[2]),
        drift_ms=float(rng.uniform(*DRIFT_MS)),
        drift_phase=float(rng.uniform(0, 2 * np.pi)),
    )


def draw_view(heart: Heart, view: str, rng: np.random.Generator, scale: float = 1.0) -> Aim:
    """Draw a plane of a view until what it cuts in the middle of a beat is that view; the last draw stands in the end.

    Args:
        heart: which is cut.
        view: one of `VIEW_CLASSES`.
        rng: source of the draw.
        scale: difficulty: 1 usual, 0 perfect.
    """
    planes, shares = zip(*PLANE_SHARES[view].items(), strict=True)
    for _ in range(DRAWS):
        aim = draw_aim(heart, planes[int(rng.choice(len(planes), p=shares))], rng, scale)
        pose = aim.pose_at(0.5 * aim.sweep_ms if aim.end else 0.0)
        told = view_shares(CutHeart(heart, pose).scene(MIDDLE_OF_THE_BEAT, pose), pose, heart, MIDDLE_OF_THE_BEAT)
        if told[VIEW_CLASSES.index(view)] > 0.5:
            break
    return aim


def draw_hand(plane: str, rng: np.random.Generator, scale: float) -> Hand:
    """Draw how a hand holds the probe for a simple plane.

    Reference:
        Pose of 500 patients' A4C (CAMUS): apex 23/31/41 mm deep and -13/-4/+3 beside the middle, lean 3/11/20
        degrees, correlated with the apex's place by -.6.
    """
    off = scale * (WIDER if rng.random() < WIDE_SHARE else 1.0)
    makers: tuple[tuple[tuple[str, ...], Callable[[str, np.random.Generator, float], Hand]], ...] = (
        (("a",), _apical_hand),
        (("psax",), _short_axis_hand),
        (("sub", "supra"), _distant_hand),
    )
    for prefixes, maker in makers:
        if plane.startswith(prefixes):
            return maker(plane, rng, off)
    return Hand(
        turn_deg=float(off * rng.normal(0, TURN_DEG)),
        lean_deg=float(-3 + off * rng.normal(0, 8)),
        tilt_deg=float(off * rng.normal(0, 4 if plane.startswith("plax") else 3)),
        aside_mm=float(3 + off * rng.normal(0, 10)),
        deep_mm=float(np.clip(78 + off * rng.normal(0, 8), 55, 105)),
        slide_mm=float(off * rng.normal(0, 2.5)),
    )


def _apical_hand(plane: str, rng: np.random.Generator, off: float) -> Hand:
    score, other = rng.normal(), rng.normal()
    short = off * float(rng.uniform(*FORESHORTENED_DEG)) if rng.random() < FORESHORTENED_SHARE else 0.0
    return Hand(
        turn_deg=float(off * rng.normal(0, TURN_DEG)),
        lean_deg=float(13 + off * 6.8 * score),
        tilt_deg=float((4 if plane == "a5c" else 0) + off * rng.normal(0, 2.5)),
        foreshortening_deg=float(rng.choice((-1, 1))) * short,
        aside_mm=float(-4 + off * 6.3 * (-0.6 * score + 0.8 * other)),
        deep_mm=float(np.clip(36 + off * rng.normal(0, 7), 18, 54)),
        slide_mm=float(off * rng.normal(0, 2)),
    )


def _short_axis_hand(plane: str, rng: np.random.Generator, off: float) -> Hand:
    low, high = PSAX_LEVEL.get(plane, (0.0, 0.0))
    is_root = plane == "psax_aortic"
    return Hand(
        turn_deg=float(off * rng.normal(0, 12)),
        lean_deg=float(off * rng.normal(0, 6)),
        tilt_deg=float(off * rng.normal(0, 2.5 if is_root else 4)),
        aside_mm=float((2 if is_root else 5) + off * rng.normal(0, 9)),
        deep_mm=float(np.clip((62 if is_root else 76) + off * rng.normal(0, 8), 42, 105)),
        slide_mm=float(off * rng.normal(0, 2)),
        level_fraction=float(rng.uniform(low, high)),
    )


def _distant_hand(plane: str, rng: np.random.Generator, off: float) -> Hand:
    is_below = plane == "subcostal"
    return Hand(
        turn_deg=float(off * rng.normal(0, 10)),
        lean_deg=float(off * rng.normal(0, 9)),
        tilt_deg=float(off * rng.normal(0, 4)),
        aside_mm=float((8 if is_below else 0) + off * rng.normal(0, 10)),
        deep_mm=float(np.clip((112 if is_below else 48) + off * rng.normal(0, 9), 30, 140)),
        slide_mm=float(off * rng.normal(0, 3)),
    )


def _between(start: Pose, end: Pose, share: float) -> Pose:
    """A plane between two others."""

    def mix(first: Float32Array, second: Float32Array) -> Float32Array:
        return as_float32(first * (1 - share) + second * share)

    down = unit(mix(start.down, end.down))
    right = mix(start.right, end.right)
    return Pose(mix(start.origin_mm, end.origin_mm), unit(right - down * np.dot(right, down)), down)
