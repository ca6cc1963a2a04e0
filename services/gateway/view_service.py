"""ViewService on the wire: messages in, an assessment, messages out."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import structlog
from echoplane.v1 import view_pb2, view_pb2_grpc

from services.acquisition.studies import StudyName
from services.cine.budget import ReadLimits
from services.cine.cine import CineFacts, CineFormat
from services.cine.errors import DeadlineError, EchoplaneError, Reason, RequestInvalidError
from services.cine.intake import DEFAULT_MAX_FRAMES, IntakeOptions
from services.cine.selection import Selection
from services.cine.validation.findings import Finding
from services.cine.views import ANSWERED_VIEWS, View
from services.gateway.assess import Assessment, Assessor
from services.gateway.metrics import GatewayMetrics
from services.gateway.study_desk import Filing, StudyDesk
from services.models.repository import ModelIdentity
from services.models.spec import VIEW_CLASSIFIER
from services.runtime.access import current_caller
from services.runtime.rpc import Admission

METHOD = "PredictView"
MAX_CHUNK_BYTES = 2**20
IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{0,64}")

_log = structlog.get_logger()


@dataclass(frozen=True)
class ViewService(view_pb2_grpc.ViewServiceServicer):
    """Answers PredictView.

    Attributes:
        assessor: does the work.
        admission: who may come in.
        metrics: counts.
        limits: what a cine may cost.
        receive_timeout_s: how long a cine may take to arrive, s.
        studies: where the cines of studies are recorded; None ignores which study a cine is of.
    """

    assessor: Assessor
    admission: Admission
    metrics: GatewayMetrics
    limits: ReadLimits
    receive_timeout_s: float
    studies: StudyDesk | None = None

    async def PredictView(  # noqa: N802 - the name on the wire
        self,
        request_iterator: AsyncIterator[view_pb2.PredictViewRequest],
        context: grpc.aio.ServicerContext[view_pb2.PredictViewRequest, view_pb2.PredictViewResponse],
    ) -> view_pb2.PredictViewResponse:
        """Name the view of one cine."""
        with self._counted() as seen:
            async with self.admission.admitted():
                upload = _Upload(self.limits, self.admission, self._check_study)
                try:
                    header = await self._receive(request_iterator, upload)
                    async with self.admission.working():
                        seen.assessment = await self.assessor.assess(
                            memoryview(upload.chunks), _options(header, self.limits)
                        )
                    if self.studies is not None and (filing := _filing(header)).is_of_a_study:
                        await self.studies.record(filing, upload.chunks, seen.assessment)
                finally:
                    self.metrics.received_bytes.inc(len(upload.chunks))
                    upload.release()
        return to_response(header.request_id, seen.assessment)

    async def _receive(
        self, requests: AsyncIterator[view_pb2.PredictViewRequest], upload: _Upload
    ) -> view_pb2.CineHeader:
        try:
            async with asyncio.timeout(self.receive_timeout_s):
                return await upload.receive(requests)
        except TimeoutError as error:
            raise DeadlineError(
                found=f"{len(upload.chunks)} bytes after {self.receive_timeout_s:.0f} s",
                expected="the whole cine",
                advice="Send it faster, or a smaller one.",
            ) from error

    def _check_study(self, header: view_pb2.CineHeader) -> None:
        if self.studies is not None:
            self.studies.check(_filing(header))

    @contextmanager
    def _counted(self) -> Iterator[_Seen]:
        """Count a request's outcome, time and answer, and log one line of it."""
        start, seen = time.perf_counter(), _Seen()
        outcome, reason = "error", "CANCELLED"
        try:
            yield seen
            assessment = seen.assessment
            outcome = "accepted" if assessment.intake.is_accepted else "rejected"
            reason = "" if assessment.intake.is_accepted else assessment.intake.findings[0].code.value
            self._count_answer(assessment)
        except EchoplaneError as error:
            reason = error.reason.value
            raise
        except Exception:
            reason = "INTERNAL"
            raise
        finally:
            spent = time.perf_counter() - start
            self.metrics.requests.labels(METHOD, outcome, reason).inc()
            self.metrics.request_duration.labels(METHOD).observe(spent)
            _log.info("predict_view", outcome=outcome, reason=reason, duration_s=round(spent, 4))
            structlog.contextvars.clear_contextvars()

    def _count_answer(self, assessment: Assessment) -> None:
        for stage, spent_ms in assessment.timings_ms.items():
            self.metrics.stage_duration.labels(stage).observe(spent_ms / 1000.0)
        for finding in assessment.intake.findings:
            self.metrics.findings.labels(finding.code).inc()
        if assessment.prediction is None:
            return
        view = assessment.prediction.view or "NONE"
        verdict = "ACCEPTED" if assessment.intake.is_accepted else "REJECTED"
        self.metrics.predictions.labels(view, verdict).inc()
        self.metrics.confidence.labels(view).observe(assessment.prediction.confidence)


class _Seen:
    """What a request came to, for the count of it."""

    assessment: Assessment


class _Upload:
    """Collects one cine, held to its limits chunk by chunk; `check` is given the header before any chunk."""

    def __init__(self, limits: ReadLimits, admission: Admission, check: Callable[[view_pb2.CineHeader], None]) -> None:
        self.chunks = bytearray()
        self._limits, self._admission, self._check = limits, admission, check
        self._caller = current_caller()

    async def receive(self, requests: AsyncIterator[view_pb2.PredictViewRequest]) -> view_pb2.CineHeader:
        """Take one header, then chunks until the stream is half-closed.

        Raises:
            RequestInvalidError: the messages are not in that order, or the header is malformed.
            LimitExceededError: the cine is too large.
            CapacityError: all cines together are too large, or the site's quota is used up.
        """
        header: view_pb2.CineHeader | None = None
        async for request in requests:
            part = request.WhichOneof("part")
            if header is None and part == "header":
                header = _checked(request.header)
                structlog.contextvars.bind_contextvars(request_id=header.request_id)
                self._check(header)
            elif header is not None and part == "chunk":
                self._take(request.chunk)
            else:
                raise _invalid(f"{part or 'an empty message'} out of order", "one header, then chunks")
        if header is None:
            raise _invalid("no message", "one header, then chunks")
        return header

    def _take(self, chunk: bytes) -> None:
        if len(chunk) > MAX_CHUNK_BYTES:
            raise _invalid(f"a chunk of {len(chunk)} bytes", f"at most {MAX_CHUNK_BYTES}")
        self._limits.check_bytes(len(self.chunks) + len(chunk))
        self._admission.take_bytes(len(chunk))
        self.chunks += chunk
        if self._caller is not None:
            self._caller.quota.received_bytes.take(len(chunk))

    def release(self) -> None:
        """Give the bytes back to the process."""
        self._admission.take_bytes(-len(self.chunks))
        self.chunks = bytearray()


def _checked(header: view_pb2.CineHeader) -> view_pb2.CineHeader:
    for name in ("request_id", "study_id", "study", "trial", "subject_code", "visit"):
        if not IDENTIFIER.fullmatch(getattr(header, name)):
            raise _invalid(f"a malformed {name}", "at most 64 of [A-Za-z0-9._-]")
    for name, kind in (("format", view_pb2.CineFormat), ("selection", view_pb2.Selection)):
        if getattr(header, name) not in kind.values():
            raise _invalid(f"an unknown {name}", "a value of its enum")
    if header.max_frames > VIEW_CLASSIFIER.max_batch_size:
        raise _invalid(f"max_frames {header.max_frames}", f"1 to {VIEW_CLASSIFIER.max_batch_size}, or 0")
    if not header.request_id:
        header.request_id = uuid.uuid4().hex
    return header


def _invalid(found: str, expected: str) -> RequestInvalidError:
    return RequestInvalidError(
        Reason.REQUEST_MALFORMED,
        found=found,
        expected=expected,
        advice="Send one CineHeader first, then the file in chunks (proto/echoplane/v1/view.proto).",
    )


def _filing(header: view_pb2.CineHeader) -> Filing:
    return Filing(header.study_id, header.study, StudyName(header.trial, header.subject_code, header.visit))


def _options(header: view_pb2.CineHeader, limits: ReadLimits) -> IntakeOptions:
    claimed = view_pb2.CineFormat.Name(header.format).removeprefix("CINE_FORMAT_")
    selection = view_pb2.Selection.Name(header.selection).removeprefix("SELECTION_")
    return IntakeOptions(
        claimed_format=CineFormat[claimed] if header.format else None,
        selection=Selection[selection] if header.selection else IntakeOptions.selection,
        max_frames=header.max_frames or DEFAULT_MAX_FRAMES,
        limits=limits,
    )


def to_response(request_id: str, assessment: Assessment) -> view_pb2.PredictViewResponse:
    """Put an assessment on the wire."""
    intake = assessment.intake
    verdict = view_pb2.VERDICT_ACCEPTED if intake.is_accepted else view_pb2.VERDICT_REJECTED
    response = view_pb2.PredictViewResponse(
        request_id=request_id,
        verdict=verdict,
        findings=[to_finding(finding) for finding in intake.findings],
        model=to_model(assessment.identity),
        timings_ms=view_pb2.Timings(**assessment.timings_ms),
        cine=_cine(intake.cine),
    )
    _add_prediction(response, assessment)
    return response


def to_finding(finding: Finding) -> view_pb2.Finding:
    """Put on the wire what validation saw."""
    return view_pb2.Finding(
        code=f"FINDING_CODE_{finding.code}", message=finding.message, severity=f"SEVERITY_{finding.severity}"
    )


def to_model(identity: ModelIdentity) -> view_pb2.Model:
    """Put on the wire which model answers."""
    return view_pb2.Model(
        name=identity.name,
        version=identity.version,
        sha256=identity.sha256,
        backend=identity.backend,
        trained_on=identity.trained_on,
        abstain_below=identity.abstain_below,
    )


def _add_prediction(response: view_pb2.PredictViewResponse, assessment: Assessment) -> None:
    prediction = assessment.prediction
    if prediction is None:
        return
    response.MergeFrom(view_pb2.PredictViewResponse(view=to_view(prediction.view), confidence=prediction.confidence))
    for view, probability in zip(ANSWERED_VIEWS, prediction.probabilities, strict=True):
        response.probabilities.add(view=to_view(view), probability=float(probability))
    frames = zip(
        assessment.intake.frame_indices, assessment.intake.frame_times_ms, prediction.frame_probabilities, strict=True
    )
    for index, time_ms, probabilities in frames:
        best = int(probabilities.argmax())
        response.frames.add(
            index=int(index),
            time_ms=float(time_ms),
            view=to_view(ANSWERED_VIEWS[best]),
            confidence=float(probabilities[best]),
        )


def _cine(facts: CineFacts) -> view_pb2.Cine:
    row_mm, column_mm = facts.pixel_spacing_mm or (0.0, 0.0)
    return view_pb2.Cine(
        format=f"CINE_FORMAT_{facts.format}",
        rows=facts.rows,
        columns=facts.columns,
        frame_count=facts.frame_count,
        duration_ms=facts.duration_ms,
        timing_source=f"TIMING_SOURCE_{facts.timing_source.name}",
        row_spacing_mm=row_mm,
        column_spacing_mm=column_mm,
    )


def to_view(view: View | None) -> str:
    """Give a view's name on the wire; the model's silence is VIEW_UNSPECIFIED."""
    return f"VIEW_{view or 'UNSPECIFIED'}"
