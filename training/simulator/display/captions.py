"""What a console writes beside its picture, in blocks; made-up names, and numbers that agree with the cine."""

from collections.abc import Callable

import cv2
import numpy as np

from training.simulator.arrays import ByteArray
from training.simulator.display.screen import Screen
from training.simulator.sources.recipes import Colour, TextBlock
from training.simulator.styles import StyleDraw

GLYPH_PX = 26.0  # height of a line of OpenCV's plain letters at size 1, with a gap
BLOCK_LINES = 4  # after which the next block goes on with the settings
LEAST_SIZE = 0.16  # smaller letters are no longer drawn
PLACES = ("Echo Lab", "Adult Echo", "Cardiology", "TTE", "Room 4", "Ward 3")
PROBES = ("S5-1", "M5Sc", "X5-1", "P4-2", "3Sc", "SP5")
FIXED = ("2D", "HGen", "HPen", "P Low", "P Med", "Res", "General", "Pen", "Map A", "Map C", "AO 100%", "Frq Har", "OTI")
LEAST_STEP_PX = 3.5  # from line to line
RIGHT = 0.99  # right edge of what is written at the right
Writer = Callable[[str, float, float], None]  # text, and shares of width and height of its lower corner


def write_captions(
    picture: ByteArray, screen: Screen, style: StyleDraw, heart_rate_bpm: float, rng: np.random.Generator
) -> None:
    """Write what the style says on [H, W, 3] BGR, in place."""
    height, width = picture.shape[:2]
    size = max(style.marks.text_height * height / GLYPH_PX, LEAST_SIZE)
    step = max(style.marks.text_height, LEAST_STEP_PX / height)
    ink: Colour = style.marks.ink[::-1]

    def write(text: str, x: float, y: float) -> None:
        wide = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0] if x == RIGHT else 0
        at = (int(x * width) - wide, int(y * height))
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1 + (size > 0.9), cv2.LINE_AA)

    if "text" in style.overlays:
        lines = _settings(screen, style, rng)
        for number, block in enumerate(sorted(style.marks.text_blocks)):
            first = number * BLOCK_LINES % len(lines)
            _BLOCKS[block](write, lines[first:] + lines[:first], step, rng)
    if "heart_rate" in style.overlays:
        write(f"{heart_rate_bpm:.0f} bpm", RIGHT, 0.9 - step)


def _settings(screen: Screen, style: StyleDraw, rng: np.random.Generator) -> list[str]:
    """The machine's settings as short lines in a random order."""
    scanner = style.scanner
    told = [
        f"FR {style.frame_rate_hz:.0f}Hz",
        f"{screen.depth_mm / 10:.0f}cm",
        f"C {scanner.dynamic_range_db:.0f}",
        f"Gn {100 * scanner.muscle_grey_fraction:.0f}",
        f"{scanner.frequency_mhz / 2:.1f}/{scanner.frequency_mhz:.1f}MHz",
        f"MI 1.{rng.integers(0, 6)}",
        f"TIS 0.{rng.integers(3, 10)}",
        *(str(word) for word in rng.permutation(np.array(FIXED))[:5]),
    ]
    return [told[place] for place in rng.permutation(len(told))]


def _column(write: Writer, lines: list[str], step: float, rng: np.random.Generator, x: float) -> None:
    top = 0.34 if x == RIGHT else 3.7 * step + float(rng.uniform(0, 0.2))  # below the grey bar, below the corner's note
    for row, line in enumerate(lines[: int(rng.integers(3, 11))]):
        write(line, x, top + 1.25 * row * step)


def _head(write: Writer, step: float, rng: np.random.Generator) -> None:
    write(str(rng.choice(PLACES)), 0.01, 1.2 * step)
    date = f"{rng.integers(1, 28):02d}/{rng.integers(1, 13):02d}/20{rng.integers(8, 24):02d}"
    write(f"{date} {rng.integers(7, 19):02d}:{rng.integers(60):02d} {rng.choice(PROBES)}", RIGHT, 1.2 * step)


def _corners(write: Writer, lines: list[str], step: float) -> None:
    for line, (x, y) in zip(
        lines, ((0.01, 2.5 * step), (RIGHT, 2.5 * step), (0.01, 0.88), (RIGHT, 0.88)), strict=False
    ):
        write(line, x, y)


def _foot(write: Writer, lines: list[str], step: float) -> None:
    for place, line in enumerate(lines[:3]):
        write(line, 0.02 + 0.3 * place, 0.995 - 0.3 * step)


_BLOCKS: dict[TextBlock, Callable[[Writer, list[str], float, np.random.Generator], None]] = {
    TextBlock.LEFT_COLUMN: lambda write, lines, step, rng: _column(write, lines, step, rng, 0.01),
    TextBlock.RIGHT_COLUMN: lambda write, lines, step, rng: _column(write, lines, step, rng, RIGHT),
    TextBlock.HEAD: lambda write, lines, step, rng: _head(write, step, rng),
    TextBlock.CORNERS: lambda write, lines, step, rng: _corners(write, lines, step),
    TextBlock.FOOT: lambda write, lines, step, rng: _foot(write, lines, step),
}
