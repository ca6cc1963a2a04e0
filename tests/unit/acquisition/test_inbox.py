"""An inbox keeps each object once, refuses before it is full, and takes nothing from what was there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from services.acquisition.inbox import Entry, Inbox, InboxLimits, State
from services.cine.errors import ConfigError, StorageError

UID = "1.2.826.7.3"
LIMITS = InboxLimits(max_bytes=1_000, least_free_bytes=100, retention_s=60.0)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with closing(Inbox(tmp_path / "inbox", LIMITS)) as opened:
        yield opened


def send(inbox: Inbox, data: bytes = b"cine", uid: str = UID, site: str = "north", now_s: float = 100.0) -> Entry:
    """Let an object arrive."""
    part = inbox.incoming / f"{uid}-{hash(data)}-{site}"
    part.write_bytes(data)
    return inbox.keep(part, uid, site, now_s)


def files_of(inbox: Inbox) -> list[Path]:
    folder = inbox.incoming.parent
    return [path for path in (*inbox.incoming.iterdir(), *(folder / "objects").iterdir()) if path.is_file()]


def test_an_object_is_there_with_its_bytes(inbox: Inbox) -> None:
    entry = send(inbox)
    assert inbox.next_due(100.0) == entry
    assert (entry.state, entry.size_bytes, entry.is_conflicting) == (State.RECEIVED, 4, False)
    assert inbox.read(entry) == b"cine"
    assert len(files_of(inbox)) == 1


def test_the_same_object_sent_twice_is_one(inbox: Inbox) -> None:
    assert send(inbox) == send(inbox)
    assert inbox.counts()[State.RECEIVED] == len(files_of(inbox)) == 1


def test_other_bytes_under_the_same_uid_are_another_object_and_flagged(inbox: Inbox) -> None:
    first, other = send(inbox), send(inbox, b"other")
    assert (first.is_conflicting, other.is_conflicting) == (False, True)
    assert inbox.read(first) == b"cine"
    assert inbox.get(other.number) == other


def test_two_sites_do_not_learn_of_each_other(inbox: Inbox) -> None:
    north, south = send(inbox), send(inbox, site="south")
    assert north.number != south.number
    assert not south.is_conflicting


def test_threads_that_send_the_same_keep_one(inbox: Inbox) -> None:
    parts = [inbox.incoming / f"part{number}" for number in range(16)]
    for part in parts:
        part.write_bytes(b"cine")
    with ThreadPoolExecutor(16) as threads:
        kept = set(threads.map(lambda part: inbox.keep(part, UID, "north", 1.0).number, parts))
    assert len(kept) == inbox.counts()[State.RECEIVED] == len(files_of(inbox)) == 1


def test_threads_that_send_too_much_are_refused_in_time(inbox: Inbox) -> None:
    def is_kept(number: int) -> bool:
        try:
            return bool(send(inbox, bytes([number]) * 100, f"1.2.{number}"))
        except StorageError:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(is_kept, range(20))) == 10
    assert len(files_of(inbox)) == 10


def test_it_refuses_before_the_disk_is_full(tmp_path: Path) -> None:
    free = [100]
    with closing(Inbox(tmp_path, LIMITS, lambda folder: free[0])) as inbox:
        kept = send(inbox)
        free[0] = 99
        with pytest.raises(StorageError, match="99 bytes free"):
            send(inbox, b"more")
        assert send(inbox) == kept, "what is there already needs no room"
        assert len(files_of(inbox)) == 1


def test_a_list_that_cannot_grow_keeps_nothing_of_the_object(tmp_path: Path, inbox: Inbox) -> None:
    with closing(sqlite3.connect(tmp_path / "inbox" / "inbox.sqlite", isolation_level=None)) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON objects BEGIN SELECT raise(ABORT, 'full'); END")
    with pytest.raises(StorageError):
        send(inbox)
    assert files_of(inbox) == []
    assert inbox.next_due(1e9) is None


def test_an_object_goes_its_way_once(inbox: Inbox) -> None:
    entry = send(inbox)
    inbox.reported(entry, 1.0)  # not before it was answered
    inbox.postponed(entry, "UNAVAILABLE", 200.0)
    assert inbox.next_due(199.0) is None
    inbox.answered(entry, b"answer", "2026-11-22T10:30:15+01:00")
    inbox.answered(entry, b"another", "2026-11-22T10:30:16+01:00")
    answered = inbox.next_due(100.0)
    assert answered is not None
    assert (answered.state, answered.response, answered.tries) == (State.ANSWERED, b"answer", 0)
    assert answered.answered_at == "2026-11-22T10:30:15+01:00"
    inbox.reported(answered, 300.0)
    assert inbox.next_due(1e9) is None
    assert inbox.counts()[State.REPORTED] == 1


def test_what_waits_tells_why_and_how_often(inbox: Inbox) -> None:
    entry = send(inbox)
    for until_s in (200.0, 300.0):
        inbox.postponed(entry, "QUEUE_FULL", until_s)
    waiting = inbox.next_due(300.0)
    assert waiting is not None
    assert (waiting.tries, waiting.reason) == (2, "QUEUE_FULL")
    inbox.failed(waiting, "EMPTY", 400.0)
    assert inbox.counts()[State.FAILED] == 1


def test_a_clock_that_is_set_back_keeps_nothing_waiting(inbox: Inbox) -> None:
    entry = send(inbox, now_s=1e9)
    inbox.postponed(entry, "UNAVAILABLE", 1e9 + 60.0)
    assert inbox.next_due(1e9) is None
    waiting = inbox.next_due(1e9 - 86_400.0)
    assert waiting is not None
    assert waiting.number == entry.number


def test_only_what_is_done_with_goes_and_makes_room(inbox: Inbox) -> None:
    done, waiting = send(inbox, b"d" * 600), send(inbox, b"w" * 300, "1.2")
    inbox.answered(done, b"answer", "")
    answered = inbox.get(done.number)
    assert answered is not None
    inbox.put_report(answered, b"dicom", b"json")
    inbox.reported(answered, 1_000.0)
    assert inbox.expire(1_059.0) == 0
    assert inbox.expire(1_060.0) == 1
    assert [file.stem for file in files_of(inbox)] == [waiting.name]
    assert send(inbox, b"n" * 600, "1.3").size_bytes == 600


def answered(inbox: Inbox, data: bytes = b"cine") -> Entry:
    """Let an object arrive and be answered."""
    entry = send(inbox, data)
    inbox.answered(entry, b"answer", "")
    found = inbox.get(entry.number)
    assert found is not None
    return found


def test_a_clean_object_takes_the_place_of_the_one_that_came(inbox: Inbox) -> None:
    inbox.cleaned(answered(inbox), b"clean")
    clean = inbox.next_due(100.0)
    assert clean is not None
    assert (clean.state, clean.size_bytes, clean.response) == (State.CLEANED, 5, b"answer")
    assert [file.read_bytes() for file in files_of(inbox)] == [inbox.read(clean)] == [b"clean"]
    assert files_of(inbox)[0].stat().st_mode & 0o077 == 0
    assert send(inbox).number == clean.number, "the same object again is known by what came"
    inbox.reported(clean, 1_000.0)
    assert inbox.counts()[State.REPORTED] == 1
    assert inbox.expire(1_060.0) == 1
    assert files_of(inbox) == []


@pytest.mark.parametrize(("is_written_down", "left"), [(False, b"cine"), (True, b"clean")])
def test_a_kill_while_it_is_cleaned_leaves_one_file_that_counts(
    tmp_path: Path, is_written_down: bool, left: bytes
) -> None:
    with closing(Inbox(tmp_path, LIMITS)) as inbox:
        entry = answered(inbox)
        came = inbox.object_path(entry)
        if is_written_down:
            inbox.cleaned(entry, b"clean")
            came.write_bytes(b"cine")  # as if it had not been removed
        else:
            came.with_suffix(".clean.dcm").write_bytes(b"clean")
    with closing(Inbox(tmp_path, LIMITS)) as again:
        found = again.next_due(100.0)
        assert found is not None
        assert again.read(found) == left
        assert came.exists() is not is_written_down
        if not is_written_down:
            again.cleaned(found, b"clean")
        assert len(files_of(again)) == 1


def test_what_failed_stays_for_a_time_of_its_own(tmp_path: Path) -> None:
    limits = InboxLimits(least_free_bytes=0, retention_s=60.0, failed_retention_s=10.0)
    with closing(Inbox(tmp_path, limits)) as inbox:
        inbox.failed(send(inbox), "IDENTITY_REMAINS", 1_000.0)
        assert inbox.expire(1_009.0) == 0
        assert inbox.expire(1_010.0) == 1
        assert files_of(inbox) == []


def test_what_has_no_answer_comes_first_and_what_was_tried_in_vain_last(inbox: Inbox) -> None:
    waiting, done, new = send(inbox, b"1", "1.2"), answered(inbox, b"2"), send(inbox, b"3", "1.4")
    inbox.postponed(waiting, "UNAVAILABLE", 50.0)
    order = []
    for _ in range(3):
        entry = inbox.next_due(100.0)
        assert entry is not None
        order.append(entry.number)
        inbox.failed(entry, "EMPTY", 100.0)
    assert order == [new.number, done.number, waiting.number]


def test_what_a_peer_has_broken_off_goes_and_what_still_arrives_stays(inbox: Inbox) -> None:
    for name in ("abandoned", "arriving"):
        (inbox.incoming / name).write_bytes(b"ha")
    os.utime(inbox.incoming / "abandoned", (1_000.0, 1_000.0))
    os.utime(inbox.incoming / "arriving", (1_001.0, 1_001.0))
    inbox.expire(1_120.5)
    assert [file.name for file in files_of(inbox)] == ["arriving"]


def test_a_start_removes_what_nobody_was_told_about(tmp_path: Path) -> None:
    with closing(Inbox(tmp_path, LIMITS)) as inbox:
        entry = send(inbox)
        (inbox.incoming / "half").write_bytes(b"ha")
        (tmp_path / "objects" / "nobody.dcm").write_bytes(b"x")
    with closing(Inbox(tmp_path, LIMITS)) as again:
        assert [file.stem for file in files_of(again)] == [entry.name]
        assert send(again).number == entry.number, "the key of the hashes is another"


def test_an_object_whose_file_was_removed_is_taken_again(inbox: Inbox) -> None:
    entry = send(inbox)
    files_of(inbox)[0].unlink()
    with pytest.raises(StorageError):
        inbox.read(entry)
    assert inbox.read(send(inbox)) == b"cine"
    assert inbox.counts()[State.RECEIVED] == 1


def test_a_second_process_is_refused(tmp_path: Path, inbox: Inbox) -> None:
    with pytest.raises(ConfigError, match="another process"):
        Inbox(tmp_path / "inbox", LIMITS)


def test_the_list_knows_no_uid_and_the_folder_is_private(tmp_path: Path, inbox: Inbox) -> None:
    send(inbox)
    folder = tmp_path / "inbox"
    assert all(UID.encode() not in path.read_bytes() for path in folder.glob("inbox.sqlite*"))
    assert folder.stat().st_mode & 0o077 == (folder / "key").stat().st_mode & 0o077 == 0
