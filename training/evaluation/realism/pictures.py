"""Simulates the pictures that stand beside the reference, in the form in which that was measured, and measures them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from services.cine.cine import BoolArray, TimesArray, UInt8Array
from services.cine.preprocessing import preprocess, to_frames
from services.cine.sector import Sector
from training.evaluation.realism.hearts import measure_heart
from training.evaluation.realism.statistics import STATISTICS, decorrelation, measure
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.sets.writers import to_grey
from training.simulator.styles import FAMILIES
from training.simulator.views.names import VIEWS

FAMILY_VIEWS: dict[str, tuple[str, ...]] = {"research": ("A4C",), "full_screen": VIEWS, "clip_112": ("A4C",)}
"""Families of styles of which real images were measured, and the views that those show."""

ANATOMY_FAMILY = "research"
"""Its reference has contours and grey levels by region too."""

CLIP_FAMILY = "clip_112"
FRAMES_A_CLIP = 8
"""The reference of clips is the median over this many frames of each."""

CLIP_STEP_MS, CLIP_LENGTH = 20.0, 49
"""A second at 50 frames a second, the rate at which the decorrelation of real clips was measured."""

LAGS = (1, 2, 4, 8)
"""Frames apart at which residuals are correlated."""

START_WITHIN_MS = 1000.0  # about a beat: frames show any phase

Found = list[tuple[str, dict[str, float]]]
"""What one cine measures: a group of the reference and values by statistic, for each picture or pair of pictures."""


@dataclass(frozen=True)
class Order:
    """One cine to make and measure, for an ablation without some physics; the same order gives the same values."""

    subject: int
    family: str
    view: str
    style: str
    without: frozenset[str] = frozenset()


def plan(cines: int, seed: int) -> list[Order]:
    """Order cines over the families in turn, within each over its styles and views; subjects start at `seed`."""
    orders = []
    names = tuple(FAMILY_VIEWS)
    for index in range(cines):
        turn, place = divmod(index, len(names))
        family = names[place]
        styles, views = FAMILIES[family], FAMILY_VIEWS[family]
        style, view = styles[turn % len(styles)], views[turn // len(styles) % len(views)]
        orders.append(Order(seed + index, family, view, style))
    return orders


def measure_order(order: Order) -> Found:
    """Make one cine and measure what the reference knows of its family; no statistics where there is no sector."""
    cv2.setNumThreads(1)
    start_ms = float(np.random.default_rng([order.subject, 211]).uniform(0, START_WITHIN_MS))
    if order.family == CLIP_FAMILY:
        return _measure_clip(order, start_ms + np.arange(CLIP_LENGTH, dtype=np.float64) * CLIP_STEP_MS)
    measured = measure(squares(film(order, np.array([start_ms])))[0])
    found: Found = [] if measured is None else [(order.family, measured)]
    if order.family == ANATOMY_FAMILY:
        found += measure_heart(order.subject, order.view, order.style, order.without)
    return found


def film(order: Order, times_ms: TimesArray) -> SimulatedCine:
    """Render an ordered cine on its own canvas at some times, [T] ms."""
    return simulate_cine(order.subject, order.view, order.style, frame_times_ms=times_ms, without=order.without)


def squares(cine: SimulatedCine) -> UInt8Array:
    """Give the frames as the classifier sees them: black outside the sector, cropped, square; [T, 112, 112]."""
    mask = np.asarray(cine.truth.sector_mask)
    grey = to_grey(cine.frames) * mask.astype(np.uint8)
    return to_frames(preprocess(grey, outline(mask)))


def outline(mask: BoolArray) -> Sector:
    """Give the convex outline of a sector's mask [H, W] that is not empty."""
    parts, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(parts))[:, 0].astype(np.float32)  # [K, 1, 2] -> [K, 2]
    return Sector(hull, *mask.shape)


def _measure_clip(order: Order, times_ms: TimesArray) -> Found:
    pictures = squares(film(order, times_ms))
    chosen = np.linspace(0, len(pictures) - 1, FRAMES_A_CLIP).astype(int)
    measured = [one for one in map(measure, pictures[chosen]) if one is not None]
    if not measured:
        return []
    middle = {name: float(np.nanmedian([one[name] for one in measured])) for name in STATISTICS}
    apart = {f"frames_{lag}": value for lag, value in decorrelation(pictures, LAGS).items()}
    return [(order.family, middle), ("decorrelation", apart)]
