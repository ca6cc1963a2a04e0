"""Units in, images out, as they are made: one inference ahead, copies replaced, nothing left running behind."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from services.cine.cine import FloatArray, UInt8Array
from services.cine.errors import ModelContractError
from services.cine.preprocessing import to_frames
from services.models.backend import Backend
from services.models.echo_synthesizer import BATCH, synthesize
from services.models.repository import ModelIdentity
from services.synthesis.artefacts import Artefact, write_image
from services.synthesis.plan import ImageFormat, Unit, next_attempt

MOST_ATTEMPTS = 20
"""A unit whose image is a copy so many times over comes from a model that has learned its training images by heart."""


class CopyFilter(Protocol):
    """Tells copies of training images."""

    @property
    def identity(self) -> str:
        """Name the index it looks in, for the manifest."""

    async def judge(self, images: FloatArray, views: Sequence[str], styles: Sequence[str]) -> list[bool]:
        """Say of each image whether it is a copy; why stays in the filter's own record.

        Args:
            images: [N, 1, 112, 112] in [-1, 1].
            views: what was asked for, N.
            styles: what was asked for, N; "any" where none was.

        Raises:
            CapacityError, ModelError: it could not be said.
        """


@dataclass(frozen=True)
class Made:
    """One image that is made.

    Attributes:
        unit: which; its `attempt` counts the copies it stands in for.
        artefact: its file.
    """

    unit: Unit
    artefact: Artefact


class Maker(Protocol):
    """Makes the images of units, wherever it does so."""

    @property
    def identity(self) -> ModelIdentity:
        """Which weights make the images."""

    @property
    def copy_index(self) -> str:
        """Name the index that images are held against; empty where there is none."""

    def make(
        self, units: Iterable[Unit], batch_seed: int, image_format: ImageFormat
    ) -> AsyncGenerator[list[Made], None]:
        """Make images, some at a time, in any order; as `Studio.make`."""


@dataclass(frozen=True)
class Studio:
    """Everything that making images needs.

    Attributes:
        backend: runs the synthesizer.
        copy_filter: tells copies; None where the server has no index.
        threads: where files are written into memory, beside the event loop.
        infer_timeout_s: how long one inference may take, s.
    """

    backend: Backend
    copy_filter: CopyFilter | None
    threads: Executor | None
    infer_timeout_s: float

    @property
    def identity(self) -> ModelIdentity:
        """Which weights make the images."""
        return self.backend.identity

    @property
    def copy_index(self) -> str:
        """Name the index that images are held against; empty where there is none."""
        return "" if self.copy_filter is None else self.copy_filter.identity

    async def make(
        self, units: Iterable[Unit], batch_seed: int, image_format: ImageFormat
    ) -> AsyncGenerator[list[Made], None]:
        """Make images, those of one inference at a time; the next inference runs while these are looked at.

        A copy is replaced by the next seed of its unit, which comes later. Close the iterator (`aclosing`) to stop: at
        most one inference is then still running.

        Raises:
            ModelContractError: also where a unit brings nothing but copies.
            CapacityError, ModelError: as `Backend.infer`.
        """
        waiting = deque(units)
        running = self._start(waiting)
        try:
            while running is not None:
                asked, images = await running
                running = self._start(waiting)
                copies = await self._copies(asked, images)
                waiting.extend(_again(unit, batch_seed) for unit, is_copy in zip(asked, copies, strict=True) if is_copy)
                running = running or self._start(waiting)
                kept = [at for at, is_copy in enumerate(copies) if not is_copy]
                if kept:
                    yield await self._finish([asked[at] for at in kept], images[kept], image_format)
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait([running])  # whoever comes next must not run beside it
                if not running.cancelled():
                    running.exception()

    def _start(self, waiting: deque[Unit]) -> asyncio.Task[tuple[list[Unit], FloatArray]] | None:
        asked = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
        return asyncio.create_task(self._infer(asked)) if asked else None

    async def _infer(self, asked: list[Unit]) -> tuple[list[Unit], FloatArray]:
        return asked, await synthesize(self.backend, [unit.draw for unit in asked], self.infer_timeout_s)

    async def _copies(self, asked: list[Unit], images: FloatArray) -> list[bool]:
        if self.copy_filter is None:
            return [False] * len(asked)
        cells = [unit.cell for unit in asked]
        return await self.copy_filter.judge(images, [cell.view for cell in cells], [cell.style for cell in cells])

    async def _finish(self, units: list[Unit], images: FloatArray, image_format: ImageFormat) -> list[Made]:
        model = self.identity
        frames = to_frames(images)

        def write() -> list[Made]:
            return [Made(unit, write_image(frame, unit, model, image_format)) for unit, frame in _pairs(units, frames)]

        return await asyncio.get_running_loop().run_in_executor(self.threads, write)


def _pairs(units: list[Unit], frames: UInt8Array) -> list[tuple[Unit, UInt8Array]]:
    return list(zip(units, frames, strict=True))


def _again(unit: Unit, batch_seed: int) -> Unit:
    if unit.attempt >= MOST_ATTEMPTS:
        raise ModelContractError(
            found=f"{MOST_ATTEMPTS + 1} copies of training images one after another",
            expected="an image of its own",
            advice="Serve a synthesizer that was trained on more images, or for less long.",
        )
    return next_attempt(unit, batch_seed)
