"""Simulated subjects for the bench of the copy filter: who is trained on, who calibrates, who is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.cine.cine import IntArray
from services.cine.views import TARGET_VIEWS
from training.classifier.dataset import FrameSet, render
from training.classifier.simulation import CineOrder
from training.evaluation.synthesis.pictures import Pictures, from_frames, load_shards
from training.progress import show_progress
from training.simulator.styles import STYLES

FIRST_SUBJECT = 8_000_000
"""Far from the seeds that classifier and generator are trained on."""

APART_MS = 250.0
"""Between two frames of a cine: far enough for walls and valves to move."""

TRAINED_SHARE, CALIBRATING_SHARE = 0.5, 0.25
"""Of the subjects; the rest is unknown to everything."""

_PIECE = 40


@dataclass(frozen=True)
class Parts:
    """Disjoint subjects, and frames of trained cines that are not in the index.

    Attributes:
        training: what is in the index.
        unused: other frames of the same cines.
        calibration, unknown: a frame a cine of other subjects.
    """

    training: Pictures
    unused: Pictures
    calibration: Pictures
    unknown: Pictures


@dataclass(frozen=True)
class Twins:
    """The same hearts, planes and moments: `shown` in one style and `asked` in another, one entry a heart."""

    shown: Pictures
    asked: Pictures


def divide(pictures: Pictures) -> Parts:
    """Divide by subject; a trained cine gives every third frame to the index, any other its first frame."""
    order = np.random.default_rng(7).permutation(np.unique(pictures.subjects))
    trained, calibrating, _ = np.split(
        order, [int(TRAINED_SHARE * len(order)), int((TRAINED_SHARE + CALIBRATING_SHARE) * len(order))]
    )
    first = np.flatnonzero(np.diff(pictures.cines, prepend=-1))
    lengths = np.diff(np.append(first, len(pictures)))
    rank = np.arange(len(pictures)) - np.repeat(first, lengths)
    is_trained = np.isin(pictures.subjects, trained)
    is_calibrating = np.isin(pictures.subjects, calibrating)
    return Parts(
        training=pictures.take(is_trained & (rank % 3 == 0)),
        unused=pictures.take(is_trained & (rank == 1)),
        calibration=pictures.take(is_calibrating & (rank == 0)),
        unknown=pictures.take(~is_trained & ~is_calibrating & (rank == 0)),
    )


def load_or_simulate(shards: Path | None, cache: Path, subjects: int, seed: int) -> Pictures:
    """Read shards, or simulate two frames of each view of some subjects, each in a style of its own."""
    if shards is not None:
        return load_shards(shards)
    rng = np.random.default_rng([seed, 73])
    orders = [
        _order(FIRST_SUBJECT + seed * 100_000 + subject, view, int(rng.integers(len(STYLES))), rng)
        for subject in range(subjects)
        for view in range(len(TARGET_VIEWS))
    ]
    return _render(orders, cache / f"subjects-{subjects}-{seed}.npz")


def simulate_twins(count: int, cache: Path, seed: int) -> Twins:
    """Simulate hearts, each in two styles at the same plane and moment."""
    rng = np.random.default_rng([seed, 79])
    orders = []
    for twin in range(count):
        subject, view = FIRST_SUBJECT + seed * 100_000 + 50_000 + twin, int(rng.integers(len(TARGET_VIEWS)))
        styles = rng.choice(len(STYLES), 2, replace=False)
        times_ms = (float(rng.uniform(0, 600)),)
        orders += [
            CineOrder(subject, TARGET_VIEWS[view], STYLES[style], None, times_ms, is_still=True) for style in styles
        ]
    both = _render(orders, cache / f"twins-{count}-{seed}.npz")
    shown, asked = (both.take(both.cines % 2 == turn) for turn in (0, 1))
    kept = np.intersect1d(shown.subjects, asked.subjects)
    return Twins(*(part.take(np.isin(part.subjects, kept)) for part in (shown, asked)))


def _order(subject: int, view: int, style: int, rng: np.random.Generator) -> CineOrder:
    start_ms = float(rng.uniform(0, 600))
    return CineOrder(subject, TARGET_VIEWS[view], STYLES[style], None, (start_ms, start_ms + APART_MS))


def _render(orders: list[CineOrder], path: Path) -> Pictures:
    """Render orders, a cine each, or read what was rendered; what shows none of the four views is left out."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        parts: list[FrameSet] = []
        with show_progress("rendering", len(orders)) as advance:
            for start in range(0, len(orders), _PIECE):
                parts.append(render(orders[start : start + _PIECE]))
                advance(min(start + _PIECE, len(orders)), "cines")
        half_done = path.with_suffix(".part.npz")
        joined = {name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}
        with half_done.open("wb") as file:
            np.savez(file, allow_pickle=False, **joined)
        half_done.replace(path)
    with np.load(path, allow_pickle=False) as held:
        frames = FrameSet(**{name: held[name] for name in held.files})
    return from_frames(FrameSet(**vars(frames) | {"cines": _number(orders)}))


def _number(orders: list[CineOrder]) -> IntArray:
    """Number cines through: joined parts count from 0 each."""
    return np.repeat(np.arange(len(orders)), [len(order.frame_times_ms) for order in orders])
