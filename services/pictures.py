"""Pictures of an answer: the frames the model saw, the sector's outline, the view it named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from services.cine.cine import UInt8Array
from services.cine.intake import Intake
from services.cine.preprocessing import MODEL_SIDE_PX, place, to_frames
from services.cine.sector import Sector

_SCALE = 2
_COLUMNS = 4
_BAR_PX = 30
ROW_HEIGHT_PX = _BAR_PX + MODEL_SIDE_PX * _SCALE
"""Height of a picture's title and first row of frames."""
_OUTLINE = (90, 200, 250)
_GOOD, _BAD, _GREY = (120, 220, 120), (250, 130, 110), (200, 200, 200)


def draw_answer(intake: Intake, title: str, is_good: bool, frame_titles: list[str]) -> UInt8Array:
    """Draw one answer.

    Args:
        intake: the cine as the model saw it; without model input only the title is drawn.
        title: the answer in words.
        is_good: its colour.
        frame_titles: one a frame.

    Returns:
        RGB, [H, W, 3].
    """
    tile = MODEL_SIDE_PX * _SCALE
    tiles = [_tile(frame, intake) for frame in to_frames(intake.model_input)] or [np.zeros((tile, tile, 3), np.uint8)]
    for image, text in zip(tiles, frame_titles, strict=False):
        _write(image, text, (4, tile - 6), 0.38, _GREY)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    bar = np.zeros((_BAR_PX, tile * _COLUMNS, 3), np.uint8)
    _write(bar, title, (8, 20), 0.5, _GOOD if is_good else _BAD)
    return np.vstack([bar, *rows])


def draw_tile(intake: Intake) -> UInt8Array:
    """Draw the middle one of the frames the model saw and the sector's outline, RGB [112, 112, 3].

    Args:
        intake: a cine with model input.
    """
    tile = _tile(to_frames(intake.model_input)[len(intake.model_input) // 2], intake)
    return np.asarray(cv2.resize(tile, (MODEL_SIDE_PX, MODEL_SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def draw_overview(rows: list[tuple[str, list[UInt8Array]]], columns: int) -> UInt8Array:
    """Lay out rows of tiles, each under its title.

    Args:
        rows: title and tiles of each, at least one and at most `columns`.
        columns: tiles side by side.

    Returns:
        RGB, [H, W, 3].
    """
    parts: list[UInt8Array] = []
    for title, tiles in rows:
        bar = np.zeros((_BAR_PX, MODEL_SIDE_PX * columns, 3), np.uint8)
        _write(bar, title, (8, 20), 0.5, _GREY)
        parts += [bar, np.hstack([*tiles, *[np.zeros_like(tiles[0])] * (columns - len(tiles))])]
    return np.vstack(parts)


def save_picture(image: UInt8Array, path: Path) -> None:
    """Write RGB as a picture of the kind that the name ends in; the folder is made.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())


def _tile(frame: UInt8Array, intake: Intake) -> UInt8Array:
    size = (frame.shape[1] * _SCALE, frame.shape[0] * _SCALE)
    image = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
    placement = place(Sector(intake.outline_px, intake.cine.rows, intake.cine.columns))
    outline = (placement.to_model(intake.outline_px) + 0.5) * _SCALE - 0.5
    cv2.polylines(image, [np.round(outline).astype(np.int32)], True, _OUTLINE, 1, cv2.LINE_AA)
    return np.asarray(image, np.uint8)


def _write(image: UInt8Array, text: str, corner: tuple[int, int], size: float, colour: tuple[int, int, int]) -> None:
    """Write one line; OpenCV draws ASCII only, and ends the process over half a character."""
    ascii_text = text.encode("ascii", "backslashreplace").decode()
    cv2.putText(image, ascii_text, corner, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
