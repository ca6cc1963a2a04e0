"""Draws what was measured: every style with every view, and a mixed sheet in the form that the classifier sees."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from services.cine.cine import UInt8Array
from training.evaluation.realism.pictures import START_WITHIN_MS, Order, film, squares
from training.progress import show_progress
from training.simulator.contact_sheet import plane_sheet, style_sheet, with_legend
from training.simulator.styles import STYLES
from training.simulator.views.names import PLANES, VIEW_CLASSES

SUBJECTS_A_STYLE = 3
STYLE_TILE_PX = 200
CLASSIFIER_COLUMNS = 12
ENLARGED = 2
"""Pixels of the classifier are shown this much larger, each a square."""


def write_sheets(out: Path, seed: int) -> list[str]:
    """Write all sheets as PNG into a folder and give their names, in order."""
    names = []
    with show_progress("drawing sheets", len(STYLES) + 2) as advance:
        for style in STYLES:
            names.append(f"style_{style}.png")
            _write(out / names[-1], draw_style(style, seed))
            advance(len(names), "")
        for name, draw in (("planes.png", draw_planes), ("as_classified.png", draw_classified)):
            names.append(name)
            _write(out / name, draw(seed))
            advance(len(names), "")
    return names


def draw_style(style: str, seed: int) -> UInt8Array:
    """Draw a row a subject: every view of a style at end-diastole and end-systole; BGR."""
    sheet = style_sheet(style, range(seed, seed + SUBJECTS_A_STYLE), STYLE_TILE_PX)
    return with_legend(sheet, f"Style {style}: {', '.join(VIEW_CLASSES)}, each at end-diastole, then end-systole.")


def draw_planes(seed: int) -> UInt8Array:
    """Draw all planes, of the four views and of OTHER, two subjects each, at end-diastole; BGR."""
    sheet = plane_sheet(range(seed, seed + 2), PLANES, STYLE_TILE_PX)
    return with_legend(
        sheet, "Every plane in two subjects and mixed styles, with its view by content. Sweeps half-way."
    )


def draw_classified(seed: int, columns: int = CLASSIFIER_COLUMNS) -> UInt8Array:
    """Draw a row a view of mixed styles, subjects and phases, 112x112 each as the classifier sees it; BGR."""
    rng = np.random.default_rng([seed, 223])
    rows = [np.hstack([_classified(rng, view) for _ in range(columns)]) for view in VIEW_CLASSES]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_GRAY2BGR)
    return with_legend(
        np.asarray(sheet, np.uint8), f"Mixed styles, 112x112 as classified. Rows: {', '.join(VIEW_CLASSES)}."
    )


def _classified(rng: np.random.Generator, view: str) -> UInt8Array:
    """Draw one tile [224, 224] of a view."""
    order = Order(int(rng.integers(1 << 20)), "", view, STYLES[int(rng.integers(len(STYLES)))])
    square = squares(film(order, rng.uniform(0, START_WITHIN_MS, 1)))[0]
    return np.asarray(np.kron(square, np.ones((ENLARGED, ENLARGED), np.uint8)), np.uint8)


def _write(path: Path, picture: UInt8Array) -> None:
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
