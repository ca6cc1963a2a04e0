"""Which subject, view and style goes where. Subjects, not images, are the unit of splitting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from services.cine.cine import TimesArray
from services.cine.views import TARGET_VIEWS, View
from training.classifier.config import Balance, ClassifierConfig, DataConfig
from training.simulator.styles import SEEN_STYLES, STYLES

NATURAL_SHARES = {View.A2C: 0.09, View.A4C: 0.37, View.PLAX: 0.47, View.PSAX: 0.07}
"""Class shares of the thesis's training part."""

BEAT_MS = 900.0
"""Frames of one cine are spread over about this long: one beat at 67 beats a minute."""

_LATEST_START_MS = 600.0


class Split(StrEnum):
    """What a subject is for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


@dataclass(frozen=True)
class CineOrder:
    """One cine to be simulated.

    Attributes:
        subject: seed of the heart.
        view, style: of the simulator.
        size_px: side of a square picture; None keeps the style's canvas.
        frame_times_ms: wanted times, rising, ms.
    """

    subject: int
    view: View
    style: str
    size_px: int | None
    frame_times_ms: tuple[float, ...]


def subjects_of(split: Split, data: DataConfig) -> range:
    """Give the seeds of a split's subjects; no seed is in two splits."""
    counts = {
        Split.TRAIN: data.train_subjects,
        Split.CALIBRATION: data.calibration_subjects,
        Split.TEST: data.test_subjects,
    }
    start = data.first_seed
    for each, count in counts.items():
        if each is split:
            break
        start += count
    return range(start, start + counts[split])


def styles_of(split: Split, config: ClassifierConfig) -> tuple[str, ...]:
    """Give a split's styles: training sees three, calibration its own unseen ones, the test all of them."""
    return {Split.TRAIN: SEEN_STYLES, Split.CALIBRATION: config.calibration.styles, Split.TEST: STYLES}[split]


def order_cines(split: Split, config: ClassifierConfig) -> tuple[CineOrder, ...]:
    """List every cine of a split; the same configuration gives the same list."""
    styles, data = styles_of(split, config), config.data
    orders = []
    for subject in subjects_of(split, data):
        rng = np.random.default_rng([subject, 101])
        if split is not Split.TRAIN:
            orders += [_evaluate(subject, view, style, data, rng) for view in TARGET_VIEWS for style in styles]
            continue
        for view in _training_views(data.balance, rng):
            size_px = data.train_sizes_px[int(rng.integers(len(data.train_sizes_px)))]
            style = styles[int(rng.integers(len(styles)))]
            times_ms = _draw_times_ms(data.train_frames, rng)
            orders.append(CineOrder(subject, view, style, size_px, tuple(times_ms)))
    return tuple(orders)


def _training_views(balance: Balance, rng: np.random.Generator) -> tuple[View, ...]:
    if balance is Balance.BALANCED:
        return TARGET_VIEWS
    shares = [NATURAL_SHARES[view] for view in TARGET_VIEWS]
    return (TARGET_VIEWS[int(rng.choice(len(TARGET_VIEWS), p=shares))],)


def _evaluate(subject: int, view: View, style: str, data: DataConfig, rng: np.random.Generator) -> CineOrder:
    times_ms = _draw_times_ms(data.evaluation_frames, rng)
    return CineOrder(subject, view, style, data.evaluation_size_px, tuple(times_ms))


def _draw_times_ms(count: int, rng: np.random.Generator) -> TimesArray:
    """Spread times over a beat, each shifted within its own share of it."""
    step_ms = BEAT_MS / count
    start_ms = rng.uniform(0.0, _LATEST_START_MS)
    return np.round(start_ms + step_ms * (np.arange(count) + rng.uniform(0.0, 0.9, count)), 1)
