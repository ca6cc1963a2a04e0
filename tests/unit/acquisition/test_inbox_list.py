"""Who looks at an inbox beside its node sees it as it is, and has failed objects tried again from where they stood."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.acquisition.inbox import Entry, Inbox, InboxLimits, State
from services.acquisition.inbox_list import FailedObject, InboxList
from services.cine.errors import ConfigError


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with closing(Inbox(tmp_path, InboxLimits(least_free_bytes=0))) as opened:
        yield opened


@pytest.fixture
def seen(inbox: Inbox, tmp_path: Path) -> InboxList:
    return InboxList(tmp_path)


def keep(inbox: Inbox, number: int, received_s: float = 10.0) -> Entry:
    part = inbox.incoming / "part"
    part.write_bytes(str(number).encode())
    return inbox.keep(part, f"1.2.{number}", "", received_s)


def failed(inbox: Inbox, number: int, answer: bytes = b"") -> Entry:
    entry = keep(inbox, number)
    if answer:
        inbox.answered(entry, answer, "2026-11-22T10:30:00+01:00")
        entry = inbox.get(entry.number) or entry
    inbox.failed(entry, "HEADER_DAMAGED", 20.0)
    return entry


def test_it_sees_what_the_node_does(inbox: Inbox, seen: InboxList) -> None:
    assert seen.waiting_since_s() is None
    keep(inbox, 1, 50.0)
    later = keep(inbox, 2, 60.0)
    inbox.postponed(later, "UNAVAILABLE", 100.0)
    bad = failed(inbox, 3)
    assert seen.counts() == inbox.counts()
    assert seen.waiting_since_s() == 50.0
    assert seen.waiting() == {"UNAVAILABLE": 1}
    assert seen.failed() == [FailedObject(bad.number, "HEADER_DAMAGED", 10.0, 20.0)]


def test_failed_ones_go_on_where_they_stood(inbox: Inbox, seen: InboxList) -> None:
    unasked, answered, other = failed(inbox, 1), failed(inbox, 2, b"answer"), failed(inbox, 3)
    assert seen.retry([unasked.number, answered.number]) == [unasked.number, answered.number]
    found = [inbox.get(entry.number) for entry in (unasked, answered, other)]
    assert [each and each.state for each in found] == [State.RECEIVED, State.ANSWERED, State.FAILED]
    assert [each and each.reason for each in found] == ["", "", "HEADER_DAMAGED"]
    assert inbox.next_due(0.0) == found[0]
    assert inbox.expire(10.0**9) == 1, "only what is over goes"


def test_what_was_clean_is_not_cleaned_again(inbox: Inbox, seen: InboxList) -> None:
    entry = keep(inbox, 1)
    inbox.answered(entry, b"answer", "2026-11-22T10:30:00+01:00")
    inbox.cleaned(inbox.get(entry.number) or entry, b"clean")
    inbox.failed(inbox.get(entry.number) or entry, "INTERNAL", 20.0)
    assert seen.retry() == [entry.number]
    found = inbox.get(entry.number)
    assert found is not None
    assert (found.state, inbox.read(found)) == (State.CLEANED, b"clean")


def test_all_or_those_that_failed_are_tried_again_and_no_other(inbox: Inbox, seen: InboxList) -> None:
    waits, one, two = keep(inbox, 1), failed(inbox, 2), failed(inbox, 3)
    assert seen.retry([waits.number, 999]) == []
    assert seen.retry() == [one.number, two.number]
    assert seen.retry() == []


def test_where_there_is_no_inbox_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no inbox in"):
        InboxList(tmp_path / "elsewhere")
    assert list(tmp_path.iterdir()) == []
