"""Which subject, view and style goes where. Subjects, not images, are the unit of splitting."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from services.cine.cine import TimesArray
from services.cine.views import ANSWERED_VIEWS, TARGET_VIEWS, View
from training.classifier.config import ClassifierConfig, DataConfig
from training.classifier.simulation import FAR_KINDS, CineOrder, families, random_style
from training.simulator.views.names import PLANE_SHARES

BEAT_MS = 900.0
"""Frames of one cine are spread over about this long: one beat at 67 beats a minute."""

FAR_FRAMES = 2
"""Training frames of a far cine: text, photographs and noise change little, and are slow to draw."""

_LATEST_START_MS = 600.0


class Split(StrEnum):
    """What a subject is for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


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
    """Give a split's named styles: of training's families, of calibration's own unseen ones, all of them to test."""
    known = families()
    chosen = {
        Split.TRAIN: config.data.train_families,
        Split.CALIBRATION: config.calibration.families,
        Split.TEST: tuple(known),
    }[split]
    return tuple(style for family in chosen for style in known[family])


def order_cines(split: Split, config: ClassifierConfig) -> tuple[CineOrder, ...]:
    """List every cine of a split; the same configuration gives the same list."""
    styles, data = styles_of(split, config), config.data
    mixed = random_style(tuple(family for family in families() if family not in data.train_families))
    orders: list[CineOrder] = []
    for index, subject in enumerate(subjects_of(split, data)):
        rng = np.random.default_rng([subject, 101])
        if split is Split.TRAIN:
            for view in _training_views(data, rng):
                style = mixed if rng.random() < data.random_share else styles[int(rng.integers(len(styles)))]
                orders.append(_train(subject, view, style, data, rng))
            continue
        for view in ANSWERED_VIEWS:
            orders += [_evaluate(subject, view, style, data, rng) for style in _turn(styles, index, view, data)]
    return tuple(orders)


def _training_views(data: DataConfig, rng: np.random.Generator) -> tuple[View, ...]:
    """Give a subject's cines: the four views, and as many others as make up their share over all subjects."""
    others = len(TARGET_VIEWS) * data.other_share / (1.0 - data.other_share)
    count = int(others) + int(rng.random() < others - int(others))
    return (*TARGET_VIEWS, *(View.OTHER,) * count)


def _turn(styles: tuple[str, ...], index: int, view: View, data: DataConfig) -> tuple[str, ...]:
    """Give some styles, so that over subjects each comes alike often, in an order that is each view's own."""
    order = np.random.default_rng([data.first_seed, ANSWERED_VIEWS.index(view), 103]).permutation(len(styles))
    count = min(data.evaluation_styles, len(styles))
    return tuple(styles[order[(index * count + step) % len(styles)]] for step in range(count))


def _train(subject: int, view: View, style: str, data: DataConfig, rng: np.random.Generator) -> CineOrder:
    size_px = data.train_sizes_px[int(rng.integers(len(data.train_sizes_px)))]
    shown, plane, variant, kind = _draw_other(view, data, rng)
    times_ms = draw_times_ms(data.train_frames if variant == "b_mode" else min(FAR_FRAMES, data.train_frames), rng)
    is_still = bool(rng.random() < data.still_share)
    return CineOrder(subject, shown, style, size_px, tuple(times_ms), plane, variant, kind, is_still, data.without)


def _evaluate(subject: int, view: View, style: str, data: DataConfig, rng: np.random.Generator) -> CineOrder:
    shown, plane, variant, kind = _draw_other(view, data, rng)
    times_ms = draw_times_ms(data.evaluation_frames, rng)
    return CineOrder(subject, shown, style, data.evaluation_size_px, tuple(times_ms), plane, variant, kind)


def _draw_other(view: View, data: DataConfig, rng: np.random.Generator) -> tuple[View, str | None, str, str]:
    """Give view, plane, variant and kind: what is none of the four is another plane, or something far over any view.

    The simulator draws the plane of a target view itself; that of another is drawn here, because a subject has several.
    """
    if view is not View.OTHER:
        return view, None, "b_mode", "plain"
    if rng.random() >= data.far_share:
        planes, shares = zip(*PLANE_SHARES[View.OTHER.value].items(), strict=True)
        return view, planes[int(rng.choice(len(planes), p=shares))], "b_mode", "plain"
    variant, kind = FAR_KINDS[int(rng.integers(len(FAR_KINDS)))]
    return TARGET_VIEWS[int(rng.integers(len(TARGET_VIEWS)))], None, variant, kind


def draw_times_ms(count: int, rng: np.random.Generator) -> TimesArray:
    """Spread times over a beat, each shifted within its own share of it."""
    step_ms = BEAT_MS / count
    start_ms = rng.uniform(0.0, _LATEST_START_MS)
    return np.round(start_ms + step_ms * (np.arange(count) + rng.uniform(0.0, 0.9, count)), 1)
