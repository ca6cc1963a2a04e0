"""Cines for the screen: read in the sandbox, kept in memory for as long as the page may ask, and nowhere else."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from services.cine.film import Film

_JPEG_QUALITY = 85
_MARGIN_PX = 6
"""Black round the sector."""

_AT_A_TIME = 2
"""Films that are read at the same time: the answer comes first, and this machine may be a small one."""


@dataclass(frozen=True)
class Reel:
    """A film as the page gets it.

    Attributes:
        frames: JPEG files.
        times_ms: start of each since the first of the cine, ms.
        outline_px: the sector's outline, (column, row) each; empty where no sector was found, and nothing is shown.
        columns, rows: size of a frame, px.
    """

    frames: tuple[bytes, ...]
    times_ms: tuple[float, ...]
    outline_px: tuple[tuple[float, float], ...]
    columns: int
    rows: int

    @classmethod
    def of(cls, film: Film) -> Reel:
        """Cut a film to its sector and compress it; without one there is nothing to be seen, and it has no frames."""
        if film.outline_px is None:
            return cls((), (), (), film.frames.shape[2], film.frames.shape[1])
        low = np.maximum(np.floor(film.outline_px.min(axis=0)).astype(int) - _MARGIN_PX, 0)
        high = np.ceil(film.outline_px.max(axis=0)).astype(int) + 1 + _MARGIN_PX
        cut = film.frames[:, low[1] : high[1], low[0] : high[0]]
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        frames = tuple(cv2.imencode(".jpg", frame, options)[1].tobytes() for frame in cut)
        outline = tuple((float(column), float(row)) for column, row in film.outline_px - low)
        return cls(frames, tuple(map(float, film.times_ms)), outline, cut.shape[2], cut.shape[1])


class Films:
    """The films of this session, the newest of them; to be used on one event loop.

    Args:
        read: makes a film of a file's bytes, on a thread of its own.
        most: that are kept.
    """

    def __init__(self, read: Callable[[bytes], Film], most: int) -> None:
        self._read, self._most = read, most
        self._reels: OrderedDict[str, asyncio.Task[Reel]] = OrderedDict()
        self._reading = asyncio.Semaphore(_AT_A_TIME)

    def __len__(self) -> int:
        return len(self._reels)

    def begin(self, data: bytes) -> str:
        """Have a film made of a file, and name it at once by what nobody can guess."""
        name = uuid.uuid4().hex
        self._reels[name] = task = asyncio.create_task(self._make(data))
        task.add_done_callback(_seen)
        while len(self._reels) > self._most:
            self._reels.popitem(last=False)[1].cancel()
        return name

    def drop(self, name: str) -> None:
        """Forget a film."""
        task = self._reels.pop(name, None)
        if task is not None:
            task.cancel()

    async def get(self, name: str) -> Reel | None:
        """Wait for a film; None where it is not kept (any more).

        Raises:
            EchoplaneError: as `Sandbox.film`.
        """
        task = self._reels.get(name)
        if task is None:
            return None
        await asyncio.wait([task])
        return None if task.cancelled() else task.result()

    def close(self) -> None:
        """Forget all of them."""
        for name in list(self._reels):
            self.drop(name)

    async def _make(self, data: bytes) -> Reel:
        async with self._reading:
            return await asyncio.to_thread(lambda: Reel.of(self._read(data)))


def _seen(task: asyncio.Task[Reel]) -> None:
    """Look at an error that nobody may ask for."""
    if not task.cancelled():
        task.exception()
