"""Makes black what lies outside the sector, and leaves every sample inside as it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.acquisition.deidentification.stored_pixels import StoredPixels, in_stored_bits
from services.cine.cine import BoolArray
from services.cine.dicom.colour import Greys, Palette, Rgb, Samples, Ybr

_NEUTRAL_CHROMA = 128  # PS3.3 C.7.6.3.1.2, YBR_FULL


def blackened(pixels: StoredPixels, inside: BoolArray) -> Iterator[Samples]:
    """Give each frame with nothing outside the sector.

    Args:
        pixels: of an object; its frames are used up.
        inside: what stays, [H, W].

    Yields:
        Frames as they are stored, [H, W] or [H, W, 3].
    """
    if pixels.has_halved_chroma:  # both neighbours stay, or neither
        inside = inside.reshape(len(inside), -1, 2).any(axis=2).repeat(2, axis=1)  # [H, W] -> [H, W/2] -> [H, W]
    black, kept = _black(pixels), inside if pixels.samples_per_pixel == 1 else inside[..., None]
    for frame in pixels.frames:
        yield np.where(kept, in_stored_bits(frame, pixels.form), black.astype(frame.dtype))


def _black(pixels: StoredPixels) -> NDArray[np.int64]:
    """Give the sample, [], or the three, [3], that are shown darkest."""
    colours = pixels.colours
    if isinstance(colours, Palette):
        return np.asarray(colours.lumas.argmin())
    if not isinstance(colours, Greys | Rgb | Ybr):
        raise TypeError("samples of an unknown meaning")
    levels = np.arange(256) if colours.table is None else colours.table.astype(np.int64)
    darkest = levels.argmin()
    if isinstance(colours, Greys):
        return np.asarray(darkest)
    if isinstance(colours, Rgb):
        return np.full(3, darkest)
    neutral = np.abs(levels - _NEUTRAL_CHROMA).argmin()
    return np.array([darkest, neutral, neutral])
