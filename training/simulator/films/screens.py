"""A usable view on a console's full screen: marks round the sector, and some over it."""

import cv2
import numpy as np

from training.simulator.arrays import ByteArray
from training.simulator.display.overlays import INKS, draw_cursor, draw_ecg
from training.simulator.films.canvas import Box, Canvas, Pane, lay_pane, open_canvas, set_up_pane, union
from training.simulator.films.dressing import FAINT, WHITE, draw_head, draw_parameters, draw_table, line_px, write
from training.simulator.films.marks import draw_crossing, draw_guides
from training.simulator.studio import Order, Studio, Take

SIZES_PX = ((800, 600), (1024, 768), (1280, 720), (640, 480))
GREY_CHANCE, ECG_CHANCE = 0.3, 0.6
MEASURES = (
    # Name, smallest and largest value, unit.
    ("IVSd", 0.7, 1.3, "cm"),
    ("LVIDd", 3.9, 5.8, "cm"),
    ("LVPWd", 0.7, 1.2, "cm"),
    ("LVIDs", 2.4, 4.0, "cm"),
    ("EF (Teich)", 48, 70, "%"),
    ("LA diam", 2.9, 4.4, "cm"),
    ("Ao root", 2.6, 3.8, "cm"),
    ("MV E", 0.5, 1.1, "m/s"),
    ("MV A", 0.4, 0.9, "m/s"),
    ("TAPSE", 1.6, 2.6, "cm"),
)
THUMBNAILS = 5


def film_screen(order: Order) -> Take:
    """B-mode on a full screen of one of the usual sizes; the kind says what is round it and over it."""
    rng = order.rng(137)
    canvas = _draw_canvas(order, rng)
    box = _draw_box(canvas, order.kind, rng)
    studio = set_up_pane(order, box, frozenset({"marker", "focus"}), fill=float(rng.uniform(0.9, 1.1)))
    pane = Pane(box, studio, studio.picture)
    mask = union(canvas, [pane])
    has_ecg = order.kind not in ("white", "console") and (order.kind == "crossing" or rng.random() < ECG_CHANCE)
    under = _under(canvas, pane, order, rng)
    if has_ecg and order.kind != "crossing":
        draw_ecg(under, order.rhythm)
    under[mask] = 0
    over = canvas.blank()
    if order.kind == "guides":
        draw_guides(over, pane, rng)
    if order.kind == "crossing":
        draw_crossing(over, pane, order)
    frames = canvas.frames(len(order.frame_times_ms))
    for frame, time_ms in zip(frames, order.frame_times_ms, strict=True):
        picture = under.copy()
        lay_pane(picture, pane, float(time_ms))
        picture = np.maximum(picture, over)
        if has_ecg:
            draw_cursor(picture, float(time_ms), None if order.kind == "crossing" else ~mask)
        frame[:] = canvas.export(picture)
    return Take(frames, canvas.export_mask(mask), order.frame_times_ms, canvas.export_studio(pane))


def _draw_canvas(order: Order, rng: np.random.Generator) -> Canvas:
    """A screen of a usual size, grey or in colour; small and square where a size was asked for."""
    if order.size_px is not None:
        return open_canvas(order)
    width, height = SIZES_PX[int(rng.integers(len(SIZES_PX)))]
    return Canvas(width, height, 1, 1 if rng.random() < GREY_CHANCE else 3)


def _draw_box(canvas: Canvas, kind: str, rng: np.random.Generator) -> Box:
    """Where the sector's pane lies."""
    top, bottom = float(rng.uniform(0.05, 0.09)), float(rng.uniform(0.9, 0.99))
    if kind == "worksheet":
        return canvas.box(0.34, top, 0.97, bottom)
    if kind == "console":
        return canvas.box(0.14, top, 0.84, bottom)
    return canvas.box(0.12, top, 0.9, bottom)


def _under(canvas: Canvas, pane: Pane, order: Order, rng: np.random.Generator) -> ByteArray:
    """All that stands still round the sector, [H, W, 3] BGR."""
    picture, (_, top, right, _) = canvas.blank(), pane.box
    step, ink = line_px(picture), INKS[int(rng.integers(len(INKS)))]
    if order.kind == "white":
        _draw_paper(picture, pane, rng)
        return picture
    draw_head(picture, rng)
    if order.kind == "worksheet":
        draw_table(picture, rng, (0.02 * canvas.width_px, 3.5 * step), MEASURES[: int(rng.integers(4, 10))], ink)
        write(picture, "Measurements", (0.015 * canvas.width_px, 2.2 * step), WHITE)
    else:
        draw_parameters(picture, rng, (0.01 * canvas.width_px, 2.6 * step), ink, int(rng.integers(5, 12)))
    if order.kind == "console":
        _draw_thumbnails(picture, pane.studio, (right + 0.02 * canvas.width_px, top + step), rng)
        _draw_buttons(picture, rng)
    ramp = np.linspace(255, 0, canvas.height_px // 4).astype(np.uint8)[:, None, None]
    x = right - canvas.width_px // 50
    picture[top + int(step) : top + int(step) + len(ramp), x : x + canvas.width_px // 80] = ramp
    return picture


def _draw_paper(picture: ByteArray, pane: Pane, rng: np.random.Generator) -> None:
    """A page of a report: white, the picture cut out along its sector or standing in a black box."""
    picture[:] = int(rng.integers(235, 256))
    left, top, right, bottom = pane.box
    if rng.random() < 0.5:
        picture[top:bottom, left:right] = 0
    write(picture, "Echocardiography report   page 2", (left, top - 6), (40, 40, 40), 0.9)
    write(picture, f"Fig. {rng.integers(1, 9)}", (left * 0.2, bottom - 8), (40, 40, 40), 0.9)


def _draw_thumbnails(picture: ByteArray, studio: Studio, at: tuple[float, float], rng: np.random.Generator) -> None:
    """Pictures stored before, under each other at the right."""
    side = int(0.13 * picture.shape[1])
    high = int(side * 0.7)
    for number in range(THUMBNAILS):
        x, y = int(at[0]), int(at[1] + number * high * 1.2)
        if y + high >= picture.shape[0]:
            return
        small = cv2.resize(studio.picture(float(rng.uniform(0, 900))), (side, high), interpolation=cv2.INTER_AREA)
        picture[y : y + high, x : x + side] = small[:, : picture.shape[1] - x]
        cv2.rectangle(picture, (x, y), (x + side - 1, y + high - 1), FAINT, 1)
        write(picture, str(number + 1), (x + 4, y + 14), FAINT, 0.7)


def _draw_buttons(picture: ByteArray, rng: np.random.Generator) -> None:
    """A row of touch keys along the bottom."""
    height, width = picture.shape[:2]
    names = rng.permutation(np.array(("Freeze", "Store", "Measure", "Colour", "M-Mode", "Gain", "Depth", "Review")))
    for number, name in enumerate(names[:6]):
        left = int(width * (0.01 + 0.165 * number))
        cv2.rectangle(
            picture, (left, int(0.955 * height)), (left + int(0.155 * width), int(0.995 * height)), (70, 70, 70), -1
        )
        write(picture, str(name), (left + 0.02 * width, 0.985 * height), WHITE, 0.8)
