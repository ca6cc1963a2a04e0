"""A batch from a gateway: a small one written down here as it comes, a large one made and kept there."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from echoplane.v1 import synthesis_pb2, view_pb2
from rich.console import Console

from services.cine.errors import EchoplaneError, ModelUnavailableError, reason_named
from services.cine.views import View
from services.client import CallError, Client, Tls
from services.models.repository import ModelIdentity
from services.retries import Retry
from services.synthesis.batch_folder import batch_name, save_sheet
from services.synthesis.ledger import ImageRow
from services.synthesis.manifest import MANIFEST, Origin, describe, file_name, to_files
from services.synthesis.plan import SHARD_IMAGES, Cell, Order, Unit
from services.synthesis.progress import images_following
from services.synthesis.store import Store
from services.synthesis.wishes import Wish

_POLL_S = 1.0

_MOST_IMAGES = 2**32 - 1
"""What a count on the wire holds; how many it makes the gateway says."""

_PATIENCE = Retry(away_s=60.0)
"""How long a gateway may be away, time for it to be started again, while its job is followed."""

_OPEN = frozenset(
    {
        synthesis_pb2.JOB_STATE_QUEUED,
        synthesis_pb2.JOB_STATE_RUNNING,
        synthesis_pb2.JOB_STATE_WAITING,
        synthesis_pb2.JOB_STATE_CANCELLING,
    }
)


_NO_SYNTHESIZER = "It names views only: export a synthesizer into its model repository and start it again."


@dataclass(frozen=True)
class There:
    """Asks a gateway for batches.

    Attributes:
        address: host:port.
        tls: how to encrypt.
        trial: for which it is asked; empty where the site has one only.
        job: the request_id of a job; empty to have the images sent here.
        out: folder or URL for those.
        aside: where people read.
    """

    address: str
    tls: Tls | None
    trial: str
    job: str
    out: str
    aside: Console

    async def make(self, wish: Wish) -> str:
        """Have a batch made, and say where its manifest is.

        Raises:
            EchoplaneError: it cannot be made, or not now.
        """
        order = wish.order(None, _MOST_IMAGES)
        try:
            async with Client(self.address, self.tls, self.trial, _PATIENCE) as client:
                return await (self._follow(client, order) if self.job else self._receive(client, order))
        except CallError as error:
            raise EchoplaneError(
                reason_named(error.reason),
                found=f"a gateway that says {error.code}",
                expected="a batch",
                advice=_NO_SYNTHESIZER if error.code == "UNIMPLEMENTED" else error.message,
            ) from error

    async def _receive(self, client: Client, order: Order) -> str:
        """Write images down as they come, the manifest when all of them are there."""
        store = Store(self.out)
        units: dict[int, Unit] = {}
        rows: dict[int, ImageRow] = {}
        folder, origin = "", None
        async with AsyncExitStack() as stack:
            advance = stack.enter_context(images_following(self.aside, order.total))
            async for response in client.generate_batch(_request(order), timeout_s=None):
                origin = origin or _origin(response)
                folder = folder or batch_name(order, origin.model, response.copy_index)
                unit = _unit(response)
                row = _row(unit, response, order)
                store.put(f"{folder}/{row.name}", response.image)
                units[unit.index], rows[unit.index] = unit, row
                advance(1)
        if origin is None or len(rows) != order.total:
            raise ModelUnavailableError(
                found=f"{len(rows)} images", expected=f"{order.total}", advice="Ask again; the bytes will be the same."
            )
        places = range(order.total)
        manifest = describe(order, [units[at] for at in places], [rows[at] for at in places], origin)
        for name, data in to_files(manifest).items():
            store.put(f"{folder}/{name}", data)
        save_sheet(store, folder)
        return store.uri(f"{folder}/{MANIFEST}")

    async def _follow(self, client: Client, order: Order) -> str:
        """Write a job down there and follow it to its end; Ctrl-C leaves it running."""
        request = synthesis_pb2.CreateSynthesisJobRequest(
            request_id=self.job, counts=_counts(order), seed=order.seed, format=f"IMAGE_FORMAT_{order.format}"
        )
        job = await client.create_synthesis_job(request)
        with images_following(self.aside, job.total, job.done) as advance:
            while job.state in _OPEN:
                await asyncio.sleep(_POLL_S)
                before, job = job.done, await client.get_synthesis_job(job.job_id)
                advance(job.done - before)
        if job.state != synthesis_pb2.JOB_STATE_DONE:
            state = synthesis_pb2.JobState.Name(job.state)
            raise EchoplaneError(
                reason_named(job.reason),
                found=f"a job that ended as {state}",
                expected="JOB_STATE_DONE",
                advice=job.message or "It was cancelled.",
            )
        return job.manifest_uri


def _request(order: Order) -> synthesis_pb2.GenerateBatchRequest:
    return synthesis_pb2.GenerateBatchRequest(
        counts=_counts(order), seed=order.seed, format=f"IMAGE_FORMAT_{order.format}"
    )


def _counts(order: Order) -> list[synthesis_pb2.ViewCount]:
    return [
        synthesis_pb2.ViewCount(view=f"VIEW_{cell.view}", style=cell.style, count=count) for cell, count in order.counts
    ]


def _unit(response: synthesis_pb2.GenerateBatchResponse) -> Unit:
    view = View(view_pb2.View.Name(response.view).removeprefix("VIEW_"))
    return Unit(response.index, Cell(view, response.style), 0, response.seed, response.replaced)


def _row(unit: Unit, response: synthesis_pb2.GenerateBatchResponse, order: Order) -> ImageRow:
    name = file_name(unit, SHARD_IMAGES, order.format)
    return ImageRow(unit.index, unit.attempt, name, response.sha256, len(response.image), response.copy_index)


def _origin(first: synthesis_pb2.GenerateBatchResponse) -> Origin:
    model, styles = first.model, tuple(first.generator.styles)
    identity = ModelIdentity(model.name, model.version, model.sha256, model.backend, model.trained_on, 0.0, styles)
    return Origin(identity, first.generator.card)
