"""Nothing but the heart tells the view: a linear probe on all that is round the sector stays at chance."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from training.simulator.display.overlays import draw_static
from training.simulator.display.screen import lay_out
from training.simulator.sources.catalogue import catalogue
from training.simulator.studio import Order
from training.simulator.styles import STYLES, StyleDraw, draw_style
from training.simulator.views.names import VIEW_CLASSES

CINES, SIDE_PX, SEEN_PX, FOLDS, PENALTY = 400, 112, 28, 5, 300.0
CHANCE = 1 / len(VIEW_CLASSES)
ALLOWED = 3 * float(np.sqrt(CHANCE * (1 - CHANCE) / CINES))  # three standard errors of that many cines

Change = Callable[[StyleDraw, str], StyleDraw]


def probe(features: np.ndarray, labels: np.ndarray) -> float:
    """Share of labels [N] that ridge regression of features [N, D] names right, each fold by the others."""
    scaled = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-3)
    wanted = np.eye(len(VIEW_CLASSES))[labels]
    fold, right = np.arange(len(labels)) % FOLDS, 0
    for each in range(FOLDS):
        known, asked = scaled[fold != each], scaled[fold == each]
        weights = np.linalg.solve(known @ known.T + PENALTY * np.eye(len(known)), wanted[fold != each] - CHANCE)
        right += int(((asked @ (known.T @ weights)).argmax(axis=1) == labels[fold == each]).sum())
    return right / len(labels)


@cache
def orders() -> tuple[list[Order], np.ndarray]:
    """Cines of random subjects, views and styles, and the index of each one's view."""
    rng = np.random.default_rng(20)
    views = rng.integers(len(VIEW_CLASSES), size=CINES)
    styles = rng.choice([*STYLES, "random"], size=CINES)
    return [
        Order(1000 + number, VIEW_CLASSES[view], str(style), size_px=SIDE_PX)
        for number, (view, style) in enumerate(zip(views, styles, strict=True))
    ], views


def surroundings(change: Change) -> np.ndarray:
    """All that is drawn round the sector, and the sector's outline, made small, [N, D]."""
    seen = []
    for order in orders()[0]:
        drawn = change(draw_style(order.style, order.recording), order.view)
        screen = lay_out(drawn, order.size_px)
        around = draw_static(screen, drawn, order.rhythm, order.recording).max(axis=2)
        small = [
            cv2.resize(each, (SEEN_PX, SEEN_PX), interpolation=cv2.INTER_AREA)
            for each in (around, screen.sector_mask * np.uint8(255))
        ]
        seen.append(np.concatenate(small).ravel())
    return np.array(seen, dtype=np.float64)


def numbers(value: Any) -> list[float]:
    """Every setting of a style as numbers; words and lists of unlike length by their sums."""
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if isinstance(value, str):
        return [float(sum(map(ord, value)))]
    if isinstance(value, float | int):
        return [float(value)]
    return [sum(number for each in value or () for number in numbers(each))]


def settings() -> np.ndarray:
    """Every setting of each cine, [N, D]."""
    rows = []
    for order in orders()[0]:
        drawn = asdict(draw_style(order.style, order.recording))
        has = {f"has_{name}": name in drawn["overlays"] for name in asdict(catalogue()["lvh"].overlays.chances)}
        rows.append(
            numbers(drawn | has | {"box": bool(drawn["box"]), "tgc": dict(enumerate(drawn["scanner"]["tgc_error_db"]))})
        )
    return np.array(rows)


def test_what_is_round_the_sector_does_not_tell_the_view() -> None:
    assert probe(surroundings(lambda drawn, _: drawn), orders()[1]) == pytest.approx(CHANCE, abs=ALLOWED)


def test_settings_do_not_tell_the_view() -> None:
    assert probe(settings(), orders()[1]) == pytest.approx(CHANCE, abs=ALLOWED)


def test_the_probe_finds_a_mark_that_tells_one_view() -> None:
    def tell(drawn: StyleDraw, view: str) -> StyleDraw:
        others = drawn.overlays - {"ecg"}
        return replace(drawn, overlays=others | {"ecg"} if view == "A4C" else others)

    assert probe(surroundings(tell), orders()[1]) > CHANCE + 2 * ALLOWED
