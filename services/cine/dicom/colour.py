"""From stored samples to 8-bit grey and colour: depth, sign, window, palette, luma and chroma (PS3.3 C.7.6.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from services.cine.cine import UInt8Array
from services.cine.dicom.attributes import numbers
from services.cine.dicom.palette import read_palette
from services.cine.errors import CineUnsupportedError, Reason

Samples = NDArray[np.uint8] | NDArray[np.uint16]
"""One frame as it is stored, [H, W] or [H, W, 3]: bit patterns, sign and depth not yet looked at."""

SAMPLES_PER_PIXEL = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}
"""Of each Photometric Interpretation that is read (PS3.3 C.7.6.3.1.2)."""

YBR = ("YBR_FULL", "YBR_FULL_422")
"""Those whose samples are luma and chroma; a decoder of JPEG 2000 turns YBR_ICT and YBR_RCT into RGB."""

_NEUTRAL, _NEAR, _CLEARLY, _HARDLY = 128, 12, 0.5, 0.1


@dataclass(frozen=True)
class SampleFormat:
    """How samples are to be understood.

    Attributes:
        interpretation: Photometric Interpretation.
        allocated_bits: 8 or 16.
        stored_bits: those of them that count.
        shift_bits: how far these lie above the lowest bit.
        is_signed: two's complement.
    """

    interpretation: str
    allocated_bits: int
    stored_bits: int
    shift_bits: int
    is_signed: bool

    def values(self) -> NDArray[np.int32]:
        """Give the number that each bit pattern stands for, [2 ** allocated_bits]."""
        patterns = np.arange(2**self.allocated_bits, dtype=np.int32) >> self.shift_bits
        values = patterns & (2**self.stored_bits - 1)
        sign = 2 ** (self.stored_bits - 1)
        return np.asarray((values ^ sign) - sign if self.is_signed else values, np.int32)

    @property
    def lowest(self) -> int:
        """The smallest number that a sample can be."""
        return -(2 ** (self.stored_bits - 1)) if self.is_signed else 0


class Colours(Protocol):
    """Understands the samples of one kind of image."""

    def rgb(self, samples: Samples) -> UInt8Array:
        """Give [H, W, 3]."""

    def luma(self, samples: Samples) -> UInt8Array:
        """Give [H, W]."""


@dataclass(frozen=True)
class Greys:
    """One sample a pixel; `table` is None where it is the grey level itself."""

    table: UInt8Array | None

    def rgb(self, samples: Samples) -> UInt8Array:
        """Repeat the luma."""
        return np.asarray(cv2.cvtColor(self.luma(samples), cv2.COLOR_GRAY2RGB), np.uint8)

    def luma(self, samples: Samples) -> UInt8Array:
        """Look the samples up."""
        return _look_up(self.table, samples)


@dataclass(frozen=True)
class Palette:
    """An index a pixel: colours [N, 3] and their luma [N] by bit pattern."""

    colours: UInt8Array
    lumas: UInt8Array

    def rgb(self, samples: Samples) -> UInt8Array:
        """Look the samples up."""
        return np.take(self.colours, samples, axis=0)

    def luma(self, samples: Samples) -> UInt8Array:
        """Look the samples up."""
        return _look_up(self.lumas, samples)


@dataclass(frozen=True)
class Rgb:
    """Red, green and blue."""

    table: UInt8Array | None

    def rgb(self, samples: Samples) -> UInt8Array:
        """Look the samples up."""
        return _look_up(self.table, samples)

    def luma(self, samples: Samples) -> UInt8Array:
        """Weigh the channels (ITU-R BT.601)."""
        return np.asarray(cv2.cvtColor(_look_up(self.table, samples), cv2.COLOR_RGB2GRAY), np.uint8)


@dataclass(frozen=True)
class Ybr:
    """Luma and chroma, full range."""

    table: UInt8Array | None

    def rgb(self, samples: Samples) -> UInt8Array:
        """Convert (PS3.3 C.7.6.3.1.2); OpenCV wants the chroma the other way round."""
        ycrcb = np.ascontiguousarray(_look_up(self.table, samples)[..., [0, 2, 1]])
        return np.asarray(cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB), np.uint8)

    def luma(self, samples: Samples) -> UInt8Array:
        """Take the first channel."""
        return _look_up(self.table, samples[..., 0])


def colours_of(form: SampleFormat, attributes: Dataset, is_ybr: bool) -> Colours:
    """Choose how to understand samples.

    Args:
        form: how they are stored.
        attributes: of the object; window and palette are looked for.
        is_ybr: whether three samples are luma and chroma.

    Raises:
        CineUnsupportedError: a palette that is missing or damaged.
    """
    if form.interpretation == "PALETTE COLOR":
        colours = read_palette(attributes, form.values())
        if colours is None:
            raise CineUnsupportedError(
                Reason.PIXELS_UNSUPPORTED,
                found="palette colour without a whole palette",
                expected="three lookup tables (PS3.3 C.7.9)",
                advice="Export the cine as RGB.",
            )
        return Palette(colours, cv2.cvtColor(colours[None], cv2.COLOR_RGB2GRAY)[0])
    if SAMPLES_PER_PIXEL[form.interpretation] == 1:
        return Greys(_unless_identity(_grey_levels(form, attributes)))
    table = _unless_identity(_scaled(form))
    return Ybr(table) if is_ybr else Rgb(table)


def settle_ybr(samples: UInt8Array, claim: bool) -> bool:
    """Tell whether three samples [H, W, 3] are luma and chroma where nothing but a label says so.

    An ultrasound screen is mostly grey: its three channels are alike in RGB, and two of them near 128 in YCbCr. A label
    that makes almost nothing grey, where the other reading makes most of it grey, is wrong.
    """
    signed = samples.astype(np.int16)
    first, others = signed[..., :1], signed[..., 1:]
    grey_as_rgb = float((np.abs(others - first).max(axis=-1) <= _NEAR).mean())
    grey_as_ybr = float((np.abs(others - _NEUTRAL).max(axis=-1) <= _NEAR).mean())
    as_claimed, otherwise = (grey_as_ybr, grey_as_rgb) if claim else (grey_as_rgb, grey_as_ybr)
    return not claim if as_claimed < _HARDLY and otherwise > _CLEARLY else claim


def _look_up(table: UInt8Array | None, samples: Samples) -> UInt8Array:
    if table is None:
        return np.asarray(samples, np.uint8)
    if samples.dtype == np.uint8:
        return np.asarray(cv2.LUT(np.ascontiguousarray(samples), table), np.uint8)
    return np.take(table, samples)


def _unless_identity(table: UInt8Array) -> UInt8Array | None:
    return None if np.array_equal(table, np.arange(256)) else table


def _scaled(form: SampleFormat) -> UInt8Array:
    """Scale by Bits Stored: the upper eight of more bits, fewer stretched to 0 to 255; [2 ** allocated_bits]."""
    values = form.values() - form.lowest
    if form.stored_bits >= 8:
        return np.asarray(values >> (form.stored_bits - 8), np.uint8)
    return np.asarray(values * 255 // (2**form.stored_bits - 1), np.uint8)


def _grey_levels(form: SampleFormat, attributes: Dataset) -> UInt8Array:
    """Give the grey level of each bit pattern, [2 ** allocated_bits].

    More than eight bits go through the first window where it lies inside what can be stored (PS3.3 C.11.2.1.2, linear;
    modality rescale first); eight are what the scanner showed, and stay.
    """
    levels, window = _scaled(form), _window(form, attributes) if form.stored_bits > 8 else None
    if window is not None:
        center, width = window
        shown = (form.values() - (center - 0.5)) / max(width - 1, 1) + 0.5
        levels = np.asarray(np.clip(shown, 0, 1) * 255 + 0.5, np.uint8)
    return 255 - levels if form.interpretation == "MONOCHROME1" else levels


def _window(form: SampleFormat, attributes: Dataset) -> tuple[float, float] | None:
    """Give centre and width in stored values, None where there is none or it shows nothing."""
    center, width, slope, intercept = (
        (numbers(attributes, keyword) or [default])[0]
        for keyword, default in (("WindowCenter", 0), ("WindowWidth", 0), ("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    if width < 1 or slope <= 0:
        return None
    center, width = (center - intercept) / slope, max(1.0, width / slope)
    highest = form.lowest + 2**form.stored_bits - 1
    is_inside = form.lowest <= center <= highest and width <= 2 * (highest - form.lowest + 1)
    return (center, width) if is_inside else None
