"""A studio whose model is a few lines of numpy: fast, deterministic, and with copies where a test wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cine.cine import FloatArray, IntArray
from services.models.repository import ModelIdentity
from services.synthesis.copies import CopyCheck
from services.synthesis.generate import Made, Studio
from services.synthesis.plan import ImageFormat, Order, Unit, plan

STYLES = ("crisp", "soft")
IDENTITY = ModelIdentity("echo_synthesizer", "1", "ab" * 32, "onnxruntime", "nothing", 0.0, STYLES)


class Painter:
    """A backend: half the noise, at a level of view and style.

    Args:
        pause_s: of each inference.
        before: called with the number of each inference before it.
    """

    def __init__(self, pause_s: float = 0.0, before: Callable[[int], None] = lambda number: None) -> None:
        self.pause_s, self.before = pause_s, before
        self.identity, self.calls, self.running = IDENTITY, 0, 0

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        self.calls += 1
        self.before(self.calls)
        self.running += 1
        try:
            await asyncio.sleep(self.pause_s)
        finally:
            self.running -= 1
        level = (inputs["view"] * 3 + inputs["style"])[:, :, None, None] / 20.0 - 0.4
        return {"images": np.tanh(inputs["noise"] * np.float32(0.5) + level.astype(np.float32))}

    async def is_ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Reason:
    brightness: float


@dataclass(frozen=True)
class Verdict:
    is_copy: bool
    record: Reason


class Suspicious:
    """A copy filter that takes every image whose first pixel is bright for a copy."""

    def __init__(self, above: float = 0.3) -> None:
        self.above = above
        self.asked: list[tuple[int, int]] = []

    def judge(self, images: FloatArray, views: IntArray, styles: IntArray) -> list[Verdict]:
        self.asked += zip(views.tolist(), styles.tolist(), strict=True)
        return [Verdict(bool(image[0, 0, 0] > self.above), Reason(float(image[0, 0, 0]))) for image in images]


def studio(
    painter: Painter | None = None, copy_filter: Suspicious | None = None, index: str = "index of nothing"
) -> Studio:
    copies = None if copy_filter is None else CopyCheck(copy_filter, index, IDENTITY.sha256)
    return Studio(painter or Painter(), copies, None, 5.0)


async def made_of(order: Order, by: Studio, units: Sequence[Unit] | None = None) -> list[Made]:
    """Make an order, or some units of it; by index."""
    batches = by.make(plan(order) if units is None else units, order.seed, order.format)
    return sorted([made async for batch in batches for made in batch], key=lambda made: made.unit.index)


PNG, DICOM = ImageFormat.PNG, ImageFormat.DICOM
