"""Gives the pixels of an object frame by frame as they are stored, and what they mean.

What was compressed with loss is decoded as `services.cine` decodes it, to RGB, or to grey where it has one sample a
pixel: stored without loss, that is exactly what a reader of the original sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from pydicom import uid

from services.cine.budget import ReadLimits
from services.cine.dicom.attributes import DicomObject
from services.cine.dicom.colour import Colours, Greys, Palette, Rgb, SampleFormat, Samples, Ybr
from services.cine.dicom.frames import StoredFrames
from services.cine.dicom.pixels import VIDEO_SYNTAXES, HalvedChromaSource, open_pixels, sample_format
from services.cine.dicom.structure import damaged_pixels
from services.cine.media.video import elementary_colour_frames


@dataclass(frozen=True)
class StoredPixels:
    """Samples that can be stored again.

    Attributes:
        form: how each is stored; its interpretation is what the samples are, whatever the object called them.
        colours: what they mean.
        has_halved_chroma: whether two neighbours in a row share their chroma (YBR_FULL_422, uncompressed).
        frames: each frame once, in order, [H, W] or [H, W, 3]; bits beyond Bits Stored are not yet cleared.
    """

    form: SampleFormat
    colours: Colours
    has_halved_chroma: bool
    frames: Iterator[Samples]

    @property
    def samples_per_pixel(self) -> int:
        """1 or 3."""
        return 3 if isinstance(self.colours, Rgb | Ybr) else 1


def open_stored_pixels(found: DicomObject, shape: tuple[int, int, int], limits: ReadLimits) -> StoredPixels:
    """Open the pixels of an object that `read_cine` has accepted; none is decoded yet but the first.

    Args:
        found: the object.
        shape: frames as `read_cine` counts them, rows, columns.
        limits: what it may cost.

    Raises:
        CineUnreadableError, CineUnsupportedError, LimitExceededError: as `read_cine`; iterating raises them too.
    """
    pixels, frame_count = found.pixels, shape[0]
    if pixels is None:
        raise damaged_pixels("an object without pixels")
    if found.syntax in VIDEO_SYNTAXES and pixels.fragments is not None:
        video = elementary_colour_frames(b"".join(pixels.fragments[1:]), limits)
        return _as_shown("RGB", _counted(video, frame_count))
    samples, form = sample_format(found.attributes, shape)
    store = open_pixels(found, pixels, shape, limits)
    if not isinstance(store, StoredFrames):  # JPEG of 8 bits
        if samples == 1:
            return _as_shown("MONOCHROME2", (store.grey(index, 1) for index in range(frame_count)))
        return _as_shown("RGB", (store.colour(index, 1) for index in range(frame_count)))
    allocated = store.source.samples(0, 1).itemsize * 8
    if pixels.fragments is not None and found.syntax != uid.RLELossless:  # decoders put samples into the lowest bits
        stored = min(form.stored_bits, allocated)
        form = replace(form, allocated_bits=allocated, stored_bits=stored, shift_bits=0)
    has_halved_chroma = isinstance(store.source, HalvedChromaSource)
    form = replace(form, interpretation=_interpretation(store.colours, form.interpretation, has_halved_chroma))
    frames = (store.source.samples(index, 1) for index in range(frame_count))
    return StoredPixels(form, store.colours, has_halved_chroma, frames)


def _as_shown(interpretation: str, frames: Iterator[Samples]) -> StoredPixels:
    colours = Rgb(None) if interpretation == "RGB" else Greys(None)
    return StoredPixels(SampleFormat(interpretation, 8, 8, 0, False), colours, False, frames)


def _interpretation(colours: Colours, claimed: str, has_halved_chroma: bool) -> str:
    """Name what samples are (PS3.3 C.7.6.3.1.2)."""
    if isinstance(colours, Palette):
        return "PALETTE COLOR"
    if isinstance(colours, Ybr):
        return "YBR_FULL_422" if has_halved_chroma else "YBR_FULL"
    if isinstance(colours, Rgb):
        return "RGB"
    return claimed if claimed.startswith("MONOCHROME") else "MONOCHROME2"


def _counted(frames: Iterator[Samples], frame_count: int) -> Iterator[Samples]:
    """Pass on as many frames as the header of the clean object will name.

    Raises:
        CineUnreadableError: there are fewer.
    """
    for number in range(frame_count):
        frame = next(frames, None)
        if frame is None:
            raise damaged_pixels(f"{number} frames that decode where {frame_count} did before")
        yield frame


def in_stored_bits(frame: Samples, form: SampleFormat) -> Samples:
    """Clear the bits of a frame that do not belong to its samples: overlays were once kept there (PS3.5 section 8.1.2).

    In signed samples that fill the lowest bits they repeat the sign, for that is how most readers take them.
    """
    if form.stored_bits == form.allocated_bits:
        return frame
    counted = 2**form.stored_bits - 1
    if form.is_signed and not form.shift_bits:
        sign = 2 ** (form.stored_bits - 1)
        values = ((frame.astype(np.int32) & counted) ^ sign) - sign
    else:
        values = frame & (counted << form.shift_bits)
    stored: Samples = values.astype(frame.dtype)
    return stored
