"""What consoles write round their pictures: heads, parameters, tables, thumbnails; made-up names only."""

from collections.abc import Sequence

import cv2
import numpy as np

from training.simulator.arrays import ByteArray

Ink = tuple[int, int, int]  # BGR
Measure = tuple[str, float, float, str]  # name, smallest and largest value, unit
WHITE: Ink = (225, 225, 225)
FAINT: Ink = (140, 140, 140)
HEADS: tuple[Ink, ...] = ((96, 60, 28), (60, 60, 60), (20, 20, 20), (70, 40, 90), (110, 96, 20))
LOGOS: tuple[Ink, ...] = ((200, 120, 20), (40, 60, 220), (220, 220, 220), (60, 190, 90), (30, 160, 240))
PLACES = ("SIMULATED CARDIOLOGY", "ECHO LABORATORY", "Ward 3 Echo", "HEART CENTRE SIM", "Outpatients")
PROBES = ("S5-1", "M5Sc", "X5-1", "P4-2", "3Sc-RS", "SP5-1s", "PST-30BT")
PARAMETERS = (
    "FR {0} Hz",
    "{1} cm",
    "2D",
    "{2}%",
    "C {3}",
    "P Low",
    "HGen",
    "Gn {2}",
    "MI 1.{4}",
    "TIS 0.{4}",
    "V 1.7/3.4 MHz",
    "Pwr 0.0 dB",
)


def write(picture: ByteArray, text: str, at: tuple[float, float], ink: Ink = WHITE, size: float = 1.0) -> None:
    """Write a line of text on [H, W, 3] in place; `at` is the lower left corner in pixels, `size` 1 is body text."""
    scale = max(size * picture.shape[0] / 1250, 0.3)
    place = (int(at[0]), int(at[1]))
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1 + (scale > 0.9), cv2.LINE_AA)


def line_px(picture: ByteArray, size: float = 1.0) -> float:
    """Distance of two lines of text in pixels."""
    return float(max(size * picture.shape[0] / 1250, 0.3) * 38)


def draw_head(picture: ByteArray, rng: np.random.Generator) -> None:
    """A logo, the place and the date in a bar along the top of [H, W, 3], in place."""
    width = picture.shape[1]
    bottom = int(line_px(picture) * 1.2)
    picture[:bottom] = HEADS[int(rng.integers(len(HEADS)))]
    draw_logo(picture, rng, (bottom * 0.6, bottom * 0.5), bottom * 0.35)
    write(picture, str(rng.choice(PLACES)), (bottom * 1.4, bottom * 0.75), size=0.9)
    write(picture, "SIMULATED^SUBJECT", (0.38 * width, bottom * 0.75), size=0.9)
    write(picture, f"{rng.choice(PROBES)}   {draw_date(rng)}", (0.68 * width, bottom * 0.75), size=0.9)


def draw_date(rng: np.random.Generator) -> str:
    """A date and a time of day."""
    day, month, hour, minute = rng.integers(1, 28), rng.integers(1, 13), rng.integers(7, 19), rng.integers(60)
    return f"{day:02d}/{month:02d}/2020 {hour:02d}:{minute:02d}"


def draw_logo(picture: ByteArray, rng: np.random.Generator, centre: tuple[float, float], radius: float) -> None:
    """A maker's mark: disc, ring, triangle or bars, on [H, W, 3] in place."""
    ink, (x, y), size = LOGOS[int(rng.integers(len(LOGOS)))], centre, max(int(radius), 2)
    shape, at = int(rng.integers(4)), (int(x), int(y))
    if shape < 2:
        cv2.circle(picture, at, size, ink, -1 if shape else max(size // 4, 1), cv2.LINE_AA)
    elif shape == 2:
        corners = np.array([[x - size, y + size], [x + size, y + size], [x, y - size]], dtype=np.int32)
        cv2.fillPoly(picture, [corners], ink, cv2.LINE_AA)
    else:
        for bar in range(3):
            left = int(x - size + bar * 0.75 * size)
            cv2.rectangle(picture, (left, int(y + size - bar * 0.7 * size)), (left + size // 2, int(y + size)), ink, -1)


def draw_parameters(picture: ByteArray, rng: np.random.Generator, at: tuple[float, float], ink: Ink, rows: int) -> None:
    """The machine's settings as short lines under each other, on [H, W, 3] in place."""
    for row, form in enumerate(PARAMETERS[:rows]):
        text = form.format(
            *(int(rng.integers(low, high)) for low, high in ((28, 80), (12, 19), (40, 80), (30, 60), (0, 9)))
        )
        write(picture, text, (at[0], at[1] + row * line_px(picture, 0.85)), ink, 0.85)


def draw_table(
    picture: ByteArray, rng: np.random.Generator, at: tuple[float, float], rows: Sequence[Measure], ink: Ink
) -> None:
    """Measurements with names and values in a thin frame, on [H, W, 3] in place."""
    step, (x, y) = line_px(picture, 0.85), at
    right = x + 11 * step
    corners = (int(x - step / 2), int(y - step)), (int(right), int(y + (len(rows) - 0.4) * step))
    cv2.rectangle(picture, *corners, FAINT, 1)
    for row, (name, low, high, unit) in enumerate(rows):
        line = y + row * step
        for text, place in ((name, x), (f"{rng.uniform(low, high):.1f}", right - 4.5 * step), (unit, right - 2 * step)):
            write(picture, text, (place, line), ink, 0.85)
