"""Views first: making images never keeps a view waiting for more than one inference."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from numpy.typing import NDArray

from services.models.backend import Backend
from services.models.repository import ModelIdentity

PATIENCE_S = 1.0
"""After so long one background inference goes ahead although views are still asked for: slow, but not never."""

_NICER_BY = 10
"""Beside a busy thread of ordinary priority one that gives way gets a tenth of a core: slow, but not never."""

_NICEST = 19


def give_way() -> None:
    """Give the calling thread, and those it starts, a lower priority on the processor; it cannot be taken back."""
    before = os.getpriority(os.PRIO_PROCESS, 0)  # on Linux 0 is this thread, not the process
    os.setpriority(os.PRIO_PROCESS, 0, min(before + _NICER_BY, _NICEST))


class Gate:
    """Lets one background inference start at a time, and only while no interactive one waits or runs.

    Args:
        patience_s: how long a background inference waits for that, s.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._interactive = 0
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()
        self._background = asyncio.Lock()

    @contextmanager
    def interactive(self) -> Iterator[None]:
        """Hold back what is in the background."""
        self._interactive += 1
        self._is_quiet.clear()
        try:
            yield
        finally:
            self._interactive -= 1
            if not self._interactive:
                self._is_quiet.set()

    @asynccontextmanager
    async def background(self) -> AsyncIterator[None]:
        """Wait for a turn."""
        async with self._background:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    await self._is_quiet.wait()
            yield


class _Gated:
    """A backend behind a gate."""

    def __init__(self, backend: Backend, gate: Gate) -> None:
        self._backend, self._gate = backend, gate

    @property
    def identity(self) -> ModelIdentity:
        """Which weights answer."""
        return self._backend.identity

    async def is_ready(self) -> bool:
        """Say whether a call would be answered now."""
        return await self._backend.is_ready()

    async def close(self) -> None:
        """Let go of the model."""
        await self._backend.close()


class InteractiveBackend(_Gated):
    """Runs a model that somebody waits for."""

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        """Run the model once, at once; as `Backend.infer`."""
        with self._gate.interactive():
            return await self._backend.infer(inputs, timeout_s)


class BackgroundBackend(_Gated):
    """Runs a model that can wait."""

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        """Run the model once, when it is its turn; as `Backend.infer`.

        An inference cannot be stopped: a caller that is cancelled keeps its turn until it ends, so that the next does
        not run beside it.
        """
        async with self._gate.background():
            call = asyncio.ensure_future(self._backend.infer(inputs, timeout_s))
            try:
                return await asyncio.shield(call)
            except asyncio.CancelledError:
                await asyncio.wait([call])
                if not call.cancelled():
                    call.exception()  # heard by nobody else; asyncio would log it as lost
                raise
