"""Each object is answered once, reported to the same bytes however often, and waits while somebody is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import pytest
import structlog
from echoplane.v1 import view_pb2
from pydicom import dcmread

from services.acquisition.forward import LONGEST_WAIT_S, Forwarder
from services.acquisition.inbox import Entry, Inbox, InboxLimits, State
from services.cine.budget import ReadLimits
from services.cine.errors import IdentityRemainsError, StorageError
from services.client import CallError
from tests.builders import dicom_bytes, fan_frames
from tests.unit.acquisition.cases import PLANTED, response, source_bytes

AWAY = ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "PERMISSION_DENIED", "INTERNAL", "UNKNOWN")


@dataclass
class Peers:
    """A gateway and an archive, each with what it will say next; a clock that one sets."""

    now_s: float = 1_700_000_000.0
    gateway: list[Exception] = field(default_factory=list)
    archive: list[Exception] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    async def ask(self, data: bytes) -> view_pb2.PredictViewResponse:
        self.asked.append(data)
        if self.gateway:
            raise self.gateway.pop(0)
        return response()

    def send(self, path: Path) -> None:
        self.sent.append(path.read_bytes())
        if self.archive:
            raise self.archive.pop(0)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with closing(Inbox(tmp_path, InboxLimits(least_free_bytes=0))) as opened:
        yield opened


def send(inbox: Inbox, data: bytes | None = None, uid: str = "1.2.826.7.3") -> Entry:
    part = inbox.incoming / "part"
    part.write_bytes(source_bytes() if data is None else data)
    return inbox.keep(part, uid, "", 0.0)


def forwarder(inbox: Inbox, peers: Peers) -> Forwarder:
    return Forwarder(inbox, peers.ask, peers.send, ReadLimits(), lambda: peers.now_s, poll_s=0.01, pause_s=0.0)


async def work(inbox: Inbox, peers: Peers, turns: int = 100) -> None:
    """Work off what waits, the clock running to when it waits no more, as often as that."""
    working = forwarder(inbox, peers)
    for _ in range(turns):
        if not await working.work_once():
            peers.now_s += LONGEST_WAIT_S


def state_of(inbox: Inbox, entry: Entry) -> tuple[State, str]:
    found = inbox.get(entry.number)
    assert found is not None
    return found.state, found.reason


async def test_an_object_is_answered_reported_and_sent(inbox: Inbox) -> None:
    entry, peers = send(inbox), Peers()
    await work(inbox, peers)
    assert state_of(inbox, entry) == (State.REPORTED, "")
    assert peers.asked == [source_bytes()]
    assert peers.sent == [inbox.report_path(entry).read_bytes()]
    beside = inbox.report_path(entry).with_name(f"{entry.name}.json")
    assert json.loads(beside.read_text())["answer"]["view"] == "A4C"
    assert not [planted for planted in PLANTED if planted in beside.read_text()]


async def test_without_an_archive_the_report_stays(inbox: Inbox) -> None:
    entry, peers = send(inbox), Peers()
    alone = Forwarder(inbox, peers.ask, None, ReadLimits())
    while await alone.work_once():
        pass
    assert state_of(inbox, entry) == (State.REPORTED, "")
    assert inbox.report_path(entry).exists()


@pytest.mark.parametrize("code", AWAY)
async def test_while_the_gateway_is_away_objects_wait_and_then_catch_up(inbox: Inbox, code: str) -> None:
    entries = [send(inbox, source_bytes() + bytes(number), f"1.2.{number}") for number in range(3)]
    peers = Peers(gateway=[CallError(code, "", "", None)] * 10)
    working = forwarder(inbox, peers)
    await working.work_once()
    assert state_of(inbox, entries[0]) == (State.RECEIVED, code)
    await work(inbox, peers)
    assert inbox.counts()[State.REPORTED] == 3


async def test_each_wait_is_longer_up_to_a_quarter_of_a_minute(inbox: Inbox) -> None:
    send(inbox)
    peers = Peers(gateway=[CallError("UNAVAILABLE", "", "", None)] * 9)
    working, waits = forwarder(inbox, peers), []
    for _ in range(9):
        await working.work_once()
        begun_s = peers.now_s
        while inbox.next_due(peers.now_s) is None:
            peers.now_s += 1.0
        waits.append(peers.now_s - begun_s)
    assert waits == [1, 2, 4, 8, 15, 15, 15, 15, 15]


async def test_an_object_that_cannot_be_read_fails_and_no_other(inbox: Inbox) -> None:
    bad, good = send(inbox, b"no cine"), send(inbox)
    await work(inbox, Peers(gateway=[CallError("INVALID_ARGUMENT", "FORMAT_UNKNOWN", "", None)]))
    assert state_of(inbox, bad) == (State.FAILED, "FORMAT_UNKNOWN")
    assert state_of(inbox, good) == (State.REPORTED, "")


async def test_one_that_no_report_can_refer_to_fails(inbox: Inbox) -> None:
    entry = send(inbox, source_bytes(StudyInstanceUID=None))
    await work(inbox, Peers())
    assert state_of(inbox, entry) == (State.FAILED, "HEADER_DAMAGED")


async def test_a_bug_ends_the_object_that_met_it(inbox: Inbox) -> None:
    entry, other = send(inbox), send(inbox, source_bytes() + b"\0\0", "1.2")
    await work(inbox, Peers(gateway=[RuntimeError("a bug")]))
    assert state_of(inbox, entry) == (State.FAILED, "INTERNAL")
    assert state_of(inbox, other) == (State.REPORTED, "")


async def test_a_report_is_sent_to_the_same_bytes_until_it_is_taken(inbox: Inbox) -> None:
    entry = send(inbox)
    away = StorageError(found="no archive", expected="one", advice="")
    peers = Peers(archive=[away, away])
    working = forwarder(inbox, peers)
    for _ in range(2):
        await working.work_once()
    assert state_of(inbox, entry) == (State.ANSWERED, "STORAGE")
    await work(inbox, peers)
    assert state_of(inbox, entry) == (State.REPORTED, "")
    assert len(peers.asked) == 1
    assert len(peers.sent) == 3
    assert len(set(peers.sent)) == 1


CLEAN_UIDS = {"SOPInstanceUID": "2.25.3", "StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.2"}


def without_identity(data: bytes) -> bytes:
    """Stand for what takes identities out."""
    if data != source_bytes():
        raise IdentityRemainsError(found="a still", expected="a cine", advice="")
    return dicom_bytes(fan_frames(12, 16, 16), **CLEAN_UIDS, PatientIdentityRemoved="YES", DeidentificationMethod="M")


def cleaning(inbox: Inbox, peers: Peers, is_sending_objects: bool = True) -> Forwarder:
    return replace(forwarder(inbox, peers), clean=without_identity, is_sending_objects=is_sending_objects)


@pytest.mark.parametrize("is_sending_objects", [True, False])
async def test_a_clean_object_is_reported_on_and_goes_before_its_report(inbox: Inbox, is_sending_objects: bool) -> None:
    entry, peers = send(inbox), Peers()
    working = cleaning(inbox, peers, is_sending_objects)
    while await working.work_once():
        pass
    assert state_of(inbox, entry) == (State.REPORTED, "")
    assert peers.asked == [source_bytes()], "the gateway was not asked about what came"
    report = inbox.report_path(entry).read_bytes()
    assert peers.sent == [without_identity(source_bytes())] * is_sending_objects + [report]
    kept = b"".join(path.read_bytes() for path in inbox.report_path(entry).parent.iterdir())
    assert not [planted for planted in PLANTED if planted.encode() in kept]
    assert dcmread(BytesIO(report)).StudyInstanceUID == CLEAN_UIDS["StudyInstanceUID"]
    assert dcmread(BytesIO(report)).ContentDate == "19700101"


async def test_what_cannot_be_cleaned_fails_with_advice_and_is_passed_on_in_no_way(inbox: Inbox) -> None:
    entry, peers = send(inbox, source_bytes(count=3)), Peers()
    working = cleaning(inbox, peers)
    with structlog.testing.capture_logs() as logs:
        while await working.work_once():
            pass
    assert state_of(inbox, entry) == (State.FAILED, "IDENTITY_REMAINS")
    assert peers.sent == []
    assert [path.suffixes for path in inbox.report_path(entry).parent.iterdir()] == [[".dcm"]]
    [stopped] = [line for line in logs if line["event"] == "object_stopped"]
    assert "Repeat it as a B-mode cine" in stopped["advice"]


async def test_while_the_archive_is_away_the_object_is_clean_already(inbox: Inbox) -> None:
    entry, peers = send(inbox), Peers(archive=[StorageError(found="no archive", expected="one", advice="")])
    working = cleaning(inbox, peers)
    for _ in range(3):
        await working.work_once()
    assert state_of(inbox, entry) == (State.CLEANED, "STORAGE")
    peers.now_s += LONGEST_WAIT_S
    await working.work_once()
    assert state_of(inbox, entry) == (State.REPORTED, "")
    assert len(peers.sent) == 3


async def test_it_runs_until_told_and_is_woken(inbox: Inbox) -> None:
    peers = Peers()
    working = forwarder(inbox, peers)
    running = asyncio.create_task(working.run())
    entry = send(inbox)
    working.woken.set()
    async with asyncio.timeout(10):
        while state_of(inbox, entry)[0] is not State.REPORTED:
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
