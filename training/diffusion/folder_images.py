"""A user's own images: a folder with a labels.csv of file, view, style and subject."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np

from services.cine.cine import UInt8Array
from services.cine.errors import ConfigError
from services.cine.preprocessing import preprocess, to_frames
from services.cine.sector import Sector
from services.cine.views import TARGET_VIEWS
from training.diffusion.config import LABELS_COLUMNS, LABELS_FILE
from training.diffusion.dataset import ImageSet, Parts

_ONE_OF = 10
"""One subject of so many is held out, chosen by its name: adding others moves none."""


def load_folder(folder: Path, styles: tuple[str, ...]) -> Parts:
    """Read every image that labels.csv names, each already cut to its sector, and split them by subject.

    Args:
        folder: holds labels.csv and the images, in any format that OpenCV reads and any size.
        styles: names of the sources, in the order of their indices.

    Raises:
        ConfigError: a column, a file or a subject is missing, a view or style is unknown; the message names the line.
    """
    rows = _read_labels(folder / LABELS_FILE, styles)
    held_out = [row for row in rows if _is_held_out(row["subject"])]
    training = [row for row in rows if not _is_held_out(row["subject"])]
    if not held_out or not training:
        raise ConfigError(
            found=f"{len({row['subject'] for row in rows})} subjects, and none left for one of both parts",
            expected=f"enough subjects to hold out about one of {_ONE_OF}",
            advice=f"Write a subject for each image into {LABELS_FILE}; images of one heart have the same.",
        )
    names = sorted({row["subject"] for row in rows})
    return Parts(*(_gather(folder, part, styles, names) for part in (training, held_out)))


def _read_labels(path: Path, styles: tuple[str, ...]) -> list[dict[str, str]]:
    if not path.exists():
        raise _refuse(f"no {path}", f"a table with the columns {', '.join(LABELS_COLUMNS)}")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    views = [view.value for view in TARGET_VIEWS]
    for number, row in enumerate(rows, start=2):
        if not all(row.get(column) for column in LABELS_COLUMNS):
            raise _refuse(f"a missing value in line {number}", ", ".join(LABELS_COLUMNS))
        if row["view"] not in views:
            raise _refuse(f"an unknown view in line {number}", f"one of {', '.join(views)}")
        if row["style"] not in styles:
            raise _refuse(f"an unknown style in line {number}", f"one of the preset's: {', '.join(styles)}")
    return rows


def _gather(folder: Path, rows: list[dict[str, str]], styles: tuple[str, ...], names: list[str]) -> ImageSet:
    views = [view.value for view in TARGET_VIEWS]
    return ImageSet(
        images=np.concatenate([_read_image(folder / row["file"]) for row in rows]),
        views=np.array([views.index(row["view"]) for row in rows], np.int64),
        styles=np.array([styles.index(row["style"]) for row in rows], np.int64),
        subjects=np.array([names.index(row["subject"]) for row in rows], np.int64),
        left_out=0,
    )


def _read_image(path: Path) -> UInt8Array:
    """Read one image as model input, [1, 112, 112]."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.exists() else None
    if grey is None:
        raise _refuse(f"no readable image {path}", "a PNG or JPEG file")
    rows, columns = grey.shape
    corners = np.array([[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]], np.float32)
    return to_frames(preprocess(np.asarray(grey, np.uint8)[None], Sector(corners, rows, columns)))


def _is_held_out(subject: str) -> bool:
    return int(hashlib.sha256(subject.encode()).hexdigest(), 16) % _ONE_OF == 0


def _refuse(found: str, expected: str) -> ConfigError:
    return ConfigError(found=found, expected=expected, advice=f"Correct {LABELS_FILE}.")
