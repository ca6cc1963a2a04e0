"""Works the inbox off: asks the gateway about each object, takes out who it shows, makes its report, sends it on.

An object takes one step at a time and each is written down, so a kill repeats one step at most; to the same end, as a
kept answer always makes the same report under the same UID. While the gateway or the archive is away, objects wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog
from echoplane.v1 import view_pb2
from prometheus_client import CollectorRegistry

from services.acquisition.answer import read_answer
from services.acquisition.inbox import Entry, Inbox, State
from services.acquisition.metrics import NodeMetrics
from services.acquisition.report import make_report
from services.acquisition.source import read_source
from services.cine.budget import ReadLimits
from services.cine.errors import EchoplaneError, InputError, Reason, StorageError
from services.client import CallError

LONGEST_WAIT_S = 15.0
"""An object is tried again after 1 s, 2 s, 4 s ... and at last so long: its subject may still be on the table."""

PAUSE_S = 1.0
"""After a try that came to nothing: the next object would most likely meet the same."""

POLL_S = 2.0
"""How often to look for objects whose wait is over, and for those that have been kept long enough."""

_THE_OBJECTS_OWN = "INVALID_ARGUMENT"
"""The one status that trying again cannot change; any other is of the gateway, and may be mended."""

Ask = Callable[[bytes], Awaitable[view_pb2.PredictViewResponse]]
"""Asks about the bytes of an object; raises CallError."""

Clean = Callable[[bytes], bytes]
"""Gives the file of an object without identity; raises InputError where it cannot be had."""

Send = Callable[[Path], None]
"""Sends the file of a report or an object; raises StorageError where it was not taken."""

NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""When the report of a clean object was made: its day would be that of the examination (PS3.15 table E.1-1)."""

_ADVICE: dict[str, str] = {
    Reason.IDENTITY_REMAINS: "Its pixels may show a name, so nothing of it is passed on, and its file goes after"
    " ECHOPLANE_NODE_FAILED_RETENTION_S. Repeat it as a B-mode cine, or send it where identities may go.",
}

_log = structlog.get_logger()


@dataclass(frozen=True)
class Forwarder:
    """Works off the objects of an inbox, one at a time; there is one for an inbox.

    Attributes:
        inbox: which objects there are.
        ask: the gateway.
        send: to the archive; None keeps reports where they are.
        limits: of an object's header.
        clock: seconds since 1970.
        poll_s: how often to look, s.
        pause_s: after a try that came to nothing, s.
        clean: takes out whom an object shows; None keeps everybody's identity.
        is_sending_objects: clean objects go to the archive too, each before its report.
        woken: set to have it look now.
        metrics: counts reports, and what stops an object.
    """

    inbox: Inbox
    ask: Ask
    send: Send | None
    limits: ReadLimits
    clock: Callable[[], float] = time.time
    poll_s: float = POLL_S
    pause_s: float = PAUSE_S
    clean: Clean | None = None
    is_sending_objects: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    metrics: NodeMetrics = field(default_factory=lambda: NodeMetrics(CollectorRegistry()))

    async def run(self) -> None:
        """Work objects off until cancelled; a step in hand is then done again by the next run."""
        while True:
            self.woken.clear()
            try:
                await asyncio.to_thread(self.inbox.expire, self.clock())
                was_busy = await self.work_once()
            except StorageError as error:
                _log.error("no_inbox", reason=error.reason, message=str(error))
                was_busy = False
            except Exception as error:  # a border: nobody would start this again; its text may be a patient's
                _log.error("unexpected_error", method="Forwarder", kind=type(error).__name__)
                was_busy = False
            if not was_busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.poll_s):
                        await self.woken.wait()

    async def work_once(self) -> bool:
        """Take one object one step further; False where none waits.

        Raises:
            StorageError: the inbox cannot be used.
        """
        entry = await asyncio.to_thread(self.inbox.next_due, self.clock())
        if entry is None:
            return False
        try:
            if entry.state is State.RECEIVED:
                await self._answer(entry)
            elif entry.state is State.ANSWERED and self.clean is not None:
                await asyncio.to_thread(self._clean, entry, self.clean)
            else:
                await asyncio.to_thread(self._report, entry)
        except CallError as error:
            await self._stopped(entry, error.reason or error.code, is_final=error.code == _THE_OBJECTS_OWN)
        except EchoplaneError as error:
            await self._stopped(entry, error.reason, is_final=isinstance(error, InputError))
        except Exception as error:  # a border: a bug ends the object that met it; its text may be a patient's
            _log.error("unexpected_error", method="Forwarder", number=entry.number, kind=type(error).__name__)
            await self._stopped(entry, "INTERNAL", is_final=True)
        return True

    async def _answer(self, entry: Entry) -> None:
        data = await asyncio.to_thread(self.inbox.read, entry)
        response = await self.ask(data)
        answered_at = datetime.fromtimestamp(self.clock()).astimezone().isoformat()
        await asyncio.to_thread(self.inbox.answered, entry, response.SerializeToString(), answered_at)
        _log.info("object_answered", number=entry.number, verdict=view_pb2.Verdict.Name(response.verdict))

    def _clean(self, entry: Entry, clean: Clean) -> None:
        self.inbox.cleaned(entry, clean(self.inbox.read(entry)))
        _log.info("object_cleaned", number=entry.number)

    def _report(self, entry: Entry) -> None:
        is_clean = entry.state is State.CLEANED
        answer = read_answer(view_pb2.PredictViewResponse.FromString(entry.response))
        source = read_source(self.inbox.read(entry), self.limits)
        report = make_report(answer, source, NO_TIME if is_clean else datetime.fromisoformat(entry.answered_at))
        self.inbox.put_report(entry, report.dicom, report.json)
        if self.send is not None:
            if is_clean and self.is_sending_objects:
                self.send(self.inbox.object_path(entry))
            self.send(self.inbox.report_path(entry))
            self.metrics.reports_sent.inc()
        self.inbox.reported(entry, self.clock())
        _log.info("object_reported", number=entry.number, is_sent=self.send is not None)

    async def _stopped(self, entry: Entry, reason: str, *, is_final: bool) -> None:
        """Say that an object failed, or let it wait, longer each time."""
        self.metrics.stopped(reason)
        told = {"advice": _ADVICE[reason]} if reason in _ADVICE else {}
        _log.warning(
            "object_stopped", number=entry.number, reason=reason, tries=entry.tries + 1, is_final=is_final, **told
        )
        if is_final:
            await asyncio.to_thread(self.inbox.failed, entry, reason, self.clock())
            return
        wait_s = min(LONGEST_WAIT_S, 2.0 ** min(entry.tries, 10))
        await asyncio.to_thread(self.inbox.postponed, entry, reason, self.clock() + wait_s)
        await asyncio.sleep(self.pause_s)
