"""Views go first; images wait, but not for ever, and one at a time."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.models.priority import BackgroundBackend, Gate, InteractiveBackend, give_way
from services.models.repository import ModelIdentity

IDENTITY = ModelIdentity("m", "1", "ab" * 32, "onnxruntime", "nothing", 0.0)


class Slow:
    """A backend whose calls end when they are let."""

    def __init__(self) -> None:
        self.identity, self.started, self.ended = IDENTITY, 0, 0
        self.let = asyncio.Event()
        self.error: Exception | None = None

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        self.started += 1
        await self.let.wait()
        self.ended += 1
        if self.error is not None:
            raise self.error
        return {"images": np.zeros(1)}

    async def is_ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass


async def settle() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_images_wait_while_views_are_asked_for() -> None:
    gate, views, images = Gate(patience_s=60.0), Slow(), Slow()
    view = asyncio.create_task(InteractiveBackend(views, gate).infer({}, 1.0))
    await settle()
    image = asyncio.create_task(BackgroundBackend(images, gate).infer({}, 1.0))
    await settle()
    assert (views.started, images.started) == (1, 0)
    views.let.set()
    images.let.set()
    await view
    assert "images" in await image


async def test_a_view_never_waits_for_images() -> None:
    gate, views, images = Gate(patience_s=60.0), Slow(), Slow()
    views.let.set()
    image = asyncio.create_task(BackgroundBackend(images, gate).infer({}, 1.0))
    await settle()
    assert images.started == 1
    await asyncio.wait_for(InteractiveBackend(views, gate).infer({}, 1.0), 1.0)
    assert images.ended == 0
    images.let.set()
    await image


async def test_images_are_slow_but_not_never_when_views_do_not_end() -> None:
    gate, views, images = Gate(patience_s=0.01), Slow(), Slow()
    view = asyncio.create_task(InteractiveBackend(views, gate).infer({}, 1.0))
    await settle()
    images.let.set()
    await asyncio.wait_for(BackgroundBackend(images, gate).infer({}, 1.0), 5.0)
    views.let.set()
    await view


async def test_two_callers_for_images_take_turns() -> None:
    gate, images = Gate(), Slow()
    background = BackgroundBackend(images, gate)
    callers = [asyncio.create_task(background.infer({}, 1.0)) for _ in range(3)]
    await settle()
    assert images.started == 1
    images.let.set()
    await asyncio.gather(*callers)
    assert images.ended == 3


@pytest.mark.parametrize("error", [None, ValueError("too late to matter")])
async def test_a_cancelled_caller_keeps_its_turn_until_its_inference_ends(error: Exception | None) -> None:
    gate, images = Gate(), Slow()
    images.error = error
    background = BackgroundBackend(images, gate)
    gone = asyncio.create_task(background.infer({}, 1.0))
    await settle()
    gone.cancel()
    after = asyncio.create_task(background.infer({}, 1.0))
    await settle()
    assert images.started == 1
    images.let.set()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await asyncio.gather(after, return_exceptions=True)
    assert images.ended == 2


def test_giving_way_is_for_one_thread_and_those_it_starts() -> None:
    found: list[int] = []

    def look() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, 0))

    def give_way_and_look() -> None:
        give_way()
        look()
        child = threading.Thread(target=look)
        child.start()
        child.join()

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=give_way_and_look)
    thread.start()
    thread.join()
    assert found == [min(before + 10, 19)] * 2 != [before] * 2
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
