"""Works jobs off, one at a time: images first, each whole or not there, then their rows, the manifest last of all.

Nothing has to be undone after a kill at any moment: what has no row is made again, to the same bytes, and what has no
row at the end is removed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

import structlog

from services.cine.errors import EchoplaneError, ModelContractError, StorageError
from services.synthesis.generate import Made, Maker
from services.synthesis.ledger import ImageRow, Job, JobState, LeaseLostError, Ledger
from services.synthesis.manifest import MANIFEST, PUBLISHED, Origin, describe, file_name, to_files
from services.synthesis.plan import SHARD_IMAGES, Unit, next_attempt, plan
from services.synthesis.store import Store

RETRY_S = 5.0
"""How long a job waits before it is tried again, when the model or the store was away."""

POLL_S = 2.0
"""How often a worker looks for jobs that others have written down or let go of."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

_BUG = ("INTERNAL", "internal error")

_log = structlog.get_logger()


@dataclass(frozen=True)
class Worker:
    """Works off the jobs of a ledger.

    Attributes:
        ledger: which jobs there are.
        studio: makes images.
        store: where they go, a folder a job.
        owner: this worker's name, no other's.
        lease_s: how long a job stays this worker's after it was last heard of, s.
        card: gives the model card of weights by their SHA-256, in Markdown; empty where it is not at hand.
        clock: seconds since 1970.
        poll_s: how often to look for jobs that others have written down, s.
        told: hears of every batch of images that is in place.
        woken: set to have the worker look for jobs now.
    """

    ledger: Ledger
    studio: Maker
    store: Store
    owner: str
    lease_s: float = 10.0
    card: Callable[[str], str] = lambda sha256: ""
    clock: Callable[[], float] = time.time
    poll_s: float = POLL_S
    told: Callable[[list[Made]], None] = lambda made: None
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Work jobs off until cancelled; a job in hand is then given back."""
        while True:
            self.woken.clear()
            try:
                was_busy = await self.work_once()
            except StorageError as error:
                _log.error("no_list_of_jobs", reason=error.reason, message=str(error))
                was_busy = False
            except Exception:  # a border: nobody would start this worker again
                _log.exception("unexpected_error", method="SynthesisWorker")
                was_busy = False
            if not was_busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.poll_s):  # wait_for may lose a cancellation (python/cpython 81839)
                        await self.woken.wait()

    async def work_once(self) -> bool:
        """Take one job as far as it goes; False where there was none.

        Raises:
            StorageError: the ledger cannot be used.
        """
        job = await asyncio.to_thread(self.ledger.claim, self.owner, self.clock(), self.lease_s)
        if job is None:
            return False
        with structlog.contextvars.bound_contextvars(job_id=job.job_id, request_id=job.request_id):
            _log.info("synthesis_job", state=job.state, done=job.done, total=job.total)
            try:
                await self._while_held(job, self._work(job))
            except LeaseLostError:
                await self._bury(job)
            except asyncio.CancelledError:
                with suppress(LeaseLostError, StorageError):
                    self.ledger.release(job, self.owner)
                raise
            except EchoplaneError as error:
                await self._put_off(job, error)
            except Exception:  # a border: a bug ends the job that met it, and no other
                _log.exception("unexpected_error", method="SynthesisWorker")
                with suppress(LeaseLostError):
                    await asyncio.to_thread(self.ledger.fail, job, self.owner, _BUG, self.clock())
        return True

    async def _while_held(self, job: Job, work: Awaitable[None]) -> None:
        """Work, and renew the lease beside it; stop when it is lost."""
        task = asyncio.ensure_future(work)
        holding = asyncio.create_task(self._hold(job))
        try:
            await asyncio.wait([task, holding], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (task, holding):
                each.cancel()
            await asyncio.wait([task, holding])
        for each in (task, holding):
            if not each.cancelled():
                each.result()

    async def _hold(self, job: Job) -> None:
        if job.state is JobState.CANCELLING:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(self.lease_s / 3)
            await asyncio.to_thread(self.ledger.renew, job, self.owner, self.clock() + self.lease_s)

    async def _work(self, job: Job) -> None:
        if job.state is JobState.CANCELLING:
            raise LeaseLostError
        self._check_model(job)
        units = await asyncio.to_thread(plan, job.order)
        await self._doubt(job)
        while missing := await _whole(self._missing, job, units):
            await self._make(job, missing)
        self._check_model(job)
        await _whole(self._publish, job, units)
        _log.info("synthesis_job_done", total=len(units))

    def _check_model(self, job: Job) -> None:
        if job.model_sha256 != self.studio.identity.sha256:
            raise ModelContractError(
                found=f"weights {self.studio.identity.sha256[:12]}",
                expected=f"{job.model_sha256[:12]}, which the job was written down for",
                advice="Create the job anew (with another request_id), or serve those weights again.",
            )

    async def _doubt(self, job: Job) -> None:
        """Look at what an earlier turn has left, some files at a time, so that a cancelled job stops soon."""
        rows = await _whole(self.ledger.rows, job)
        for start in range(0, len(rows), SHARD_IMAGES):
            await _whole(self._strike_out, job, rows[start : start + SHARD_IMAGES])

    def _strike_out(self, job: Job, rows: list[ImageRow]) -> None:
        """Forget images that were held against another copy index, or whose files are not what was written."""
        lost = [
            row.index
            for row in rows
            if row.copy_index != self.studio.copy_index or row.sha256 != self.store.digest(f"{job.job_id}/{row.name}")
        ]
        self.ledger.forget(job, self.owner, lost, self.clock() + self.lease_s)

    def _missing(self, job: Job, units: list[Unit]) -> list[Unit]:
        """Hold rows and files to one another: a row without its file goes, a file without a row too.

        So does a manifest while images are missing; where none is, a kill has come after it.
        """
        rows = self.ledger.rows(job)
        sizes = self.store.sizes(job.job_id)
        names = {f"{job.job_id}/{row.name}": row for row in rows}
        lost = [row.index for name, row in names.items() if sizes.get(name) != row.size_bytes]
        self.ledger.forget(job, self.owner, lost, self.clock() + self.lease_s)
        there = {row.index for row in rows} - set(lost)
        missing = [unit for unit in units if unit.index not in there]
        kept = names.keys() | {f"{job.job_id}/{name}" for name in PUBLISHED if not missing}
        self.store.remove(name for name in sizes if name not in kept)
        return missing

    async def _make(self, job: Job, units: list[Unit]) -> None:
        async with aclosing(self.studio.make(units, job.order.seed, job.order.format)) as batches:
            async for batch in batches:
                await _whole(self._keep, job, batch)
                self.told(batch)

    def _keep(self, job: Job, batch: list[Made]) -> None:
        """Put images in place, then write them down."""
        rows = []
        for made in batch:
            name = file_name(made.unit, SHARD_IMAGES, job.order.format)
            data = made.artefact.data
            self.store.put(f"{job.job_id}/{name}", data)
            unit, sha256 = made.unit, made.artefact.sha256
            rows.append(ImageRow(unit.index, unit.attempt, name, sha256, len(data), self.studio.copy_index))
        self.ledger.record(job, self.owner, rows, self.clock() + self.lease_s)

    def _publish(self, job: Job, units: list[Unit]) -> None:
        """Put labels, table and manifest in place, then say that the job is done."""
        rows = self.ledger.rows(job)
        made = [_of_attempt(unit, row.attempt, job.order.seed) for unit, row in zip(units, rows, strict=True)]
        origin = Origin(self.studio.identity, self.card(job.model_sha256))
        files = to_files(describe(job.order, made, rows, origin))
        self.ledger.renew(job, self.owner, self.clock() + self.lease_s)
        for name, data in files.items():
            self.store.put(f"{job.job_id}/{name}", data)
        self.ledger.finish(job, self.owner, self.store.uri(f"{job.job_id}/{MANIFEST}"), self.clock())

    async def _put_off(self, job: Job, error: EchoplaneError) -> None:
        """Let a job wait where trying again may help, else fail it."""
        _log.warning("synthesis_job_stopped", reason=error.reason, message=str(error))
        why = (error.reason.value, str(error))
        with suppress(LeaseLostError):
            if error.retryable:
                await asyncio.to_thread(self.ledger.postpone, job, self.owner, why, self.clock() + RETRY_S)
            else:
                await asyncio.to_thread(self.ledger.fail, job, self.owner, why, self.clock())

    async def _bury(self, job: Job) -> None:
        """Remove what a cancelled job has left, also behind another that has buried it; a live job is let alone."""
        state = (await asyncio.to_thread(self.ledger.get, job.job_id)).state
        if state in {JobState.CANCELLING, JobState.CANCELLED}:
            await asyncio.to_thread(self.store.remove_folder, job.job_id)
            await asyncio.to_thread(self.ledger.bury, job, self.owner, self.clock())
            _log.info("synthesis_job_cancelled")


async def _whole(work: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Do blocking work in a thread, to its end even when cancelled: only then is the job let go."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


def _of_attempt(unit: Unit, attempt: int, batch_seed: int) -> Unit:
    return next_attempt(replace(unit, attempt=attempt - 1), batch_seed) if attempt else unit
