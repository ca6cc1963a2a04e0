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
    cv2.putText(image, text, corner, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
