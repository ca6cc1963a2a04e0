"""From the bytes of a cine to its assessment: what the gateway does, with no gRPC in it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Executor
from dataclasses import dataclass

from services.cine.intake import Intake, IntakeOptions
from services.models.backend import Backend
from services.models.repository import ModelIdentity
from services.models.view_classifier import ViewPrediction, predict_view
from services.runtime.sandbox import Sandbox


@dataclass(frozen=True)
class Assessment:
    """What is said of one cine.

    Attributes:
        intake: findings, chosen frames, times.
        prediction: the view; None where there was no B-mode to look at.
        identity: the model that answers, or would have.
        timings_ms: wall-clock time of read, validate, select, preprocess, infer and total, ms.
    """

    intake: Intake
    prediction: ViewPrediction | None
    identity: ModelIdentity
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class Assessor:
    """Everything an assessment needs.

    Attributes:
        sandbox: reads cines.
        backend: runs the view classifier.
        threads: where the sandbox is waited for; as many as cines may be worked on at once.
        infer_timeout_s: how long the model may take, s.
    """

    sandbox: Sandbox
    backend: Backend
    threads: Executor | None
    infer_timeout_s: float

    async def assess(self, data: bytes | memoryview, options: IntakeOptions) -> Assessment:
        """Assess one cine.

        Args:
            data: the whole file.
            options: what is wanted of it.

        Raises:
            InputError: it cannot be read.
            CapacityError, ModelError, ReaderUnavailableError: it could not be answered.
        """
        start = time.perf_counter()
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(self.threads, self.sandbox.take_in, data, options)
        reading.add_done_callback(_hear)
        try:
            intake = await asyncio.shield(reading)
        except asyncio.CancelledError:
            await asyncio.wait([reading])  # the caller is gone, its cine is still being read: its place stays taken
            raise
        timings = dict(intake.timings_ms)
        prediction = None
        if len(intake.model_input):
            before = time.perf_counter()
            prediction = await predict_view(self.backend, intake.model_input, self.infer_timeout_s)
            timings["infer"] = (time.perf_counter() - before) * 1000.0
        timings["total"] = (time.perf_counter() - start) * 1000.0
        return Assessment(intake, prediction, self.backend.identity, timings)


def _hear(reading: asyncio.Future[Intake]) -> None:
    """Take note of how reading ended: after a cancelled request nobody else does, and asyncio would log it as lost."""
    if not reading.cancelled():
        reading.exception()
