"""Units in, images out, as they are made: one inference ahead, copies replaced, nothing left running behind."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from services.cine.cine import FloatArray
from services.cine.errors import ModelContractError
from services.cine.preprocessing import to_frames
from services.models.backend import Backend
from services.models.echo_synthesizer import BATCH, Draw, style_indices, synthesize, view_indices
from services.models.repository import ModelIdentity
from services.synthesis.artefacts import Artefact, write_image
from services.synthesis.copies import CopyCheck
from services.synthesis.plan import ImageFormat, Unit, next_attempt

_T = TypeVar("_T")

MOST_ATTEMPTS = 20
"""A unit whose image is a copy so many times over comes from a model that has learned its training images by heart."""


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
        copies: tells copies; None where there is no index.
        threads: where images are looked at and written into memory, beside the event loop.
        infer_timeout_s: how long one inference may take, s.
    """

    backend: Backend
    copies: CopyCheck | None
    threads: Executor | None
    infer_timeout_s: float

    @property
    def identity(self) -> ModelIdentity:
        """Which weights make the images."""
        return self.backend.identity

    @property
    def copy_index(self) -> str:
        """Name the index that images are held against; empty where there is none."""
        return "" if self.copies is None else self.copies.index

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
                copies, made = await self._beside(partial(self._finish, asked, images, image_format))
                waiting.extend(_again(unit, batch_seed) for unit in copies)
                running = running or self._start(waiting)
                if made:
                    yield made
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

    async def _beside(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    def _finish(
        self, asked: list[Unit], images: FloatArray, image_format: ImageFormat
    ) -> tuple[list[Unit], list[Made]]:
        """Give the units whose images are copies, and the files of the others."""
        is_copy = self._judge([unit.draw for unit in asked], images)
        found = list(zip(asked, to_frames(images), is_copy, strict=True))
        made = [
            Made(unit, write_image(frame, unit, self.identity, image_format)) for unit, frame, copy in found if not copy
        ]
        return [unit for unit, _, copy in found if copy], made

    def _judge(self, draws: list[Draw], images: FloatArray) -> list[bool]:
        if self.copies is None:
            return [False] * len(draws)
        if self.copies.model_sha256 != self.identity.sha256:
            raise ModelContractError(
                found=f"a copy index for weights {self.copies.model_sha256[:12]}",
                expected=f"one for {self.identity.sha256[:12]}, which are served now",
                advice="Restart the gateway with the index of these weights.",
            )
        places = np.minimum(np.arange(BATCH), len(draws) - 1)  # as in inference: no answer may depend on the batching
        views, styles = view_indices(draws)[places], style_indices(draws, self.identity.styles)[places]
        judged = self.copies.filter.judge(images[places], views, styles)[: len(draws)]
        self.copies.keep(draws, judged)
        return [each.is_copy for each in judged]


def _again(unit: Unit, batch_seed: int) -> Unit:
    if unit.attempt >= MOST_ATTEMPTS:
        raise ModelContractError(
            found=f"{MOST_ATTEMPTS + 1} copies of training images one after another",
            expected="an image of its own",
            advice="Serve a synthesizer that was trained on more images, or for less long.",
        )
    return next_attempt(unit, batch_seed)
