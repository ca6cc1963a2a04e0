"""SynthesisService on the wire: messages in, images or jobs, messages out."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from echoplane.v1 import synthesis_pb2, synthesis_pb2_grpc

from services.cine.errors import DeadlineError
from services.gateway.counting import counted
from services.gateway.metrics import GatewayMetrics
from services.gateway.paging import next_token, read_page
from services.gateway.synthesis_messages import (
    checked_identifier,
    read_order,
    to_generator,
    to_job,
    to_response,
)
from services.runtime.access import current_caller
from services.runtime.rpc import Admission
from services.synthesis.generate import Made, Studio
from services.synthesis.ledger import Ledger
from services.synthesis.plan import Order, plan

METHOD = "GenerateBatch"
_T = TypeVar("_T")


@dataclass(frozen=True)
class SynthesisService(synthesis_pb2_grpc.SynthesisServiceServicer):
    """Makes batches and takes in jobs.

    Attributes:
        studio: makes images.
        admission: who may come in for a batch.
        metrics: counts.
        card: gives the model card of weights by their SHA-256, in Markdown; empty where it is not at hand.
        open_ledger: opens the list of jobs; called when it is first needed.
        wake: called when there is a job to be looked at.
        batch_timeout_s: how long one GenerateBatch may take, with its caller's reading, s: it keeps others waiting.
        max_batch_images: of one GenerateBatch.
        max_job_images: of one job.
    """

    studio: Studio
    admission: Admission
    metrics: GatewayMetrics
    card: Callable[[str], str]
    open_ledger: Callable[[], Ledger]
    wake: Callable[[], None]
    batch_timeout_s: float
    max_batch_images: int
    max_job_images: int

    async def GenerateBatch(  # noqa: N802 - the name on the wire
        self, request: synthesis_pb2.GenerateBatchRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[synthesis_pb2.GenerateBatchResponse]:
        """Make a small batch; a caller who is gone stops it after the inference that runs."""
        with counted(self.metrics, "synthesis", METHOD) as asked:
            asked.request_id = checked_identifier("request_id", request.request_id) or uuid.uuid4().hex
            order = read_order(request, self.studio.identity.styles, self.max_batch_images)
            _charge(order)
            identity = self.studio.identity
            generator: synthesis_pb2.Generator | None = to_generator(
                identity, await asyncio.to_thread(self.card, identity.sha256)
            )
            async with self.admission.admitted(), self.admission.working(), aclosing(self._timed(order)) as images:
                async for made in images:
                    yield to_response(made, order, self.studio, generator)
                    generator = None

    async def _timed(self, order: Order) -> AsyncGenerator[Made, None]:
        """Make the images of an order; one who does not read them in time is cancelled, or told that it is late."""
        try:
            async with asyncio.timeout(self.batch_timeout_s), aclosing(self.make(order)) as batches:
                async for batch in batches:
                    for made in batch:
                        yield made
        except TimeoutError as error:
            raise DeadlineError(
                found=f"a batch that is not done after {self.batch_timeout_s:.0f} s",
                expected="its images made and read by then",
                advice="Ask for fewer, or create a job (CreateSynthesisJob).",
            ) from error

    async def make(self, order: Order) -> AsyncGenerator[list[Made], None]:
        """Make the images of an order, counted."""
        async with aclosing(self.studio.make(plan(order), order.seed, order.format)) as batches:
            async for batch in batches:
                self.metrics.count_images(batch)
                yield batch

    async def CreateSynthesisJob(  # noqa: N802
        self, request: synthesis_pb2.CreateSynthesisJobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> synthesis_pb2.CreateSynthesisJobResponse:
        """Write a job down."""
        with counted(self.metrics, "synthesis", "CreateSynthesisJob") as asked:
            asked.request_id = request_id = checked_identifier("request_id", request.request_id, least=1)
            identity = self.studio.identity
            order = read_order(request, identity.styles, self.max_job_images)
            site = _site() or ""
            job = await self._ask(
                lambda ledger: ledger.create(request_id, order, identity.sha256, time.time(), site=site)
            )
            self.wake()
            return synthesis_pb2.CreateSynthesisJobResponse(job=to_job(job))

    async def GetSynthesisJob(  # noqa: N802
        self, request: synthesis_pb2.GetSynthesisJobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> synthesis_pb2.GetSynthesisJobResponse:
        """Say how far a job is."""
        with counted(self.metrics, "synthesis", "GetSynthesisJob"):
            site = _site()
            job = await self._ask(lambda ledger: ledger.get(request.job_id, site))
            return synthesis_pb2.GetSynthesisJobResponse(job=to_job(job))

    async def ListSynthesisJobs(  # noqa: N802
        self, request: synthesis_pb2.ListSynthesisJobsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> synthesis_pb2.ListSynthesisJobsResponse:
        """List jobs, the newest first."""
        with counted(self.metrics, "synthesis", "ListSynthesisJobs"):
            size, before = read_page(request)
            site = _site()
            jobs = await self._ask(lambda ledger: ledger.newest(size, before, site))
            token = next_token([job.number for job in jobs], size)
            return synthesis_pb2.ListSynthesisJobsResponse(jobs=[to_job(job) for job in jobs], next_page_token=token)

    async def CancelSynthesisJob(  # noqa: N802
        self, request: synthesis_pb2.CancelSynthesisJobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> synthesis_pb2.CancelSynthesisJobResponse:
        """Have a job cancelled."""
        with counted(self.metrics, "synthesis", "CancelSynthesisJob"):
            site = _site()
            job = await self._ask(lambda ledger: ledger.cancel(request.job_id, site))
            self.wake()
            return synthesis_pb2.CancelSynthesisJobResponse(job=to_job(job))

    async def _ask(self, question: Callable[[Ledger], _T]) -> _T:
        """Ask the ledger, beside the event loop."""
        return await asyncio.to_thread(lambda: question(self.open_ledger()))


def _site() -> str | None:
    """Whose jobs a caller may see; None where sites are not told apart."""
    caller = current_caller()
    return None if caller is None else caller.site


def _charge(order: Order) -> None:
    """Count the images of an order against the site's quota.

    Raises:
        CapacityError: they are more than it has left.
    """
    caller = current_caller()
    if caller is not None:
        caller.quota.images.take(order.total)
