"""All that the rules of validation look at, measured when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.cine.cine import BoolArray, Cine, FloatArray, UInt8Array
from services.cine.sector import Sector
from services.cine.sector_echo import lasting_sd
from services.cine.validation.colour import Colouring, find_written, measure_colouring
from services.cine.validation.layout import (
    Part,
    StripMotion,
    around,
    changed_fraction,
    detail,
    echo_mask,
    parts,
    strip_motion,
)

AVERAGED_FRAMES = 8
"""Speckle evens out over so many."""


@dataclass(frozen=True)
class Evidence:
    """All that the rules look at.

    Attributes:
        cine: for its times and regions.
        thumbnails: its sound frames, grey and reduced, [T, h, w].
        sector: where its echo is, or None.
        decode_colours: gives some frames in colour, reduced, [N, h', w', 3] RGB; asked only where B-mode may be.
        damaged_count: frames that were left out.
    """

    cine: Cine
    thumbnails: UInt8Array
    sector: Sector | None
    decode_colours: Callable[[], UInt8Array]
    damaged_count: int = 0

    @cached_property
    def frame(self) -> UInt8Array:
        """The middle frame, [h, w]."""
        return np.asarray(self.thumbnails[len(self.thumbnails) // 2])

    @cached_property
    def average(self) -> FloatArray:
        """The mean of some frames, [h, w], grey levels."""
        step = -(-len(self.thumbnails) // AVERAGED_FRAMES)
        return np.asarray(self.thumbnails[::step].mean(axis=0, dtype=np.float32))

    @cached_property
    def detail(self) -> UInt8Array:
        """How rough the middle frame is, [h, w]."""
        return detail(self.frame)

    @cached_property
    def motion(self) -> FloatArray:
        """How much each pixel changes all the time, [h, w], grey levels."""
        return lasting_sd(self.thumbnails)

    @cached_property
    def inside(self) -> BoolArray:
        """The inside of the sector at the size of a thumbnail, [h, w]; nothing without a sector."""
        if self.sector is None:
            return np.zeros(self.frame.shape, np.bool_)
        return self.sector.mask(-(-self.cine.rows // self.frame.shape[0]))

    @cached_property
    def echo(self) -> UInt8Array:
        """What is seen or moves inside the sector, 0 and 1, [h, w]."""
        return echo_mask(self.frame, self.motion, self.inside)

    @cached_property
    def strip(self) -> StripMotion:
        """What happens where a strip would run."""
        return strip_motion(self.thumbnails)

    @cached_property
    def changed_beside(self) -> float:
        """The share of the picture that changes in the course of the cine outside the sector."""
        return changed_fraction(self.thumbnails, around(self.inside))

    @cached_property
    def beside(self) -> list[Part]:
        """The parts with detail outside the sector, the largest first."""
        return parts(self.frame, around(self.inside))

    @cached_property
    def colours(self) -> list[Colouring]:
        """How each colour frame is coloured inside the sector."""
        if self.sector is None:
            return []
        frames = self.decode_colours()
        inside = self.sector.mask(-(-self.cine.rows // frames.shape[1]))
        written = find_written(frames)
        return [measure_colouring(frame, inside, written) for frame in frames]
