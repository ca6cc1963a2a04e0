"""Files from the page: counted as they come, sent with the study's header, answered in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from services.acquisition.console.films import Films
from services.acquisition.console.subject import Subject
from services.acquisition.console.uploads import Uploads
from services.acquisition.console.words import AWAY as AWAY_WORDS
from services.acquisition.console.words import REASONS
from services.cine.budget import ReadLimits
from services.cine.errors import Reason
from services.runtime.rpc import Admission
from tests.unit.acquisition.console.linking import AWAY, PROTOCOL, Answers, LinkedTo
from tests.unit.acquisition.console.test_films import film

SUBJECT = Subject("EXAMPLE-1", "", "S01-001", "baseline")
LIMITS = replace(ReadLimits(), max_bytes=1000)


def uploads(answers: Answers, queued: int = 4, held_bytes: int = 2000) -> Uploads:
    admission = Admission(1, queued, held_bytes, lambda waiting: None)
    return Uploads(LinkedTo(answers), Films(lambda data: film(), 4), admission, LIMITS, 5.0)


class Body:
    """A file in chunks; knows how many were taken."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks, self.taken = chunks, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += 1
            yield chunk


async def take(desk: Uploads, *chunks: bytes) -> dict[str, Any]:
    return await desk.take(aiter(Body(*chunks)), SUBJECT, PROTOCOL.required_views)


async def test_a_file_is_sent_whole_with_the_header_of_its_study() -> None:
    answers = Answers()
    desk = uploads(answers)
    told = await take(desk, b"ab", b"cd")
    data, header = answers.asked[0]
    assert data == b"abcd"
    assert (header.study_id, header.subject_code, header.visit) == (SUBJECT.study_id, "S01-001", "baseline")
    assert header.filename == ""
    assert told["answer"]["state"] == "counts"
    assert await desk.films.get(told["film"]) is not None
    assert desk.link.state.trained_on == "nothing"


async def test_a_file_that_is_too_large_is_read_no_further_than_that() -> None:
    desk, body = uploads(answers := Answers()), Body(*[b"x" * 400] * 100)
    told = await desk.take(aiter(body), SUBJECT, ())
    assert told["trouble"] == {"reason": "LIMIT_BYTES", "words": REASONS[Reason.LIMIT_BYTES], "retry_after_s": None}
    assert body.taken == 3
    assert answers.asked == []


async def test_files_that_together_are_too_large_are_sent_later_and_give_their_bytes_back() -> None:
    desk = uploads(Answers(), held_bytes=500)
    assert (await take(desk, b"x" * 600))["trouble"]["reason"] == "QUEUE_FULL"
    assert (await take(desk, b"x" * 600))["trouble"]["retry_after_s"] is not None
    assert "answer" in await take(desk, b"x" * 500)
    assert "answer" in await take(desk, b"x" * 500)


async def test_where_the_queue_is_full_a_file_is_not_even_begun() -> None:
    desk, body = uploads(Answers(), queued=0), Body(b"x")
    async with desk.admission.admitted():
        told = await desk.take(aiter(body), SUBJECT, ())
    assert (told["trouble"]["reason"], body.taken) == ("QUEUE_FULL", 0)


async def test_a_gateway_that_is_away_leaves_no_film_and_is_tried_again() -> None:
    desk = uploads(Answers(answer=AWAY))
    trouble = (await take(desk, b"x"))["trouble"]
    assert trouble["words"] == AWAY_WORDS
    assert trouble["retry_after_s"] > 0
    assert len(desk.films) == 0


async def test_an_answer_wakes_who_waits_for_one() -> None:
    desk = uploads(Answers())
    waiting = asyncio.create_task(desk.link.next_answer())
    await asyncio.sleep(0)
    await take(desk, b"x")
    await asyncio.wait_for(waiting, 5)
