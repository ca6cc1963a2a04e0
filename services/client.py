"""A client of the gateway, for the command line, the demo and whoever wants one in Python.

It is for programs with an event loop; `services.sync_client` is for the others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import grpc
from echoplane.v1 import study_pb2, study_pb2_grpc, synthesis_pb2, synthesis_pb2_grpc, view_pb2, view_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

from services.retries import AWAY, DEFAULT_RETRY, Retry, Tries

CHUNK_BYTES = 256 * 1024
"""A quarter of what one message may carry."""

TRIAL_KEY = "echoplane-trial"
"""Metadata that names the trial of a call."""

CALL_TIMEOUT_S = 60.0
"""For one answer, with all tries and pauses: the gateway may be started again meanwhile."""

BATCH_TIMEOUT_S = 600.0
"""For a batch of images: what the gateway allows one by default."""

Progress = Callable[[int, int], None]
"""Told how much of how much is done: bytes of a cine sent, images of a batch made. A new try begins at 0 again."""

CineSource = bytes | str | os.PathLike[str] | BinaryIO
"""A file's bytes, its path, or it itself, opened in binary."""

_NOBODY_THERE = (
    "Found no gateway that answers at that address; expected one. "
    "Start it (`make serve`), check host and port, and give its authority (--ca) where it uses TLS."
)
_BROKEN_OFF = "Internal error from Core"
"""What grpc.aio may say of a connection that ends while it writes (grpc/grpc issue 36066)."""
_DETAILS_KEY = "grpc-status-details-bin"
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
]
"""By itself gRPC waits up to two minutes before it looks whether a gateway is back, and for ever on a connection that a
firewall has forgotten: while a call waits, both ends ask now and then whether the other is there."""

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")


class CallError(Exception):
    """A call that ended in a status.

    Attributes:
        code: gRPC status code, by name.
        reason: of the server's google.rpc.ErrorInfo, or empty.
        retry_after_s: of its RetryInfo, or None.
    """

    def __init__(self, code: str, reason: str, message: str, retry_after_s: float | None) -> None:
        super().__init__(f"{code} {reason}: {message}" if reason else f"{code}: {message}")
        self.code, self.reason, self.message, self.retry_after_s = code, reason, message, retry_after_s


@dataclass(frozen=True)
class Tls:
    """PEM bytes of a TLS connection; certificate and key for mutual TLS."""

    authority: bytes
    certificate: bytes | None = None
    key: bytes | None = None


class Client:
    """Calls the gateway. Each call is made again where that may help, within its timeout (`Retry`).

    Args:
        address: host:port.
        tls: how to encrypt; None speaks plain text, for loopback.
        trial: for which trial; a site that takes part in one only need not say.
        retry: how calls are made again; None not at all.
    """

    def __init__(
        self, address: str, tls: Tls | None = None, trial: str = "", retry: Retry | None = DEFAULT_RETRY
    ) -> None:
        self._metadata = ((TRIAL_KEY, trial),) if trial else ()
        self._retry, self._is_reached = retry, False
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address, _CHANNEL)
        else:
            credentials = grpc.ssl_channel_credentials(tls.authority, tls.key, tls.certificate)
            self._channel = grpc.aio.secure_channel(address, credentials, _CHANNEL)
        self._stub: view_pb2_grpc.ViewServiceAsyncStub = view_pb2_grpc.ViewServiceStub(self._channel)
        self._synthesis: synthesis_pb2_grpc.SynthesisServiceAsyncStub = synthesis_pb2_grpc.SynthesisServiceStub(
            self._channel
        )
        self._studies: study_pb2_grpc.StudyServiceAsyncStub = study_pb2_grpc.StudyServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection, and with it whatever is still being asked."""
        await self._channel.close()

    async def predict_view(
        self,
        source: CineSource,
        header: view_pb2.CineHeader | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
        progress: Progress | None = None,
    ) -> view_pb2.PredictViewResponse:
        """Name the view of one cine. It may be sent again: the same bytes are recorded in their study once.

        Args:
            source: the whole file; read into memory, so that each try sends the same bytes.
            header: what to say about it; empty by default.
            timeout_s: how long the answer may take, s.
            progress: told of bytes sent.

        Raises:
            CallError: the call ended in a status.
            OSError: the file cannot be read.
        """
        data = source if isinstance(source, bytes) else await asyncio.to_thread(_read, source)
        tries = Tries(self._retry, timeout_s)
        while True:
            messages = _messages(data, header or view_pb2.CineHeader(), progress)
            try:
                with self._translated():
                    return await self._stub.PredictView(messages, timeout=tries.left_s, metadata=self._metadata)
            except CallError as error:
                await self._pause(tries, error)

    async def generate_batch(
        self,
        request: synthesis_pb2.GenerateBatchRequest,
        timeout_s: float | None = BATCH_TIMEOUT_S,
        progress: Progress | None = None,
    ) -> AsyncGenerator[synthesis_pb2.GenerateBatchResponse, None]:
        """Make a small batch, and give each image as it comes; close the iterator to stop the server too.

        Once an image has come the batch is not asked for again: it would be made, and counted against the site's quota,
        from the first image on. Whoever asks again gets the same bytes; a job goes on by itself.

        Args:
            request: which images.
            timeout_s: how long the whole batch may take, s.
            progress: told of images made.

        Raises:
            CallError: the call ended in a status.
        """
        tries, made = Tries(self._retry, timeout_s), 0
        while True:
            try:
                async with aclosing(self._streamed(self._synthesis.GenerateBatch, request, tries)) as responses:
                    async for response in responses:
                        made += 1
                        if progress is not None:
                            progress(made, response.total)
                        yield response
                return
            except CallError as error:
                if made:
                    raise
                await self._pause(tries, error)

    async def create_synthesis_job(
        self, request: synthesis_pb2.CreateSynthesisJobRequest, timeout_s: float = CALL_TIMEOUT_S
    ) -> synthesis_pb2.SynthesisJob:
        """Have a large batch made; asking again with the same request_id gives the same job.

        Raises:
            CallError: the call ended in a status.
        """
        return (await self._asked(self._synthesis.CreateSynthesisJob, request, timeout_s)).job

    async def get_synthesis_job(self, job_id: str, timeout_s: float = CALL_TIMEOUT_S) -> synthesis_pb2.SynthesisJob:
        """Ask how far a job is.

        Raises:
            CallError: the call ended in a status.
        """
        request = synthesis_pb2.GetSynthesisJobRequest(job_id=job_id)
        return (await self._asked(self._synthesis.GetSynthesisJob, request, timeout_s)).job

    async def list_synthesis_jobs(
        self, page_size: int = 0, page_token: str = "", timeout_s: float = CALL_TIMEOUT_S
    ) -> synthesis_pb2.ListSynthesisJobsResponse:
        """List jobs, the newest first, a page at a time.

        Raises:
            CallError: the call ended in a status.
        """
        request = synthesis_pb2.ListSynthesisJobsRequest(page_size=page_size, page_token=page_token)
        return await self._asked(self._synthesis.ListSynthesisJobs, request, timeout_s)

    async def cancel_synthesis_job(self, job_id: str, timeout_s: float = CALL_TIMEOUT_S) -> synthesis_pb2.SynthesisJob:
        """Stop a job and have its images removed.

        Raises:
            CallError: the call ended in a status.
        """
        request = synthesis_pb2.CancelSynthesisJobRequest(job_id=job_id)
        return (await self._asked(self._synthesis.CancelSynthesisJob, request, timeout_s)).job

    async def get_study_review(
        self, study_id: str = "", timeout_s: float = CALL_TIMEOUT_S, *, study: str = ""
    ) -> study_pb2.StudyReview:
        """Ask what a study has, and what it still misses.

        Args:
            study_id: as its cines' headers had it.
            study: in place of it, as `list_studies` has it.
            timeout_s: how long the answer may take, s.

        Raises:
            CallError: the call ended in a status.
        """
        request = study_pb2.GetStudyReviewRequest(**_key(study_id, study))
        return (await self._asked(self._studies.GetStudyReview, request, timeout_s)).review

    async def watch_study_review(
        self, study_id: str = "", timeout_s: float | None = None, *, study: str = ""
    ) -> AsyncGenerator[study_pb2.StudyReview, None]:
        """Give the review of a study as it stands, then each change.

        It watches again by itself when the gateway stops, and gives no review twice in a row; without `Retry` it ends
        then.

        Args:
            study_id: as its cines' headers had it.
            study: in place of it, as `list_studies` has it.
            timeout_s: how long to watch, s; then the call ends in DEADLINE_EXCEEDED.

        Raises:
            CallError: the call ended in a status.
        """
        request, tries = study_pb2.WatchStudyReviewRequest(**_key(study_id, study)), Tries(self._retry, timeout_s)
        shown: study_pb2.StudyReview | None = None
        while True:
            try:
                async with aclosing(self._streamed(self._studies.WatchStudyReview, request, tries)) as responses:
                    async for response in responses:
                        if response.review != shown:
                            yield (shown := response.review)
                if self._retry is None:
                    return
                raise CallError(AWAY, "", _NOBODY_THERE, None)  # the server stops
            except CallError as error:
                await self._pause(tries, error)

    async def get_trial_protocol(self, timeout_s: float = CALL_TIMEOUT_S) -> study_pb2.TrialProtocol:
        """Ask what the trial asks of each study: views, visits, the shape of subject codes.

        Raises:
            CallError: the call ended in a status.
        """
        request = study_pb2.GetTrialProtocolRequest()
        return (await self._asked(self._studies.GetTrialProtocol, request, timeout_s)).protocol

    async def list_studies(
        self,
        subject_code: str = "",
        visit: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> study_pb2.ListStudiesResponse:
        """List studies, that with the newest cine first, a page at a time.

        Args:
            subject_code: of studies with this code only; empty for all.
            visit: of studies of this visit only; empty for all.
            page_size: 1 to 1000; 0: 100.
            page_token: of the answer before; empty: from the newest on.
            timeout_s: how long the answer may take, s.

        Raises:
            CallError: the call ended in a status.
        """
        request = study_pb2.ListStudiesRequest(
            subject_code=subject_code, visit=visit, page_size=page_size, page_token=page_token
        )
        return await self._asked(self._studies.ListStudies, request, timeout_s)

    async def name_study(
        self, request: study_pb2.NameStudyRequest, timeout_s: float = CALL_TIMEOUT_S
    ) -> study_pb2.StudySummary:
        """Name a study, or correct its name; asking again changes nothing.

        Raises:
            CallError: the call ended in a status; STUDY_MISMATCH where it has another name than the request replaces.
        """
        return (await self._asked(self._studies.NameStudy, request, timeout_s)).study

    # ---- how a call is made ------------------------------------------------------------------------------------------

    async def _asked(
        self, method: grpc.aio.UnaryUnaryMultiCallable[_Request, _Answer], request: _Request, timeout_s: float
    ) -> _Answer:
        """Make a call of one answer, again where that may help."""
        tries = Tries(self._retry, timeout_s)
        while True:
            try:
                with self._translated():
                    return await method(request, timeout=tries.left_s, metadata=self._metadata)
            except CallError as error:
                await self._pause(tries, error)

    async def _streamed(
        self, method: grpc.aio.UnaryStreamMultiCallable[_Request, _Answer], request: _Request, tries: Tries
    ) -> AsyncGenerator[_Answer, None]:
        """Make one try of a call of many answers."""
        call = method(request, timeout=tries.left_s, metadata=self._metadata)
        try:
            with self._translated():
                async for answer in call:
                    self._is_reached = True
                    tries.went_well()
                    yield answer
        finally:
            call.cancel()

    async def _pause(self, tries: Tries, error: CallError) -> None:
        """Wait before the next try of a call that ended in an error; raise that where there is to be none."""
        if not self._is_reached and not (self._retry and self._retry.waits_for_start):
            raise error
        pause_s = tries.pause_s(error.code, error.retry_after_s)
        if pause_s is None:
            raise error
        await asyncio.sleep(pause_s)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            told = call_error(error)
            self._is_reached = self._is_reached or told.code != AWAY or bool(told.reason)
            raise told from error
        self._is_reached = True


def _key(study_id: str, study: str) -> dict[str, str]:
    return {"study": study} if study else {"study_id": study_id}


def _read(source: str | os.PathLike[str] | BinaryIO) -> bytes:
    return Path(source).read_bytes() if isinstance(source, str | os.PathLike) else source.read()


async def _messages(
    data: bytes, header: view_pb2.CineHeader, progress: Progress | None
) -> AsyncIterator[view_pb2.PredictViewRequest]:
    yield view_pb2.PredictViewRequest(header=header)
    for start in range(0, len(data), CHUNK_BYTES):
        if progress is not None:
            progress(start, len(data))
        yield view_pb2.PredictViewRequest(chunk=data[start : start + CHUNK_BYTES])
    if progress is not None:
        progress(len(data), len(data))


def call_error(error: grpc.aio.AioRpcError) -> CallError:
    """Say what gRPC's own error means: reason and RetryInfo of its details, and advice where nobody is there."""
    reason, retry_after_s = "", None
    for key, value in error.trailing_metadata() or ():
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                reason = info.reason
            elif detail.Unpack(retry):
                retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    code, message = error.code().name, error.details() or ""
    if not reason and (code == AWAY or message == _BROKEN_OFF):
        code, message = AWAY, _NOBODY_THERE
    return CallError(code, reason, message, retry_after_s)
