"""Screens of letters: reports, worksheets, menus, patient data, charts and start screens."""

from collections.abc import Callable

import cv2
import numpy as np

from training.simulator.arrays import ByteArray
from training.simulator.films.canvas import Box, Canvas, open_canvas
from training.simulator.films.dressing import FAINT, WHITE, Ink, draw_date, draw_head, draw_logo, write
from training.simulator.studio import Order, Take

PAGE_HEIGHTS = 1.8  # of a scrolling page in screens
SCROLL_PX_PER_S = 0.12  # of the screen's height
BLINK_MS = 900.0
KEYS = 18
DARK: Ink = (30, 30, 30)
MEASURES = (
    ("LV", ("IVSd", "LVIDd", "LVPWd", "LVIDs", "EDV (MOD-sp4)", "ESV (MOD-sp4)", "EF (MOD-bp)", "LV mass ind")),
    ("LA / RA", ("LA diam", "LAESV ind", "RA area", "RA press")),
    ("MV / AV", ("MV E vel", "MV A vel", "E/A", "E/e' avg", "AV Vmax", "AV maxPG", "LVOT diam", "AVA (VTI)")),
    ("RV", ("TAPSE", "RV s'", "RVIDd", "RVSP", "FAC")),
)
UNITS = ("cm", "ml", "%", "m/s", "mmHg", "cm2", "")
SENTENCES = (
    "The left ventricle is of normal size and wall thickness.",
    "Systolic function is normal, no regional wall motion abnormality.",
    "Mild mitral regurgitation. Aortic valve trileaflet, opens well.",
    "Right ventricle of normal size and longitudinal function.",
    "No pericardial effusion. Inferior vena cava not dilated.",
    "Left atrium mildly enlarged. Diastolic function grade I.",
    "Ascending aorta of normal diameter. No previous study.",
)
FIELDS = (
    "Last name",
    "First name",
    "Patient ID",
    "Date of birth",
    "Sex",
    "Height",
    "Weight",
    "BSA",
    "Accession",
    "Study",
)
ENTRIES = (
    "Adult Echo",
    "Paediatric",
    "Stress Echo",
    "TEE",
    "Vascular",
    "Abdominal",
    "Review",
    "Setup",
    "End exam",
    "Print",
)


def film_text(order: Order) -> Take:
    """A screen of letters that scrolls, waits with a blinking mark, or both; no sector."""
    canvas, rng = open_canvas(order), order.rng(149)
    is_scrolling = order.kind in ("report", "worksheet") and rng.random() < 0.5
    page_px = int(canvas.height_px * (PAGE_HEIGHTS if is_scrolling else 1))
    page = _PAGES[order.kind](canvas, page_px, rng)
    mark = _key(canvas, int(rng.integers(KEYS))) if order.kind == "menu" else _cursor(canvas, rng)
    frames = canvas.frames(len(order.frame_times_ms))
    for frame, time_ms in zip(frames, order.frame_times_ms, strict=True):
        shift = int(time_ms / 1000 * SCROLL_PX_PER_S * canvas.height_px) % page_px if is_scrolling else 0
        picture = np.roll(page, -shift, axis=0)[: canvas.height_px].copy()
        if order.kind == "start":
            _draw_progress(picture, float(time_ms))
        elif time_ms % BLINK_MS < BLINK_MS / 2:
            left, top, right, bottom = mark
            picture[top:bottom, left:right] = 255 - picture[top:bottom, left:right]
        frame[:] = canvas.export(picture)
    mask = np.zeros(frames.shape[1:3], dtype=np.bool_)
    return Take(frames, mask, order.frame_times_ms, None, sectors=0)


def _cursor(canvas: Canvas, rng: np.random.Generator) -> Box:
    """A text cursor somewhere on the screen."""
    left, top = float(rng.uniform(0.1, 0.6)), float(rng.uniform(0.15, 0.85))
    return canvas.box(left, top, left + 0.005, top + 0.045)


def _key(canvas: Canvas, number: int) -> Box:
    """One of the keys of a menu, in columns of six."""
    column, row = divmod(number, 6)
    left, top = 0.04 + 0.32 * column, (1.6 + row * 1.15) / 9
    return canvas.box(left, top, left + 0.28, top + 0.85 / 9)


def _draw_progress(picture: ByteArray, time_ms: float) -> None:
    """A bar that fills, in place."""
    height, width = picture.shape[:2]
    left, right, top = int(0.3 * width), int(0.7 * width), int(0.75 * height)
    cv2.rectangle(picture, (left, top), (right, top + height // 40), FAINT, 1)
    full = left + int((right - left) * (time_ms % 4000) / 4000)
    cv2.rectangle(picture, (left, top), (full, top + height // 40), (200, 150, 40), -1)


def _page(canvas: Canvas, page_px: int, paper: Ink) -> ByteArray:
    """An empty page [page_px, W, 3] BGR."""
    page = np.empty((page_px, canvas.width_px, 3), dtype=np.uint8)
    page[:] = paper
    return page


def _draw_report(canvas: Canvas, page_px: int, rng: np.random.Generator) -> ByteArray:
    """Black letters on white: head, findings in sentences, a table."""
    page, step = _page(canvas, page_px, (250, 250, 250)), canvas.height_px / 26
    margin, y = 0.08 * canvas.width_px, 2 * step
    _write(page, canvas, "TRANSTHORACIC ECHOCARDIOGRAM", (margin, y), DARK, 1.3)
    _write(page, canvas, f"SIMULATED^SUBJECT     {draw_date(rng)}", (margin, y + 1.3 * step), DARK)
    cv2.line(page, (int(margin), int(y + 1.8 * step)), (int(canvas.width_px - margin), int(y + 1.8 * step)), DARK, 1)
    y += 3.2 * step
    while y < page_px - 2 * step:
        if rng.random() < 0.2:
            _write(
                page,
                canvas,
                str(rng.choice(("FINDINGS", "CONCLUSION", "COMMENTS", "VALVES"))),
                (margin, y + step / 2),
                DARK,
                1.1,
            )
            y += 1.6 * step
        _write(page, canvas, str(rng.choice(np.array(SENTENCES))), (margin, y), DARK)
        y += step
    return page


def _draw_worksheet(canvas: Canvas, page_px: int, rng: np.random.Generator) -> ByteArray:
    """Groups of measurements with three values and their mean, on dark or on white."""
    is_dark = rng.random() < 0.7
    page, ink = _page(canvas, page_px, (34, 28, 22) if is_dark else (245, 245, 245)), WHITE if is_dark else DARK
    step, y = canvas.height_px / 24, canvas.height_px / 12
    _write(page, canvas, "Worksheet   Adult Echo", (0.03 * canvas.width_px, y - step), ink, 1.2)
    groups = [MEASURES[index % len(MEASURES)] for index in range(8)]
    for title, names in groups:
        top, bottom = int(y - 0.75 * step), int(y + 0.25 * step)
        page[top:bottom] = (120, 80, 40) if is_dark else (225, 205, 185)
        _write(page, canvas, title, (0.03 * canvas.width_px, y), ink)
        for name in names:
            y += step
            value = float(rng.uniform(0.5, 90))
            columns = [f"{value * factor:.1f}" for factor in (1, *rng.uniform(0.93, 1.07, 2))]
            texts = (name, *columns, str(rng.choice(np.array(UNITS))))
            for text, x in zip(texts, (0.05, 0.42, 0.55, 0.68, 0.84), strict=True):
                _write(page, canvas, text, (x * canvas.width_px, y), ink)
        y += 1.4 * step
        if y > page_px:
            break
    return page


def _draw_menu(canvas: Canvas, page_px: int, rng: np.random.Generator) -> ByteArray:
    """Columns of keys with names."""
    page, step = _page(canvas, page_px, (48, 40, 34)), canvas.height_px / 9
    draw_head(page, rng)
    names = rng.permutation(np.array(ENTRIES * 3))
    for number in range(KEYS):
        left, top, right, bottom = _key(canvas, number)
        ink = (150, 100, 40) if rng.random() < 0.15 else (84, 76, 70)
        cv2.rectangle(page, (left, top), (right, bottom), ink, -1)
        cv2.rectangle(page, (left, top), (right, bottom), FAINT, 1)
        _write(page, canvas, str(names[number]), (left + 0.15 * step, bottom - 0.3 * step), WHITE)
    return page


def _draw_patient(canvas: Canvas, page_px: int, rng: np.random.Generator) -> ByteArray:
    """A form with named fields."""
    page, step = _page(canvas, page_px, (60, 52, 46)), canvas.height_px / 13
    draw_head(page, rng)
    for number, name in enumerate(FIELDS):
        y = int((1.9 + number) * step)
        _write(page, canvas, name, (0.06 * canvas.width_px, y + 0.45 * step), WHITE)
        left, right = int(0.32 * canvas.width_px), int(rng.uniform(0.5, 0.92) * canvas.width_px)
        cv2.rectangle(page, (left, y), (right, y + int(0.65 * step)), (225, 225, 225), -1)
        if rng.random() < 0.6:
            _write(page, canvas, f"SIM {rng.integers(10, 9999)}", (left + 6, y + 0.48 * step), DARK)
    for number, name in enumerate(("Cancel", "Worklist", "Start exam")):
        left, top = int((0.3 + 0.22 * number) * canvas.width_px), int(12 * step)
        cv2.rectangle(page, (left, top), (left + int(0.2 * canvas.width_px), top + int(0.7 * step)), (140, 100, 60), -1)
        _write(page, canvas, name, (left + 8, top + 0.48 * step), WHITE)
    return page


def _draw_chart(canvas: Canvas, page_px: int, rng: np.random.Generator) -> ByteArray:
    """Strain curves or a bar chart with axes."""
    is_dark = rng.random() < 0.6
    page, ink = _page(canvas, page_px, (20, 16, 12) if is_dark else (252, 252, 252)), WHITE if is_dark else DARK
    left, right, top, bottom = (
        int(share * side)
        for share, side in zip((0.1, 0.94, 0.14, 0.88), (canvas.width_px,) * 2 + (page_px,) * 2, strict=True)
    )
    _write(page, canvas, str(rng.choice(("Longitudinal strain", "LV volume", "EF trend"))), (left, top - 12), ink, 1.2)
    for share in np.linspace(0, 1, 6):
        y = int(top + share * (bottom - top))
        cv2.line(page, (left, y), (right, y), FAINT, 1)
        _write(page, canvas, f"{-25 * share:.0f}", (0.03 * canvas.width_px, y + 4), ink, 0.8)
    time = np.linspace(0, 1, 120)
    inks = [tuple(int(v) for v in rng.integers(60, 256, 3)) for _ in range(6)]
    for curve_ink in inks:
        depth, place = rng.uniform(0.4, 0.9), rng.uniform(0.32, 0.5)
        strain = depth * np.exp(-(((time - place) / 0.2) ** 2))
        path = np.stack([left + time * (right - left), top + (bottom - top) * strain], axis=1).astype(np.int32)
        cv2.polylines(page, [path], False, curve_ink, 2, cv2.LINE_AA)
    cv2.rectangle(page, (left, top), (right, bottom), ink, 1)
    return page


def _draw_start(canvas: Canvas, page_px: int, rng: np.random.Generator) -> ByteArray:
    """A maker's mark in the middle and a line under it."""
    low, high = rng.integers(0, 60, 3), rng.integers(20, 140, 3)
    ramp = np.linspace(0, 1, page_px)[:, None] * (high - low) + low
    page = np.repeat(ramp[:, None].astype(np.uint8), canvas.width_px, axis=1)
    draw_logo(page, rng, (0.5 * canvas.width_px, 0.38 * page_px), 0.13 * page_px)
    _write(page, canvas, "SIMULATED ULTRASOUND SYSTEM", (0.26 * canvas.width_px, 0.64 * page_px), WHITE, 1.4)
    _write(page, canvas, "Starting. Please wait", (0.38 * canvas.width_px, 0.71 * page_px), WHITE)
    return page


def _write(page: ByteArray, canvas: Canvas, text: str, at: tuple[float, float], ink: Ink, size: float = 1.0) -> None:
    """Write at the size of the screen, however long the page."""
    write(page, text, at, ink, 1.15 * size * canvas.height_px / page.shape[0])


_PAGES: dict[str, Callable[[Canvas, int, np.random.Generator], ByteArray]] = {
    "report": _draw_report,
    "worksheet": _draw_worksheet,
    "menu": _draw_menu,
    "patient": _draw_patient,
    "chart": _draw_chart,
    "start": _draw_start,
}
