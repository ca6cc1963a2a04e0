"""Studies listed, named and forgotten, without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from echoplane.v1 import study_pb2, view_pb2

from services.acquisition.studies import Studies, StudyName
from services.cine.errors import EchoplaneError, Reason
from services.gateway.paging import MOST_PAGE
from services.gateway.study_desk import StudyDesk
from tests.builders import dicom_bytes, still_frames
from tests.unit.acquisition.studying import KEY, NAME, PROTOCOL, STUDY, UID, cine
from tests.unit.gateway.test_study_service import CONTEXT, Desk, soon
from tests.unit.gateway.test_view_service import GOOD

UNNAMED = {"subject_code": "", "visit": ""}
TOLD = {"trial": NAME.trial, "subject_code": NAME.subject_code, "visit": NAME.visit}
OTHER = TOLD | {"subject_code": "S01-002"}


async def listed(desk: Desk, **asked: Any) -> study_pb2.ListStudiesResponse:
    return await desk.service.ListStudies(study_pb2.ListStudiesRequest(**asked), CONTEXT)


async def name(
    desk: Desk, given: dict[str, str], replaces: dict[str, str] | None = None, **key: str
) -> study_pb2.StudySummary:
    request = study_pb2.NameStudyRequest(**key or {"study_id": UID}, name=given, replaces=replaces)
    return (await desk.service.NameStudy(request, CONTEXT)).study


async def reason_of(call: Awaitable[object]) -> Reason:
    with pytest.raises(EchoplaneError) as caught:
        await call
    for text in ("S01-001", "S01-002", "Lundqvist", UID):
        assert text not in str(caught.value)
    return caught.value.reason


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_the_protocol_is_told_as_it_was_read(desk: Desk) -> None:
    told = (await desk.service.GetTrialProtocol(study_pb2.GetTrialProtocolRequest(), CONTEXT)).protocol
    assert (told.trial, told.subject_code, list(told.visits)) == ("EXAMPLE-1", "S##-###", ["baseline", "month-6"])
    assert told.quiet_time.ToTimedelta().total_seconds() == PROTOCOL.quiet_time_s
    assert [(each.view, each.accepted_cines) for each in told.required_views] == [
        (view_pb2.VIEW_A4C, 2),
        (view_pb2.VIEW_PLAX, 1),
    ]
    assert told.required_views[0].least_confidence == pytest.approx(0.7)


async def test_a_study_is_listed_with_how_far_it_is(desk: Desk) -> None:
    await desk.send()
    (study,) = (await listed(desk)).studies
    assert (study.study, study.cines, study.is_complete) == (STUDY.study, 1, False)
    assert (study.name, study.state) == (study_pb2.StudyName(**TOLD), study_pb2.REVIEW_STATE_OPEN)
    assert study.last_cine_time.ToSeconds() == pytest.approx(time.time(), abs=60)
    assert UID not in str(study)


async def test_a_study_that_is_final_may_be_complete_or_not(desk: Desk) -> None:
    views = [[required.view] * required.accepted_cines for required in PROTOCOL.required_views]
    for number, view in enumerate(each for several in views for each in several):
        desk.studies.record(STUDY, NAME, cine(number, view))
    desk.studies.record(desk.studies.key("", "1.2"), NAME, cine())
    half, whole = (await listed(desk)).studies
    assert (half.is_complete, whole.is_complete) == (False, True)
    assert half.state == whole.state == study_pb2.REVIEW_STATE_FINAL


async def test_pages_hold_every_study_once(desk: Desk) -> None:
    for number in range(5):
        desk.studies.record(desk.studies.key("", f"1.{number}"), NAME, cine())
    found, token = [], ""
    for size in (2, 2, 1):
        page = await listed(desk, page_size=2, page_token=token)
        assert len(page.studies) == size
        found += [study.study for study in page.studies]
        token = page.next_page_token
    assert token == ""
    assert found == [desk.studies.key("", f"1.{number}").study for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("asked", [{"page_size": MOST_PAGE + 1}, {"page_token": "S01-001"}, {"page_token": "9" * 19}])
async def test_a_page_that_cannot_be_is_refused(desk: Desk, asked: dict[str, Any]) -> None:
    assert await reason_of(listed(desk, **asked)) is Reason.REQUEST_MALFORMED


async def test_a_study_of_the_list_is_reviewed_watched_and_sent_to_without_its_uid(desk: Desk) -> None:
    await desk.send()
    asked = study_pb2.GetStudyReviewRequest(study=STUDY.study)
    assert (await desk.service.GetStudyReview(asked, CONTEXT)).review == await desk.review()
    watching: Any = desk.service.WatchStudyReview(study_pb2.WatchStudyReviewRequest(study=STUDY.study), CONTEXT)
    async with aclosing(watching), asyncio.timeout(20):
        assert (await anext(watching)).review.cines == 1
        await desk.send(dicom_bytes(still_frames()), study_id="", study=STUDY.study, **UNNAMED)
        assert (await anext(watching)).review.cines == 2


async def test_a_cine_begins_no_study_under_a_hash(desk: Desk) -> None:
    assert await reason_of(desk.send(study_id="", study="0" * 64)) is Reason.STUDY_UNKNOWN
    assert await reason_of(desk.send(study=STUDY.study)) is Reason.REQUEST_MALFORMED, "both"
    assert not (await listed(desk)).studies


async def test_a_cine_without_a_name_waits_for_somebody_to_name_its_study(desk: Desk) -> None:
    await desk.send(GOOD, **UNNAMED)
    (study,) = (await listed(desk)).studies
    assert study.name == study_pb2.StudyName(trial=NAME.trial)
    assert (await name(desk, TOLD)).name == study_pb2.StudyName(**TOLD)
    await desk.send(dicom_bytes(still_frames()), **UNNAMED)
    review = await desk.review()
    assert (review.subject_code, review.cines) == (NAME.subject_code, 2)
    assert desk.counted("NameStudy", "accepted") == 1


@pytest.mark.parametrize("changed", [{"subject_code": ""}, {"visit": ""}, {"trial": "", **UNNAMED}])
async def test_a_name_comes_whole_or_not_at_all(desk: Desk, changed: dict[str, str]) -> None:
    assert await reason_of(desk.send(GOOD, **changed)) is Reason.REQUEST_MALFORMED


async def test_of_two_who_correct_a_name_the_second_hears_of_the_first(desk: Desk) -> None:
    await desk.send(subject_code="S09-009")
    typed = TOLD | {"subject_code": "S09-009"}
    assert (await name(desk, TOLD, typed)).name.subject_code == NAME.subject_code
    assert await name(desk, TOLD, typed) == await name(desk, TOLD), "asked again"
    for replaces in (typed, None):
        assert await reason_of(name(desk, OTHER, replaces)) is Reason.STUDY_MISMATCH
    assert (await name(desk, OTHER, TOLD, study=STUDY.study)).name.subject_code == "S01-002"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"trial": NAME.trial},
        TOLD | {"subject_code": "Lundqvist"},
        TOLD | {"visit": "Lundqvist"},
        OTHER | {"trial": "x"},
    ],
)
async def test_a_study_gets_no_name_that_the_trial_does_not_know(desk: Desk, given: dict[str, str]) -> None:
    await desk.send(GOOD, **UNNAMED)
    assert await reason_of(name(desk, given)) is Reason.REQUEST_MALFORMED
    assert not (await desk.review()).subject_code


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ({"study_id": "1.2"}, Reason.STUDY_UNKNOWN),
        ({"study": "0" * 64}, Reason.STUDY_UNKNOWN),
        ({"study": "Lundqvist^Astrid"}, Reason.REQUEST_MALFORMED),
        ({"study": ""}, Reason.REQUEST_MALFORMED),
    ],
)
async def test_a_study_that_is_not_there_is_not_named(desk: Desk, key: dict[str, str], reason: Reason) -> None:
    await desk.send()
    assert await reason_of(name(desk, OTHER, TOLD, **key)) is reason


async def test_who_watches_is_told_of_a_name(desk: Desk) -> None:
    await desk.send(GOOD, **UNNAMED)
    async with aclosing(desk.watch()) as watching:
        assert not (await soon(watching)).subject_code
        await name(desk, TOLD)
        assert (await soon(watching)).subject_code == NAME.subject_code


async def test_studies_are_forgotten_on_time_and_a_record_that_is_away_is_tried_again(tmp_path: Path) -> None:
    now_s = 1000.0
    studies = Studies(tmp_path / "record" / "studies.sqlite", KEY)
    studies.record(STUDY, StudyName(NAME.trial), cine(received_s=now_s))
    desk = StudyDesk(PROTOCOL, studies, lambda: now_s)
    (tmp_path / "record").rename(tmp_path / "away")
    forgetting = asyncio.create_task(desk.forget(retention_s=100.0, every_s=0.01))
    await asyncio.sleep(0.05)
    (tmp_path / "away").rename(tmp_path / "record")
    now_s += 100.0
    await asyncio.sleep(0.1)
    assert len(await desk.newest("", "", 9, None)) == 1
    now_s += 1.0
    async with asyncio.timeout(20):
        while await desk.newest("", "", 9, None):
            await asyncio.sleep(0.01)
    forgetting.cancel()
