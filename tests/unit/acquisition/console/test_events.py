"""What the page is told without asking."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from echoplane.v1 import study_pb2

from services.acquisition.console.events import events
from services.acquisition.console.subject import Subject
from services.acquisition.console.words import REASONS
from services.cine.errors import Reason
from services.client import CallError
from tests.unit.acquisition.console.linking import A4C, THERE, Answers, LinkedTo

SUBJECT = Subject("EXAMPLE-1", "", "S01-001", "baseline")


async def told(link: LinkedTo, subject: Subject | None, count: int) -> list[tuple[str, Any]]:
    """Give the first events."""
    found: list[tuple[str, Any]] = []
    async with aclosing(events(link, subject, asyncio.Event())) as stream:  # type: ignore[type-var]
        async with asyncio.timeout(10):
            while len(found) < count:
                event, data = (await anext(stream)).splitlines()[:2]
                found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_the_gateway_and_its_trial_are_told_first_then_the_review() -> None:
    review = study_pb2.StudyReview(study="ab12", cines=3)
    answers = Answers(reviews=[review])
    found = await told(LinkedTo(answers), SUBJECT, 3)
    assert [name for name, _ in found] == ["gateway", "review", "review"]
    assert found[0][1]["protocol"]["visits"] == ["baseline", "month-6"]
    assert found[1][1]["cines"] == 3
    assert found[2][1] is None  # nothing is known of it any more
    assert answers.asked[0]["study_id"] == SUBJECT.study_id


async def test_while_no_study_is_chosen_those_that_arrive_are_listed() -> None:
    study = study_pb2.StudySummary(study="ab12", cines=1)
    found = await told(LinkedTo(Answers(studies=study_pb2.ListStudiesResponse(studies=[study]))), None, 2)
    assert found[1][0] == "studies"
    assert found[1][1][0]["study"] == "ab12"


async def test_a_list_that_is_denied_is_told_in_words_and_once_it_is_not_the_list_is() -> None:
    answers = Answers(studies=CallError("PERMISSION_DENIED", "METHOD_DENIED", "", None))
    link = LinkedTo(answers)
    async with aclosing(events(link, None, asyncio.Event())) as stream, asyncio.timeout(2):  # type: ignore[type-var]
        heard = [await anext(stream), await anext(stream)]
        del answers.given["studies"]
        while "event: studies" not in heard[-1]:
            link.answered(A4C.model)
            heard.append(await anext(stream))
    assert REASONS[Reason.METHOD_DENIED] in heard[1]


async def test_each_change_of_the_gateway_is_told() -> None:
    link = LinkedTo(Answers())
    async with aclosing(events(link, SUBJECT, asyncio.Event())) as stream:  # type: ignore[type-var]
        await anext(stream)
        link._set(replace(THERE, is_there=False, words="Away."))
        async with asyncio.timeout(10):
            while "Away." not in await anext(stream):
                pass


async def test_a_cine_that_was_sent_makes_the_review_be_asked_for_at_once() -> None:
    answers = Answers()
    link = LinkedTo(answers)
    async with aclosing(events(link, SUBJECT, asyncio.Event())) as stream:  # type: ignore[type-var]
        async with asyncio.timeout(2):  # less than the pause between two tries
            while len(answers.asked) < 2:
                await anext(stream)
                await asyncio.sleep(0)
                link.answered(A4C.model)


async def test_the_stream_ends_when_the_console_stops() -> None:
    closing = asyncio.Event()
    async with asyncio.timeout(10):
        async for _ in events(LinkedTo(Answers()), SUBJECT, closing):
            closing.set()
