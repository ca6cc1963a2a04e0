"""A batch at a glance: the first images of each view and style, a row each."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import pydicom

from services.cine.cine import UInt8Array
from services.pictures import draw_overview
from services.synthesis.plan import ImageFormat

COLUMNS = 12
MOST_ROWS = 24
"""A sheet of more would be taller than a screen is by several times."""


def draw_sheet(manifest: Mapping[str, Any], read: Callable[[str], bytes]) -> UInt8Array:
    """Draw a sheet.

    Args:
        manifest: of the batch.
        read: gives a file by its name in the manifest.

    Returns:
        RGB, [H, W, 3].
    """
    rows: dict[tuple[str, str], list[str]] = {}
    for image in manifest["images"]:
        rows.setdefault((image["view"], image["style"]), []).append(image["file"])
    image_format = ImageFormat(manifest["image_format"])
    drawn = []
    for (view, style), files in sorted(rows.items())[:MOST_ROWS]:
        tiles = [_tile(read(name), image_format) for name in files[:COLUMNS]]
        drawn.append((f"{view}, style {style}: {len(files)} synthetic images", tiles))
    return draw_overview(drawn, COLUMNS)


def _tile(data: bytes, image_format: ImageFormat) -> UInt8Array:
    if image_format is ImageFormat.DICOM:
        grey = np.asarray(pydicom.dcmread(io.BytesIO(data)).pixel_array, np.uint8)
    else:
        grey = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE))
    return np.repeat(grey[..., None], 3, axis=2)  # [H, W] -> [H, W, 3]
