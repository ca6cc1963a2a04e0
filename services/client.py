"""A client of the gateway, for the command line, the demo and whoever wants one in Python."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc
from echoplane.v1 import study_pb2, study_pb2_grpc, synthesis_pb2, synthesis_pb2_grpc, view_pb2, view_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

CHUNK_BYTES = 256 * 1024
"""A quarter of what one message may carry."""

TRIAL_KEY = "echoplane-trial"
"""Metadata that names the trial of a call."""

_NOBODY_THERE = (
    "Found no gateway that answers at that address; expected one. "
    "Start it (`make serve`), check host and port, and give its authority (--ca) where it uses TLS."
)
_DETAILS_KEY = "grpc-status-details-bin"


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
    """Calls the gateway.

    Args:
        address: host:port.
        tls: how to encrypt; None speaks plain text, for loopback.
        trial: for which trial; a site that takes part in one only need not say.
    """

    def __init__(self, address: str, tls: Tls | None = None, trial: str = "") -> None:
        self._metadata = ((TRIAL_KEY, trial),) if trial else ()
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address)
        else:
            credentials = grpc.ssl_channel_credentials(tls.authority, tls.key, tls.certificate)
            self._channel = grpc.aio.secure_channel(address, credentials)
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
        await self._channel.close()

    async def predict_view(
        self, data: bytes, header: view_pb2.CineHeader | None = None, timeout_s: float = 60.0
    ) -> view_pb2.PredictViewResponse:
        """Name the view of one cine.

        Args:
            data: the whole file.
            header: what to say about it; empty by default.
            timeout_s: how long the answer may take, s.

        Raises:
            CallError: the call ended in a status.
        """
        with _translated():
            messages = _messages(data, header or view_pb2.CineHeader())
            return await self._stub.PredictView(messages, timeout=timeout_s, metadata=self._metadata)

    async def generate_batch(
        self, request: synthesis_pb2.GenerateBatchRequest, timeout_s: float | None = None
    ) -> AsyncIterator[synthesis_pb2.GenerateBatchResponse]:
        """Make a small batch, and give each image as it comes; close the iterator to stop the server too.

        Raises:
            CallError: the call ended in a status.
        """
        call = self._synthesis.GenerateBatch(request, timeout=timeout_s, metadata=self._metadata)
        try:
            with _translated():
                async for response in call:
                    yield response
        finally:
            call.cancel()

    async def create_synthesis_job(
        self, request: synthesis_pb2.CreateSynthesisJobRequest, timeout_s: float = 60.0
    ) -> synthesis_pb2.SynthesisJob:
        """Have a large batch made; asking again with the same request_id gives the same job.

        Raises:
            CallError: the call ended in a status.
        """
        with _translated():
            told = await self._synthesis.CreateSynthesisJob(request, timeout=timeout_s, metadata=self._metadata)
            return told.job

    async def get_synthesis_job(self, job_id: str, timeout_s: float = 60.0) -> synthesis_pb2.SynthesisJob:
        """Ask how far a job is.

        Raises:
            CallError: the call ended in a status.
        """
        request = synthesis_pb2.GetSynthesisJobRequest(job_id=job_id)
        with _translated():
            told = await self._synthesis.GetSynthesisJob(request, timeout=timeout_s, metadata=self._metadata)
            return told.job

    async def list_synthesis_jobs(
        self, page_size: int = 0, page_token: str = "", timeout_s: float = 60.0
    ) -> synthesis_pb2.ListSynthesisJobsResponse:
        """List jobs, the newest first, a page at a time.

        Raises:
            CallError: the call ended in a status.
        """
        request = synthesis_pb2.ListSynthesisJobsRequest(page_size=page_size, page_token=page_token)
        with _translated():
            return await self._synthesis.ListSynthesisJobs(request, timeout=timeout_s, metadata=self._metadata)

    async def cancel_synthesis_job(self, job_id: str, timeout_s: float = 60.0) -> synthesis_pb2.SynthesisJob:
        """Stop a job and have its images removed.

        Raises:
            CallError: the call ended in a status.
        """
        request = synthesis_pb2.CancelSynthesisJobRequest(job_id=job_id)
        with _translated():
            told = await self._synthesis.CancelSynthesisJob(request, timeout=timeout_s, metadata=self._metadata)
            return told.job

    async def get_study_review(
        self, study_id: str = "", timeout_s: float = 60.0, *, study: str = ""
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
        with _translated():
            told = await self._studies.GetStudyReview(request, timeout=timeout_s, metadata=self._metadata)
            return told.review

    async def watch_study_review(
        self, study_id: str = "", timeout_s: float | None = None, *, study: str = ""
    ) -> AsyncIterator[study_pb2.StudyReview]:
        """Give the review of a study as it stands, then each change; it ends by itself when the server stops.

        Args:
            study_id: as its cines' headers had it.
            study: in place of it, as `list_studies` has it.
            timeout_s: how long to watch, s; then the call ends in DEADLINE_EXCEEDED.

        Raises:
            CallError: the call ended in a status.
        """
        request = study_pb2.WatchStudyReviewRequest(**_key(study_id, study))
        call = self._studies.WatchStudyReview(request, timeout=timeout_s, metadata=self._metadata)
        try:
            with _translated():
                async for response in call:
                    yield response.review
        finally:
            call.cancel()

    async def get_trial_protocol(self, timeout_s: float = 60.0) -> study_pb2.TrialProtocol:
        """Ask what the trial asks of each study: views, visits, the shape of subject codes.

        Raises:
            CallError: the call ended in a status.
        """
        request = study_pb2.GetTrialProtocolRequest()
        with _translated():
            told = await self._studies.GetTrialProtocol(request, timeout=timeout_s, metadata=self._metadata)
            return told.protocol

    async def list_studies(
        self,
        subject_code: str = "",
        visit: str = "",
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float = 60.0,
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
        with _translated():
            return await self._studies.ListStudies(request, timeout=timeout_s, metadata=self._metadata)

    async def name_study(self, request: study_pb2.NameStudyRequest, timeout_s: float = 60.0) -> study_pb2.StudySummary:
        """Name a study, or correct its name; asking again changes nothing.

        Raises:
            CallError: the call ended in a status; STUDY_MISMATCH where it has another name than the request replaces.
        """
        with _translated():
            told = await self._studies.NameStudy(request, timeout=timeout_s, metadata=self._metadata)
            return told.study


def _key(study_id: str, study: str) -> dict[str, str]:
    return {"study": study} if study else {"study_id": study_id}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _call_error(error) from error


async def _messages(data: bytes, header: view_pb2.CineHeader) -> AsyncIterator[view_pb2.PredictViewRequest]:
    yield view_pb2.PredictViewRequest(header=header)
    for start in range(0, len(data), CHUNK_BYTES):
        yield view_pb2.PredictViewRequest(chunk=data[start : start + CHUNK_BYTES])


def _call_error(error: grpc.aio.AioRpcError) -> CallError:
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
    message = error.details() or ""
    if error.code() is grpc.StatusCode.UNAVAILABLE and not reason:
        message = _NOBODY_THERE
    return CallError(error.code().name, reason, message, retry_after_s)
