"""Studies through the gateway without a server: cines in, reviews out, those who watch woken."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from echoplane.v1 import study_pb2, view_pb2

from services.acquisition.protocol import TrialProtocol
from services.acquisition.studies import Studies, Study, StudyKey
from services.cine.errors import (
    CapacityError,
    ConfigError,
    EchoplaneError,
    InputError,
    Reason,
    RequestInvalidError,
    StorageError,
    StudyUnknownError,
)
from services.gateway.settings import GatewaySettings
from services.gateway.study_desk import StudyDesk, open_study_desk
from services.gateway.study_service import METHOD, POLL_S, StudyService
from services.runtime.rpc import Admission
from tests.builders import dicom_bytes, still_frames
from tests.unit.acquisition.studying import KEY, NAME, PROTOCOL, STUDY, UID, cine
from tests.unit.gateway import test_view_service as views
from tests.unit.gateway.test_view_service import CHUNK, GOOD, Assessor, chunks, header

CONTEXT: Any = None
NAMED = {"study_id": UID, "trial": NAME.trial, "subject_code": NAME.subject_code, "visit": NAME.visit}
LONG_S = 600.0
"""A poll that no test lives to see."""


class CountedStudies(Studies):
    """Counts how often it is read."""

    reads = 0

    def get(self, key: StudyKey) -> Study:
        self.reads += 1
        return super().get(key)


class Desk:
    """PredictView and StudyService of one gateway, on a record in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        assessor: Assessor | None = None,
        protocol: TrialProtocol = PROTOCOL,
        poll_s: float = LONG_S,
    ) -> None:
        self.folder = folder / "record"
        self.studies = CountedStudies(self.folder / "studies.sqlite", KEY)
        self.desk = StudyDesk(protocol, self.studies)
        self.views = views.Desk(assessor, studies=self.desk)
        admission = Admission(running=2, queued=0, max_bytes=0, on_change=lambda waiting: None)
        self.service = StudyService(self.desk, admission, self.views.service.metrics, poll_s)

    async def send(self, data: bytes = GOOD, **changed: str) -> view_pb2.PredictViewResponse:
        response: view_pb2.PredictViewResponse = await self.views.ask([header(**NAMED | changed), *chunks(data)])
        return response

    async def review(self, study_id: str = UID) -> study_pb2.StudyReview:
        request = study_pb2.GetStudyReviewRequest(study_id=study_id)
        return (await self.service.GetStudyReview(request, CONTEXT)).review

    async def watch(self, study_id: str = UID) -> AsyncGenerator[study_pb2.StudyReview, None]:
        request = study_pb2.WatchStudyReviewRequest(study_id=study_id)
        watching: Any = self.service.WatchStudyReview(request, CONTEXT)
        async with aclosing(watching) as responses:
            async for response in responses:
                yield response.review

    def counted(self, method: str, outcome: str, reason: str = "") -> float:
        return self.views.counted("requests_total", method=method, outcome=outcome, reason=reason)


async def soon(review: AsyncGenerator[study_pb2.StudyReview, None]) -> study_pb2.StudyReview:
    async with asyncio.timeout(20.0):
        return await anext(review)


async def test_an_answered_cine_is_in_the_review_before_its_answer_is_sent(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert (await desk.send()).view == view_pb2.VIEW_A4C
    review = await desk.review()
    assert (review.trial, review.subject_code, review.visit) == (NAME.trial, NAME.subject_code, NAME.visit)
    assert (review.state, review.cines, review.unnamed) == (study_pb2.REVIEW_STATE_OPEN, 1, 0)
    assert review.final_time.ToSeconds() == pytest.approx(time.time() + PROTOCOL.quiet_time_s, abs=60)
    four, plax = review.views
    assert (four.view, four.required, four.present, four.accepted, four.missing) == (view_pb2.VIEW_A4C, 2, 1, 1, 1)
    assert four.least_confidence == pytest.approx(0.7)
    assert (plax.view, plax.missing) == (view_pb2.VIEW_PLAX, 1)
    assert desk.counted("GetStudyReview", "accepted") == 1


async def test_a_rejected_cine_is_told_with_what_to_do(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    answered = await desk.send(dicom_bytes(still_frames()))
    (rejection,) = (await desk.review()).rejections
    assert rejection.finding == answered.findings[0]
    assert (rejection.view, rejection.count) == (view_pb2.VIEW_A4C, 1)
    assert "Send a live cine loop" in rejection.finding.message


async def test_cines_without_a_view_or_without_an_answer_fill_no_view(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Assessor(logits=(0, 0, 0, 0, 0)))
    await desk.send()
    with pytest.raises(InputError):
        await desk.send(b"no cine")
    await desk.send(dicom_bytes(views.fan_frames(), Modality="CT"))
    review = await desk.review()
    assert (review.cines, review.unnamed, [each.missing for each in review.views]) == (2, 1, [2, 1])
    assert review.rejections[0].view == view_pb2.VIEW_UNSPECIFIED


@pytest.mark.parametrize(
    "changed",
    [
        {"subject_code": "Lundqvist"},
        {"subject_code": "195202291234"},
        {"subject_code": ""},
        {"visit": "Lundqvist"},
        {"trial": ""},
        {"trial": "Lundqvist"},
        {"study_id": ""},
        {"study_id": "", "trial": "", "visit": ""},
    ],
)
async def test_a_name_that_the_trial_does_not_know_is_refused_before_a_chunk_comes(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(RequestInvalidError) as caught:
        await desk.views.ask([header(**NAMED | changed)], stays_open=True)
    for text in ("Lundqvist", "19520229", "S01-001"):
        assert text not in str(caught.value)
    assert caught.value.reason is Reason.REQUEST_MALFORMED


async def test_a_cine_of_another_subject_is_refused_and_not_recorded(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.send()
    with pytest.raises(RequestInvalidError) as caught:
        await desk.send(dicom_bytes(still_frames()), subject_code="S01-002")
    assert caught.value.reason is Reason.STUDY_MISMATCH
    assert desk.counted(views.METHOD, "error", "STUDY_MISMATCH") == 1
    assert (await desk.review()).cines == 1


async def test_a_cine_of_no_study_is_answered_and_recorded_nowhere(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    shutil.rmtree(desk.folder)
    assert (await desk.views.ask([header(), *chunks(GOOD)])).verdict == view_pb2.VERDICT_ACCEPTED


async def test_a_cine_that_cannot_be_recorded_gets_an_error_and_no_answer(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    shutil.rmtree(desk.folder)
    for ask in (desk.send, desk.review):
        with pytest.raises(StorageError):
            await ask()
    assert desk.counted(views.METHOD, "error", "STORAGE") == desk.counted("GetStudyReview", "error", "STORAGE") == 1
    assert desk.counted(views.METHOD, "accepted") == 0


async def test_without_a_protocol_a_study_is_ignored_however_it_is_called() -> None:
    for fields in ({"study_id": UID}, NAMED | {"subject_code": "any"}, {"visit": "any"}):
        response = await views.Desk().ask([header(**fields), *chunks(GOOD)])
        assert response.verdict == view_pb2.VERDICT_ACCEPTED


@pytest.mark.parametrize("field", ["trial", "subject_code", "visit"])
async def test_a_malformed_name_is_refused_everywhere(field: str) -> None:
    with pytest.raises(RequestInvalidError) as caught:
        await views.Desk().ask([header(**{field: "Lundqvist^Astrid"}), CHUNK])
    assert "Lundqvist" not in str(caught.value)


@pytest.mark.parametrize(
    ("study_id", "reason"),
    [("", Reason.REQUEST_MALFORMED), ("a b", Reason.REQUEST_MALFORMED), ("1.2", Reason.STUDY_UNKNOWN)],
)
async def test_a_study_that_is_malformed_or_unknown_is_refused(tmp_path: Path, study_id: str, reason: Reason) -> None:
    desk = Desk(tmp_path)
    await desk.send()
    for ask in (desk.review(study_id), soon(desk.watch(study_id))):
        with pytest.raises(EchoplaneError) as caught:
            await ask
        assert caught.value.reason is reason
    assert desk.counted("GetStudyReview", "error", reason) == desk.counted(METHOD, "error", reason) == 1


async def test_a_study_of_another_trial_is_not_held_against_this_ones_protocol(tmp_path: Path) -> None:
    await Desk(tmp_path).send()
    after = Desk(tmp_path, protocol=PROTOCOL.model_copy(update={"trial": "EXAMPLE-2"}))
    with pytest.raises(StudyUnknownError):
        await after.review()


async def test_who_watches_is_told_at_once_of_what_changed_and_of_nothing_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.send()
    async with aclosing(desk.watch()) as watching:
        assert (await soon(watching)).cines == 1
        change = asyncio.create_task(soon(watching))
        await asyncio.sleep(0.05)
        await desk.send()  # the same cine again
        await desk.send(study_id="1.2.3")
        assert desk.studies.reads == 1, "looked without being told of a change"
        await desk.send(dicom_bytes(still_frames()))
        assert (await change).cines == 2
    assert desk.counted(METHOD, "accepted") == 1


async def test_a_change_between_two_looks_is_not_missed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.send()
    async with aclosing(desk.watch()) as watching:
        await soon(watching)
        await desk.send(dicom_bytes(still_frames()))  # nobody waits for it right now
        assert (await soon(watching)).cines == 2


async def test_what_another_process_records_is_seen_a_little_later(tmp_path: Path) -> None:
    desk = Desk(tmp_path, poll_s=0.02)
    other = Studies(desk.folder / "studies.sqlite", KEY)
    other.record(STUDY, NAME, cine(1, received_s=time.time()))
    async with aclosing(desk.watch()) as watching:
        assert (await soon(watching)).cines == 1
        change = asyncio.create_task(soon(watching))
        async with asyncio.timeout(20.0):
            while desk.studies.reads < 4:
                await asyncio.sleep(0.01)
        assert not change.done(), "told of what did not change"
        other.record(STUDY, NAME, cine(2, received_s=time.time()))
        assert (await change).cines == 2


async def test_a_watched_review_becomes_final_by_itself_and_a_late_cine_opens_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, protocol=PROTOCOL.model_copy(update={"quiet_time_s": 0.2}))
    await desk.send()
    async with aclosing(desk.watch()) as watching:
        review = await soon(watching)
        while review.state != study_pb2.REVIEW_STATE_FINAL:
            review = await soon(watching)
        await desk.send(dicom_bytes(still_frames()))
        assert (await soon(watching)).state == study_pb2.REVIEW_STATE_OPEN


async def test_an_open_review_is_looked_at_no_more_often_than_the_poll(tmp_path: Path) -> None:
    desk = Desk(tmp_path, poll_s=POLL_S)
    await desk.send()
    async with aclosing(desk.watch()) as watching:
        await soon(watching)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(watching)
    assert desk.studies.reads == 1


async def test_only_so_many_watch_and_one_who_leaves_makes_room(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.send()
    async with aclosing(desk.watch()) as first, aclosing(desk.watch()) as second:
        assert await soon(first) == await soon(second)
        with pytest.raises(CapacityError):
            await soon(desk.watch())
    async with aclosing(desk.watch()) as third:
        assert (await soon(third)).cines == 1


async def test_a_desk_that_closes_ends_every_watch(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.send()
    async with aclosing(desk.watch()) as watching:
        await soon(watching)
        desk.desk.close()
        with pytest.raises(StopAsyncIteration):
            await soon(watching)


def test_studies_are_reviewed_where_a_protocol_is_set(tmp_path: Path) -> None:
    assert open_study_desk(GatewaySettings()) is None
    (tmp_path / "key").write_bytes(KEY)
    example = Path(__file__).parents[3] / "deploy" / "trials" / "example.yaml"
    settings = GatewaySettings(
        trial_protocol=example, study_key_file=tmp_path / "key", study_database=tmp_path / "studies.sqlite"
    )
    assert open_study_desk(settings) is not None
    with pytest.raises(ConfigError):
        open_study_desk(settings.model_copy(update={"trial_protocol": tmp_path / "key"}))
