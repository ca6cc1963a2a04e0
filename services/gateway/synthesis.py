"""The half of the gateway that makes images: put together beside the views, and below them in everything."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Lock

import structlog

from services.cine.errors import EchoplaneError, ModelUnavailableError, StorageError
from services.gateway.metrics import GatewayMetrics
from services.gateway.settings import BackendKind, GatewaySettings
from services.gateway.synthesis_service import METHOD, SynthesisService
from services.models.backend import Backend
from services.models.onnx_backend import OnnxBackend
from services.models.priority import BackgroundBackend, Gate, give_way
from services.models.repository import read_card
from services.models.spec import ECHO_SYNTHESIZER
from services.models.triton_backend import connect_triton
from services.runtime.rpc import Admission
from services.synthesis.copies import CopyCheck, CopyFiles, open_copy_check
from services.synthesis.generate import Studio
from services.synthesis.ledger import Ledger
from services.synthesis.store import Store
from services.synthesis.worker import RETRY_S, Worker

_log = structlog.get_logger()


class Synthesis:
    """Batches and jobs.

    Args:
        settings: of the gateway.
        metrics: counts.
        backend: runs the synthesizer, when it is its turn.
        copies: tells copies; None where there is no index.

    Raises:
        ConfigError: the place for images cannot be opened.
    """

    def __init__(
        self, settings: GatewaySettings, metrics: GatewayMetrics, backend: Backend, copies: CopyCheck | None
    ) -> None:
        self._settings, self._metrics = settings, metrics
        self._store = Store(settings.synthesis_output)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="images", initializer=give_way)
        self._ledger: Ledger | None = None
        self._opening = Lock()
        self._working: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._card = partial(read_card, settings.model_repository / ECHO_SYNTHESIZER.name)
        self.studio = Studio(backend, copies, self._threads, settings.synthesis_timeout_s)
        self.service = SynthesisService(
            studio=self.studio,
            admission=Admission(
                running=1,
                queued=settings.synthesis_max_queued,
                max_bytes=0,
                on_change=metrics.queue_depth.labels(METHOD).set,
            ),
            metrics=metrics,
            card=self._card,
            open_ledger=self._open_ledger,
            wake=self.wake,
            batch_timeout_s=settings.synthesis_batch_timeout_s,
            max_batch_images=settings.synthesis_max_batch_images,
            max_job_images=settings.synthesis_max_job_images,
        )

    async def start(self) -> None:
        """Go on with jobs that an earlier process left."""
        if self._settings.synthesis_ledger.exists():
            self.wake()

    def wake(self) -> None:
        """Have the worker look for jobs; the first time, start it."""
        self._woken.set()
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Give the job in hand back; batches go on."""
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working

    async def close(self) -> None:
        """Let go of everything."""
        await self.stop()
        self._threads.shutdown()
        await self.studio.backend.close()

    async def _work(self) -> None:
        worker = Worker(
            ledger=await self._patiently_opened(),
            studio=self.studio,
            store=self._store,
            owner=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}",
            lease_s=self._settings.synthesis_lease_s,
            card=self._card,
            told=self._metrics.count_images,
            woken=self._woken,
        )
        await worker.run()

    async def _patiently_opened(self) -> Ledger:
        while True:
            try:
                return await asyncio.to_thread(self._open_ledger)
            except StorageError as error:
                _log.error("no_list_of_jobs", reason=error.reason, message=str(error))
                await asyncio.sleep(RETRY_S)

    def _open_ledger(self) -> Ledger:
        """Open the list of jobs when it is first needed: a gateway that only names views leaves no file behind."""
        with self._opening:
            if self._ledger is None:
                self._ledger = Ledger(self._settings.synthesis_ledger, self._settings.synthesis_max_jobs)
            return self._ledger


async def open_synthesis(settings: GatewaySettings, metrics: GatewayMetrics, gate: Gate) -> Synthesis | None:
    """Open what makes images; None where the model repository has no synthesizer, which is said in the log.

    Raises:
        ConfigError: a setting cannot be met.
        ModelError: the synthesizer is not the one this code was built for.
    """
    try:
        backend = await open_synthesizer(settings)
    except ModelUnavailableError as error:
        _log.warning("no_synthesis", reason=error.reason, message=str(error))
        return None
    folder = settings.model_repository / ECHO_SYNTHESIZER.name
    files = CopyFiles(settings.synthesis_copy_index, settings.synthesis_copy_record)
    try:
        copies = open_copy_check(files, folder, backend.identity.sha256)
        return Synthesis(settings, metrics, BackgroundBackend(backend, gate), copies)
    except EchoplaneError:
        await backend.close()
        raise


async def open_synthesizer(settings: GatewaySettings) -> Backend:
    """Open the synthesizer on the backend that the settings name.

    Raises:
        ModelError: it is not there, or not the one this code was built for.
    """
    if settings.backend is BackendKind.TRITON:
        return await connect_triton(settings.triton_address, ECHO_SYNTHESIZER)
    return OnnxBackend(
        settings.model_repository,
        ECHO_SYNTHESIZER,
        settings.onnx_provider,
        settings.synthesis_threads,
        is_background=True,
    )
