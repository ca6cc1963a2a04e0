"""What the page is told without asking, as server-sent events: how the gateway is, which studies arrive, the review."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from services.acquisition.console.link import Link
from services.acquisition.console.shown import show_gateway, show_review, show_summary, show_trouble
from services.acquisition.console.subject import Subject
from services.acquisition.console.words import trouble
from services.cine.errors import Reason
from services.client import CallError

_LISTED = 12
"""Studies on the screen, the newest first."""

_LIST_PERIOD_S = 5.0
_WATCH_S = 60.0
"""After so long a review is watched anew: a network that has swallowed the connection says nothing."""

_RETRY_S = 3.0
_END = ""
_QUIET_S = 15.0
"""After so long without an event a comment is sent, which shows whether the page is still there."""

Tell = Callable[[str, Any], None]


async def events(link: Link, subject: Subject | None, closing: asyncio.Event) -> AsyncIterator[str]:
    """Tell what happens, as the lines of an event stream (WHATWG HTML section 9.2).

    Args:
        link: to the gateway.
        subject: whose review is watched; None while none is chosen.
        closing: set when the console stops.
    """
    queue: asyncio.Queue[str] = asyncio.Queue()

    def tell(event: str, value: Any) -> None:
        queue.put_nowait(f"event: {event}\ndata: {json.dumps(value)}\n\n")

    work = [_list_studies(link, tell) if subject is None else _watch(link, subject, tell)]
    tasks = [asyncio.create_task(each) for each in (_tell_gateway(link, tell), *work, _until(closing))]
    for task in tasks:
        task.add_done_callback(lambda ended: queue.put_nowait(_END))
    try:
        while (event := await _next(queue)) != _END:
            yield event
    finally:
        for task in tasks:
            task.cancel()


async def _next(queue: asyncio.Queue[str]) -> str:
    try:
        async with asyncio.timeout(_QUIET_S):
            return await queue.get()
    except TimeoutError:
        return ": still here\n\n"


async def _until(closing: asyncio.Event) -> None:
    await closing.wait()


async def _tell_gateway(link: Link, tell: Tell) -> None:
    async for state in link.states():
        tell("gateway", show_gateway(state))


async def _list_studies(link: Link, tell: Tell) -> None:
    shown: list[dict[str, Any]] | None = None
    while True:
        if link.state.is_there and link.state.has_studies:
            try:
                async with link.client() as client:
                    listed = await client.list_studies(page_size=_LISTED)
            except CallError as error:
                shown = None  # the list ends the trouble, also one that has not changed
                _tell_trouble(error, tell)
            else:
                studies = [show_summary(study) for study in listed.studies]
                if studies != shown:
                    shown = studies
                    tell("studies", studies)
        await _pause(link, _LIST_PERIOD_S)


async def _watch(link: Link, subject: Subject, tell: Tell) -> None:
    """Tell each change of a review for ever; of a study of which nothing has come, that it has none."""
    while True:
        try:
            async with link.client() as client:
                async for review in client.watch_study_review(**subject.key, timeout_s=_WATCH_S):
                    tell("review", show_review(review))
        except CallError as error:
            if error.code == "DEADLINE_EXCEEDED":
                continue
            if error.reason == Reason.STUDY_UNKNOWN:
                tell("review", None)
            else:
                _tell_trouble(error, tell)
        await _pause(link, _RETRY_S)


def _tell_trouble(error: CallError, tell: Tell) -> None:
    if error.code != "UNAVAILABLE":  # that the gateway is away is told already
        tell("trouble", show_trouble(trouble(error)))


async def _pause(link: Link, seconds: float) -> None:
    """Wait so long, or until this console has sent a cine."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await link.next_answer()
