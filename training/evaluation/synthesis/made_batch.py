"""A made batch as pictures: the folder that `echoplane synthesize` or a job leaves, read back and checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from services.cine.cine import UInt8Array
from services.cine.errors import ConfigError, StorageError
from services.cine.views import TARGET_VIEWS
from services.synthesis.manifest import MANIFEST
from services.synthesis.plan import ImageFormat
from services.synthesis.store import Store
from training.evaluation.synthesis.pictures import Pictures, count_styles


@dataclass(frozen=True)
class MadeBatch:
    """A whole batch.

    Attributes:
        pictures: of it.
        model_sha256: of the weights that made it.
        replaced: copies that the filter replaced while it was made; None where there was no filter.
    """

    pictures: Pictures
    model_sha256: str
    replaced: int | None


def read_batch(folder: str, styles: tuple[str, ...]) -> MadeBatch:
    """Read a whole batch.

    Args:
        folder: path or URL of the one that holds manifest.json.
        styles: of the generator, in the order of their indices.

    Raises:
        ConfigError: there is no manifest, so the batch is not whole, or a file is not the one that it tells of.
    """
    store = Store(folder)
    try:
        manifest: dict[str, Any] = json.loads(store.get(MANIFEST))
        rows, checked = manifest["images"], manifest["copy_filter"]
        replaced = int(checked["replaced"]) if checked["index"] else None
        sha256 = str(manifest["model"]["sha256"])
        is_png = ImageFormat(manifest["image_format"]) is ImageFormat.PNG
        frames = [_read(store, row) for row in rows] if is_png else []
    except (StorageError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            found=f"no whole batch in {folder} ({type(error).__name__})",
            expected=f"a folder with {MANIFEST} and every image that it names",
            advice="Give the folder of one batch; an unfinished one has no manifest yet.",
        ) from error
    if not frames:
        raise ConfigError(
            found="no images, or DICOM, whose corner bears a word",
            expected="PNG images",
            advice="Make it with --format PNG: the same order and seed show the same pictures.",
        )
    every = np.arange(len(rows))
    views = [view.value for view in TARGET_VIEWS]
    pictures = Pictures(
        frames=np.stack(frames),
        views=np.array([views.index(row["view"]) for row in rows], np.int64),
        styles=count_styles((row["style"] for row in rows), styles),
        subjects=every,
        cines=every,
    )
    return MadeBatch(pictures, sha256, replaced)


def _read(store: Store, row: dict[str, Any]) -> UInt8Array:
    """Read one image, [112, 112]."""
    data = store.get(row["file"])
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise ConfigError(
            found=f"another file under the name {row['file']}",
            expected="the bytes that the manifest tells of",
            advice="Make the batch again; the same order gives the same bytes.",
        )
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.asarray(image, np.uint8)
