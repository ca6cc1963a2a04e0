"""Frames that had to be decoded at once: sequential codecs, stills and volumes keep them small and mostly grey."""

from __future__ import annotations

import cv2
import numpy as np

from services.cine.cine import UInt8Array, reduce_frame

KEPT_SIDE_PX = 448
"""A sequential codec is decoded once; frames whose short side is at least twice this (four times the model's 112 px,
so nothing the model sees is lost) are kept at half size."""

COLOUR_EVERY = 10
"""One frame in so many is kept in colour too: a box may be switched on late, and a jet lasts a third of a beat."""


class DecodedFrames:
    """All frames of one cine, grey, some of them in colour too; a `FrameStore`.

    Attributes:
        rows, columns: size of a frame in the source, H and W, px; 0 before the first.
        times_s: presentation time of each frame as the container tells it, s, in the order of the frames.
        damaged: indices of the frames that the decoder flagged as concealed or corrupt.
    """

    def __init__(self) -> None:
        self.rows = self.columns = 0
        self.times_s: list[float] = []
        self.damaged: frozenset[int] = frozenset()
        self._grey: list[UInt8Array] = []
        self._colour: list[UInt8Array] = []

    @property
    def frame_count(self) -> int:
        """T."""
        return len(self._grey)

    @property
    def wants_colour(self) -> bool:
        """Whether the next frame is one that is kept in colour too."""
        return self.frame_count % COLOUR_EVERY == 0

    def append(self, grey: UInt8Array, colour: UInt8Array | None, time_s: float, is_damaged: bool = False) -> None:
        """Keep one more frame.

        Args:
            grey: luma, full range, [H, W].
            colour: RGB, [H, W, 3]; must be there where `wants_colour`, is dropped elsewhere.
            time_s: when it is shown, s.
            is_damaged: whether the decoder flagged it.

        Raises:
            ValueError: the frame is of another size than the first.
        """
        if self._grey and grey.shape != (self.rows, self.columns):
            raise ValueError("the frame size changes inside the file")
        self.rows, self.columns = grey.shape
        if is_damaged:
            self.damaged |= {self.frame_count}
        if self.wants_colour and colour is not None:
            self._colour.append(reduce_frame(colour, self._reduction))
        self._grey.append(reduce_frame(grey, self._reduction))
        self.times_s.append(time_s)

    def colour(self, index: int, reduction: int) -> UInt8Array:
        """Give the colour frame that was kept nearest before `index`."""
        return self._resized(self._colour[index // COLOUR_EVERY], reduction)

    def grey(self, index: int, reduction: int) -> UInt8Array:
        """Give a kept grey frame, reduced further where asked."""
        return self._resized(self._grey[index], reduction)

    @property
    def _reduction(self) -> int:
        """How much smaller than the source the frames are kept."""
        return 2 if min(self.rows, self.columns) >= 2 * KEPT_SIDE_PX else 1

    def _resized(self, frame: UInt8Array, reduction: int) -> UInt8Array:
        if reduction >= self._reduction:
            return reduce_frame(frame, reduction // self._reduction)
        return np.asarray(cv2.resize(frame, (self.columns, self.rows), interpolation=cv2.INTER_LINEAR), np.uint8)
