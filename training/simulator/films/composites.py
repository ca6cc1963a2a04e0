"""Several sectors on one screen: split views, a stress echo's quad screen, colour compare."""

from dataclasses import replace

import cv2
import numpy as np

from training.simulator.arrays import ByteArray
from training.simulator.display.overlays import draw_cursor, draw_ecg
from training.simulator.films.canvas import Box, Canvas, Pane, lay_pane, open_canvas, set_up_pane, union
from training.simulator.films.doppler import RECIPES, ColourDoppler
from training.simulator.studio import Order, Studio, Take
from training.simulator.views.names import VIEWS

ECG_CHANCE = 0.6
FRAMED_CHANCE = 0.4
HELD_CHANCE = 0.2  # of each sector but the first
GREATEST_DELAY_MS = 900.0
FILL = (0.85, 1.2)  # of a pane's width by its sector
STAGES = ("REST", "LOW DOSE", "PEAK", "RECOVERY")  # of a stress echo


def film_split(order: Order) -> Take:
    """Two or four live sectors: the same view from two moments, two views, or all four."""
    canvas, rng = open_canvas(order), order.rng(109)
    boxes = _lay_out(canvas, 4 if order.kind == "quad" else 2)
    others = [view for view in VIEWS if view != order.view]
    views = [order.view] * len(boxes) if order.kind == "same_view" else [order.view, *others][: len(boxes)]
    fill = float(rng.uniform(*FILL))
    panes = [
        _pane(set_up_pane(_of_view(order, view), box, fill=fill), box, rng if number else None)
        for number, (view, box) in enumerate(zip(views, boxes, strict=True))
    ]
    return _film(order, canvas, panes, STAGES if order.kind == "quad" else ())


def _of_view(order: Order, view: str) -> Order:
    return order if view == order.view else replace(order, view=view, plane=None)


def _pane(studio: Studio, box: Box, rng: np.random.Generator | None) -> Pane:
    """A sector in the cine's own time, or, given chance, in a beat of its own or held still."""
    if rng is None:
        return Pane(box, studio, studio.picture)
    delay_ms, is_held = float(rng.uniform(0, GREATEST_DELAY_MS)), rng.random() < HELD_CHANCE
    return Pane(box, studio, lambda time: studio.picture(delay_ms + (0 if is_held else time)))


def film_dual(order: Order) -> Take:
    """Colour compare: the same live sector in grey at the left and with a colour box at the right."""
    canvas = open_canvas(order, is_colour=True)
    left, right = _lay_out(canvas, 2)
    fill = float(order.rng(109).uniform(*FILL))
    grey, coloured = set_up_pane(order, left, fill=fill), set_up_pane(order, right, fill=fill)
    colour = ColourDoppler(coloured, RECIPES[order.kind], order.rng(71))
    take = _film(order, canvas, [Pane(left, grey, grey.picture), Pane(right, coloured, colour.picture)], ())
    return replace(take, colour_fraction=colour.colour_fraction / 2)  # the sectors are alike and one is coloured


def _film(order: Order, canvas: Canvas, panes: list[Pane], names: tuple[str, ...]) -> Take:
    """Film panes side by side."""
    rng, mask = order.rng(113), union(canvas, panes)
    standing = _dress(canvas, [pane.box for pane in panes], rng, names)
    has_ecg = rng.random() < ECG_CHANCE
    if has_ecg:
        draw_ecg(standing, order.rhythm)
    standing[mask] = 0
    frames = canvas.frames(len(order.frame_times_ms))
    for frame, time_ms in zip(frames, order.frame_times_ms, strict=True):
        picture = standing.copy()
        for pane in panes:
            lay_pane(picture, pane, float(time_ms))
        if has_ecg:
            draw_cursor(picture, float(time_ms), ~mask)
        frame[:] = canvas.export(picture)
    studio = canvas.export_studio(panes[0])
    return Take(frames, canvas.export_mask(mask), order.frame_times_ms, studio, sectors=len(panes))


def _lay_out(canvas: Canvas, count: int) -> list[Box]:
    """Boxes of two or four panes; two stand on each other on an upright screen."""
    if count == 4:
        return [canvas.box(x, y, x + 0.49, y + 0.45) for y in (0.04, 0.5) for x in (0.005, 0.505)]
    if canvas.height_px > canvas.width_px:
        return [canvas.box(0.02, y, 0.98, y + 0.44) for y in (0.04, 0.49)]
    return [canvas.box(x, 0.08, x + 0.49, 0.92) for x in (0.005, 0.505)]


def _dress(canvas: Canvas, boxes: list[Box], rng: np.random.Generator, names: tuple[str, ...]) -> ByteArray:
    """Frames round the panes and what is written in their corners, [H, W, 3] BGR."""
    picture = canvas.blank()
    is_framed, scale = rng.random() < FRAMED_CHANCE, canvas.height_px / 1300
    for number, (left, top, right, bottom) in enumerate(boxes):
        if is_framed:
            cv2.rectangle(picture, (left, top), (right - 2, bottom - 2), (90, 90, 90), 1)
        text = (
            names[number] if names else f"{'AB'[number % 2]}   {rng.integers(20, 70)} fps   {rng.integers(13, 18)} cm"
        )
        at = (left + canvas.width_px // 90, top + canvas.height_px // 30)
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, max(scale, 0.35), (210, 210, 210), 1, cv2.LINE_AA)
    return picture
