"""ViewService without a server: messages in, a message out, everything counted."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterable
from typing import Any

import numpy as np
import pytest
from echoplane.v1 import view_pb2
from prometheus_client import CollectorRegistry

from services.cine.budget import ReadLimits
from services.cine.cine import CineFormat
from services.cine.errors import (
    CapacityError,
    DeadlineError,
    EchoplaneError,
    InputError,
    LimitExceededError,
    Reason,
    RequestInvalidError,
)
from services.cine.intake import DEFAULT_MAX_FRAMES, IntakeOptions, take_in
from services.cine.selection import Selection
from services.cine.validation.findings import FindingCode, Severity
from services.cine.views import ANSWERED_VIEWS, View
from services.gateway.assess import Assessment
from services.gateway.metrics import GatewayMetrics
from services.gateway.view_service import MAX_CHUNK_BYTES, METHOD, ViewService, to_response
from services.models.repository import ModelIdentity
from services.models.view_classifier import combine
from services.runtime.rpc import Admission
from tests.builders import dicom_bytes, fan_frames, still_frames

GOOD = dicom_bytes(fan_frames())
IDENTITY = ModelIdentity("view_classifier", "1", "ab" * 32, "onnxruntime", "nothing", 0.5)
TIMINGS_MS = {"read": 1.0, "validate": 2.0, "select": 3.0, "preprocess": 4.0, "infer": 5.0, "total": 15.0}


class Assessor:
    """Takes the cine in right here and answers with fixed log-odds; keeps what it was asked."""

    def __init__(self, logits: tuple[float, ...] = (0, 3, 0, 0, 0), error: BaseException | None = None) -> None:
        self.logits, self.error = logits, error
        self.asked: list[tuple[bytes, IntakeOptions]] = []

    async def assess(self, data: bytes | memoryview, options: IntakeOptions) -> Assessment:
        self.asked.append((bytes(data), options))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        intake = take_in(data, options)
        count = len(intake.model_input)
        prediction = combine(np.array([self.logits] * count, np.float32), 0.5) if count else None
        return Assessment(intake, prediction, IDENTITY, TIMINGS_MS)


class Desk:
    """A ViewService with everything it needs, on a registry of its own."""

    def __init__(self, assessor: Assessor | None = None, **changed: Any) -> None:
        self.registry = CollectorRegistry()
        self.assessor = assessor or Assessor()
        self.admission = Admission(2, 2, max_bytes=changed.pop("max_held_bytes", 2**30), on_change=lambda waiting: None)
        parts: dict[str, Any] = {"limits": ReadLimits(), "receive_timeout_s": 5.0} | changed
        self.service = ViewService(
            assessor=self.assessor,  # type: ignore[arg-type]
            admission=self.admission,
            metrics=GatewayMetrics(self.registry),
            **parts,
        )

    async def ask(self, messages: Iterable[view_pb2.PredictViewRequest], stays_open: bool = False) -> Any:
        async def stream() -> AsyncIterator[view_pb2.PredictViewRequest]:
            for message in messages:
                yield message
            if stays_open:
                await asyncio.Event().wait()

        return await self.service.PredictView(stream(), None)  # type: ignore[arg-type]

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"echoplane_{name}", labels) or 0.0


def header(**fields: Any) -> view_pb2.PredictViewRequest:
    return view_pb2.PredictViewRequest(header=view_pb2.CineHeader(**fields))


def chunks(data: bytes, size: int = 100_000) -> list[view_pb2.PredictViewRequest]:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return [view_pb2.PredictViewRequest(chunk=part) for part in parts]


async def refused(desk: Desk, messages: Iterable[view_pb2.PredictViewRequest], stays_open: bool = False) -> Reason:
    with pytest.raises(EchoplaneError) as caught:
        await desk.ask(messages, stays_open)
    assert desk.counted("requests_total", method=METHOD, outcome="error", reason=caught.value.reason) == 1
    return caught.value.reason


@pytest.mark.parametrize("size", [1_000, 100_000, MAX_CHUNK_BYTES])
async def test_chunks_of_any_size_make_the_same_cine(size: int) -> None:
    desk = Desk()
    response = await desk.ask([header(request_id="r-1.A_b"), *chunks(GOOD, size)])
    assert desk.assessor.asked[0][0] == GOOD
    assert response.request_id == "r-1.A_b"
    assert response.verdict == view_pb2.VERDICT_ACCEPTED


async def test_a_request_without_an_id_gets_one() -> None:
    ids = {(await Desk().ask([header(), *chunks(GOOD)])).request_id for _ in range(2)}
    assert len(ids) == 2
    assert all(len(request_id) == 32 for request_id in ids)


CHUNK = view_pb2.PredictViewRequest(chunk=b"x")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [view_pb2.PredictViewRequest()],
        [CHUNK],
        [CHUNK, header()],
        [header(), header()],
        [header(), CHUNK, header()],
        [header(), view_pb2.PredictViewRequest()],
        [header(), view_pb2.PredictViewRequest(chunk=bytes(MAX_CHUNK_BYTES + 1))],
        [header(request_id="two\nlines"), CHUNK],
        [header(request_id="a" * 65), CHUNK],
        [header(request_id="Lundqvist^Astrid"), CHUNK],
        [header(study_id="a b"), CHUNK],
        [header(format=99), CHUNK],
        [header(selection=99), CHUNK],
        [header(max_frames=65), CHUNK],
        [header(max_frames=2**32 - 1), CHUNK],
    ],
    ids=lambda messages: str([str(message)[:40] for message in messages])[:80],
)
async def test_a_malformed_request_is_refused_before_any_work(messages: list[view_pb2.PredictViewRequest]) -> None:
    desk = Desk()
    with pytest.raises(RequestInvalidError) as caught:
        await desk.ask(messages)
    assert caught.value.reason is Reason.REQUEST_MALFORMED
    assert "Lundqvist" not in str(caught.value)
    assert desk.assessor.asked == []


@pytest.mark.parametrize("filename", ["Lundqvist^Astrid.dcm", "../../etc/passwd", "a.avi"])
async def test_a_file_name_is_neither_believed_nor_repeated(filename: str, capsys: pytest.CaptureFixture[str]) -> None:
    response = await Desk().ask([header(filename=filename), *chunks(GOOD)])
    assert response.verdict == view_pb2.VERDICT_ACCEPTED
    assert filename not in str(response) + capsys.readouterr().out


async def test_header_fields_become_options() -> None:
    desk = Desk()
    fields = {"format": view_pb2.CINE_FORMAT_DICOM, "selection": view_pb2.SELECTION_EVEN, "max_frames": 3}
    response = await desk.ask([header(**fields), *chunks(GOOD)])
    assert desk.assessor.asked[0][1] == IntakeOptions(CineFormat.DICOM, Selection.EVEN, 3, ReadLimits())
    assert len(response.frames) == 3


async def test_an_empty_header_asks_for_the_defaults() -> None:
    desk = Desk()
    await desk.ask([header(), *chunks(GOOD)])
    assert desk.assessor.asked[0][1] == IntakeOptions(max_frames=DEFAULT_MAX_FRAMES)


@pytest.mark.parametrize("kind", CineFormat)
async def test_every_format_on_the_wire_is_one_of_the_reader(kind: CineFormat) -> None:
    desk = Desk(Assessor(error=CapacityError(found="a", expected="b", advice="c")))
    await refused(desk, [header(format=f"CINE_FORMAT_{kind}"), CHUNK])
    assert desk.assessor.asked[0][1].claimed_format is kind


async def test_a_cine_over_the_size_limit_is_refused_while_it_arrives() -> None:
    desk = Desk(limits=ReadLimits(max_bytes=1_000))
    assert await refused(desk, [header(), *chunks(bytes(3_000), 600)], stays_open=True) is Reason.LIMIT_BYTES
    assert desk.counted("received_bytes_total") == 600


async def test_all_cines_together_have_a_limit_and_their_bytes_are_given_back() -> None:
    desk = Desk(max_held_bytes=len(GOOD))
    for _ in range(3):
        assert (await desk.ask([header(), *chunks(GOOD)])).verdict == view_pb2.VERDICT_ACCEPTED
    assert await refused(desk, [header(), *chunks(GOOD + b"x")]) is Reason.QUEUE_FULL
    assert (await desk.ask([header(), *chunks(GOOD)])).verdict == view_pb2.VERDICT_ACCEPTED


async def test_a_cine_that_arrives_too_slowly_is_refused_with_what_came() -> None:
    desk = Desk(receive_timeout_s=0.02)
    with pytest.raises(DeadlineError, match="1 bytes"):
        await desk.ask([header(), CHUNK], stays_open=True)


async def test_more_requests_than_may_wait_are_refused_and_the_others_answered() -> None:
    desk = Desk()
    calls = [desk.ask([header(), *chunks(GOOD)]) for _ in range(10)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, CapacityError) for answer in answers) == 6
    assert desk.counted("requests_total", method=METHOD, outcome="accepted", reason="") == 4


async def test_an_accepted_cine_is_counted() -> None:
    desk = Desk()
    await desk.ask([header(), *chunks(GOOD)])
    assert desk.counted("requests_total", method=METHOD, outcome="accepted", reason="") == 1
    assert desk.counted("request_duration_seconds_count", method=METHOD) == 1
    assert desk.counted("predictions_total", view="A4C", verdict="ACCEPTED") == 1
    assert desk.counted("confidence_ratio_count", view="A4C") == 1
    assert desk.counted("received_bytes_total") == len(GOOD)
    for stage, spent_ms in TIMINGS_MS.items():
        assert desk.counted("stage_duration_seconds_sum", stage=stage) == pytest.approx(spent_ms / 1000)


async def test_a_rejected_cine_is_counted_by_its_first_finding() -> None:
    desk = Desk()
    await desk.ask([header(), *chunks(dicom_bytes(still_frames(3)))])
    assert desk.counted("requests_total", method=METHOD, outcome="rejected", reason="FROZEN") == 1
    assert desk.counted("findings_total", code="FROZEN") == desk.counted("findings_total", code="TOO_SHORT") == 1
    assert desk.counted("predictions_total", view="A4C", verdict="REJECTED") == 1


async def test_an_abstention_is_counted_as_none() -> None:
    desk = Desk(Assessor(logits=(0, 0, 0, 0, 0)))
    response = await desk.ask([header(), *chunks(GOOD)])
    assert response.view == view_pb2.VIEW_UNSPECIFIED
    assert len(response.probabilities) == 5
    assert desk.counted("predictions_total", view="NONE", verdict="ACCEPTED") == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LimitExceededError(Reason.LIMIT_TIME, found="a", expected="b", advice="c"), "LIMIT_TIME"),
        (ZeroDivisionError(), "INTERNAL"),
        (asyncio.CancelledError(), "CANCELLED"),
    ],
)
async def test_an_error_is_counted_by_its_reason_and_raised(error: BaseException, reason: str) -> None:
    desk = Desk(Assessor(error=error))
    with pytest.raises(type(error)):
        await desk.ask([header(), *chunks(GOOD)])
    assert desk.counted("requests_total", method=METHOD, outcome="error", reason=reason) == 1
    assert desk.counted("predictions_total", view="A4C", verdict="ACCEPTED") == 0


async def test_unreadable_bytes_raise_what_the_reader_raised() -> None:
    with pytest.raises(InputError) as caught:
        await Desk().ask([header(), *chunks(b"no cine")])
    assert caught.value.reason is Reason.FORMAT_UNKNOWN


# ---- the answer on the wire -----------------------------------------------------------------------------------------


async def assess(data: bytes, **options: Any) -> Assessment:
    return await Assessor().assess(data, IntakeOptions(**options))


async def test_the_response_says_what_the_assessment_says() -> None:
    assessment = await assess(GOOD, selection=Selection.EVEN, max_frames=3)
    response = to_response("r1", assessment)
    assert assessment.prediction is not None
    assert response.view == view_pb2.VIEW_A4C
    assert response.confidence == pytest.approx(assessment.prediction.confidence)
    assert [p.probability for p in response.probabilities] == pytest.approx(
        assessment.prediction.probabilities.tolist()
    )
    assert [view_pb2.View.Name(p.view) for p in response.probabilities] == [f"VIEW_{view}" for view in ANSWERED_VIEWS]
    assert [frame.index for frame in response.frames] == assessment.intake.frame_indices.tolist()
    assert [frame.time_ms for frame in response.frames] == assessment.intake.frame_times_ms.tolist()
    assert {stage: getattr(response.timings_ms, stage) for stage in TIMINGS_MS} == TIMINGS_MS
    assert (response.model.sha256, response.model.trained_on) == (IDENTITY.sha256, IDENTITY.trained_on)


async def test_a_plane_that_is_none_of_the_four_is_an_accepted_answer() -> None:
    desk = Desk(Assessor(logits=(0, 0, 0, 0, 4)))
    response = await desk.ask([header(), *chunks(GOOD)])
    assert response.verdict == view_pb2.VERDICT_ACCEPTED
    assert response.view == view_pb2.VIEW_OTHER
    assert response.confidence == pytest.approx(response.probabilities[-1].probability)
    assert desk.counted("predictions_total", view="OTHER", verdict="ACCEPTED") == 1


async def test_findings_and_a_view_stand_side_by_side() -> None:
    response = to_response("", await assess(dicom_bytes(still_frames())))
    assert response.verdict == view_pb2.VERDICT_REJECTED
    assert response.findings[0].code == view_pb2.FINDING_CODE_FROZEN
    assert response.findings[0].severity == view_pb2.SEVERITY_REJECT
    assert response.view == view_pb2.VIEW_A4C


async def test_without_a_prediction_there_is_no_view() -> None:
    response = to_response("", await assess(dicom_bytes(fan_frames(), Modality="CT")))
    assert response.verdict == view_pb2.VERDICT_REJECTED
    assert (response.view, response.confidence) == (view_pb2.VIEW_UNSPECIFIED, 0)
    assert not response.probabilities
    assert not response.frames
    assert response.model.name == "view_classifier"


async def test_a_warning_does_not_reject() -> None:
    assessment = await assess(dicom_bytes(still_frames()))
    warning = dataclasses.replace(assessment.intake.findings[0], severity=Severity.WARNING)
    intake = dataclasses.replace(assessment.intake, findings=(warning,))
    response = to_response("", dataclasses.replace(assessment, intake=intake))
    assert response.verdict == view_pb2.VERDICT_ACCEPTED
    assert response.findings[0].severity == view_pb2.SEVERITY_WARNING


@pytest.mark.parametrize(
    ("words", "kind", "prefix"),
    [
        (FindingCode, view_pb2.FindingCode, "FINDING_CODE_"),
        (Severity, view_pb2.Severity, "SEVERITY_"),
        (View, view_pb2.View, "VIEW_"),
        (Selection, view_pb2.Selection, "SELECTION_"),
        (CineFormat, view_pb2.CineFormat, "CINE_FORMAT_"),
    ],
)
def test_the_words_of_the_wire_are_the_words_of_the_code(words: Any, kind: Any, prefix: str) -> None:
    assert {prefix + word for word in words} | {prefix + "UNSPECIFIED"} == set(kind.keys())
