"""Jobs are written down once, held by one worker at a time, and counted by their rows."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from services.cine.errors import CapacityError, JobUnknownError, Reason, RequestInvalidError, StorageError
from services.synthesis.ledger import ImageRow, Job, JobState, LeaseLostError, Ledger
from services.synthesis.plan import count_per_view, order_of

ORDER = order_of(count_per_view(2), 7)
SHA = "ab" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "deep" / "jobs.sqlite", most_open=3)


def row(index: int, attempt: int = 0) -> ImageRow:
    return ImageRow(index, attempt, f"{index}.png", "cd" * 32, 10, "index")


def claimed(ledger: Ledger, owner: str = "me", now_s: float = 0.0) -> Job:
    job = ledger.claim(owner, now_s, 10.0)
    assert job is not None
    return job


def test_a_request_is_one_job_however_often_and_from_however_many_at_once(ledger: Ledger) -> None:
    with ThreadPoolExecutor(20) as clients:
        jobs = list(clients.map(lambda now_s: ledger.create("r", ORDER, SHA, now_s), range(20)))
    assert len(set(jobs)) == 1
    assert [job.request_id for job in ledger.newest(10)] == ["r"]
    assert (jobs[0].state, jobs[0].order, jobs[0].model_sha256) == (JobState.QUEUED, ORDER, SHA)


def test_a_request_id_stands_for_one_request_only(ledger: Ledger) -> None:
    ledger.create("r", ORDER, SHA, 0.0)
    with pytest.raises(RequestInvalidError) as caught:
        ledger.create("r", order_of(count_per_view(2), 8), SHA, 0.0)
    assert caught.value.reason is Reason.REQUEST_ID_TAKEN


def test_only_so_many_jobs_may_be_open_and_those_that_are_there_are_still_told(ledger: Ledger) -> None:
    for name in "abc":
        ledger.create(name, ORDER, SHA, 0.0)
    with pytest.raises(CapacityError):
        ledger.create("d", ORDER, SHA, 0.0)
    assert ledger.create("b", ORDER, SHA, 0.0).request_id == "b"
    ledger.fail(claimed(ledger), "me", ("INTERNAL", "why"), 5.0)
    assert ledger.create("d", ORDER, SHA, 0.0).request_id == "d"


def test_jobs_are_claimed_in_order_each_by_one(ledger: Ledger) -> None:
    for name in "ab":
        ledger.create(name, ORDER, SHA, 0.0)
    assert claimed(ledger, "me").request_id == "a"
    assert claimed(ledger, "you").request_id == "b"
    assert ledger.claim("they", 9.9, 10.0) is None


def test_a_dead_workers_job_is_anothers_when_its_lease_ends_and_its_rows_stay(ledger: Ledger) -> None:
    ledger.create("a", ORDER, SHA, 0.0)
    lost = claimed(ledger, "me")
    ledger.record(lost, "me", [row(0), row(3, attempt=2)], 20.0)
    assert ledger.claim("you", 19.0, 10.0) is None
    taken = claimed(ledger, "you", 20.0)
    assert (taken.job_id, taken.done, taken.replaced, taken.state) == (lost.job_id, 2, 2, JobState.RUNNING)
    for late in (
        lambda: ledger.record(lost, "me", [row(1)], 40.0),
        lambda: ledger.renew(lost, "me", 40.0),
        lambda: ledger.forget(lost, "me", [0], 40.0),
        lambda: ledger.finish(lost, "me", "there", 40.0),
        lambda: ledger.release(lost, "me"),
    ):
        with pytest.raises(LeaseLostError):
            late()
    assert ledger.rows(taken) == [row(0), row(3, attempt=2)]


def test_a_renewed_lease_holds(ledger: Ledger) -> None:
    ledger.create("a", ORDER, SHA, 0.0)
    ledger.renew(claimed(ledger), "me", 100.0)
    assert ledger.claim("you", 99.0, 10.0) is None


def test_a_row_written_twice_is_one_row_and_one_that_is_forgotten_is_none(ledger: Ledger) -> None:
    ledger.create("a", ORDER, SHA, 0.0)
    job = claimed(ledger)
    ledger.record(job, "me", [row(0), row(1)], 10.0)
    ledger.record(job, "me", [row(1, attempt=1)], 10.0)
    ledger.forget(job, "me", [0], 10.0)
    assert ledger.rows(job) == [row(1, attempt=1)]


def test_a_cancelled_job_stays_with_its_worker_until_it_is_buried(ledger: Ledger) -> None:
    ledger.create("a", ORDER, SHA, 0.0)
    job = claimed(ledger)
    ledger.record(job, "me", [row(0)], 10.0)
    assert ledger.cancel(job.job_id).state is JobState.CANCELLING
    with pytest.raises(LeaseLostError):
        ledger.record(job, "me", [row(1)], 10.0)
    assert ledger.claim("you", 9.0, 10.0) is None
    ledger.bury(job, "you", 5.0)
    assert ledger.get(job.job_id).state is JobState.CANCELLING
    ledger.bury(job, "me", 5.0)
    ended = ledger.get(job.job_id)
    assert (ended.state, ended.done, ended.ended_s) == (JobState.CANCELLED, 0, 5.0)
    assert ledger.cancel(job.job_id) == ended


def test_a_cancelled_job_that_nobody_works_on_is_claimed_at_once_and_stays_cancelling(ledger: Ledger) -> None:
    job = ledger.create("a", ORDER, SHA, 0.0)
    ledger.cancel(job.job_id)
    assert claimed(ledger).state is JobState.CANCELLING


def test_a_job_that_waits_is_left_alone_until_its_time_and_says_why(ledger: Ledger) -> None:
    ledger.create("a", ORDER, SHA, 0.0)
    job = claimed(ledger)
    ledger.postpone(job, "me", ("STORAGE", "full"), 30.0)
    waiting = ledger.get(job.job_id)
    assert (waiting.state, waiting.reason, waiting.message) == (JobState.WAITING, "STORAGE", "full")
    assert ledger.claim("me", 29.0, 10.0) is None
    again = claimed(ledger, "me", 30.0)
    assert (again.state, again.reason, again.message) == (JobState.RUNNING, "", "")
    ledger.finish(again, "me", "there/manifest.json", 40.0)
    done = ledger.get(job.job_id)
    assert (done.state, done.manifest, done.ended_s) == (JobState.DONE, "there/manifest.json", 40.0)
    assert ledger.claim("me", 1e9, 10.0) is None


def test_a_damaged_plan_stands_in_no_other_jobs_way(ledger: Ledger, tmp_path: Path) -> None:
    for name in "ab":
        ledger.create(name, ORDER, SHA, 0.0)
    with closing(sqlite3.connect(tmp_path / "deep" / "jobs.sqlite")) as database, database:
        database.execute("UPDATE jobs SET plan = '{' WHERE request_id = 'a'")
    assert [job.request_id for job in ledger.newest(2)] == ["b", "a"]
    damaged = claimed(ledger)
    with pytest.raises(ValueError, match="Expecting"):
        _ = damaged.order
    assert claimed(ledger).order == ORDER


def test_jobs_are_listed_newest_first_a_page_at_a_time(ledger: Ledger) -> None:
    for name in "abc":
        ledger.create(name, ORDER, SHA, 0.0)
    first = ledger.newest(2)
    assert [job.request_id for job in first] == ["c", "b"]
    assert [job.request_id for job in ledger.newest(2, first[-1].number)] == ["a"]


def test_a_job_that_is_not_there_is_unknown(ledger: Ledger) -> None:
    for ask in (ledger.get, ledger.cancel):
        with pytest.raises(JobUnknownError):
            ask("nothing")


def test_two_processes_see_one_list(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    job = Ledger(path).create("a", ORDER, SHA, 0.0)
    assert Ledger(path).get(job.job_id) == job


def test_a_database_that_cannot_be_used_is_an_error_of_the_place(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"this is no database at all " * 100)
    with pytest.raises(StorageError, match="list of jobs"):
        Ledger(path)
    with pytest.raises(StorageError):
        Ledger(tmp_path / "jobs.sqlite" / "below" / "a file")


def test_a_change_that_fails_half_way_leaves_nothing(ledger: Ledger) -> None:
    ledger.create("a", ORDER, SHA, 0.0)
    job = claimed(ledger)

    def rows_that_break() -> list[ImageRow]:
        return [row(0), ImageRow(1, 0, None, "x", 1, "")]  # type: ignore[arg-type]

    with pytest.raises(StorageError) as caught:
        ledger.record(job, "me", rows_that_break(), 10.0)
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    assert ledger.rows(job) == []


def test_a_site_sees_and_cancels_its_own_jobs_only(ledger: Ledger) -> None:
    north, south = (ledger.create("r", ORDER, SHA, 0.0, site=site) for site in ("north", "south"))
    assert north.job_id != south.job_id
    assert ledger.create("r", ORDER, SHA, 1.0, site="north").job_id == north.job_id
    assert [job.job_id for job in ledger.newest(10, site="south")] == [south.job_id]
    assert len(ledger.newest(10)) == 2
    for ask in (ledger.get, ledger.cancel):
        with pytest.raises(JobUnknownError):
            ask(north.job_id, "south")
    assert ledger.get(north.job_id).state is JobState.QUEUED
    assert ledger.cancel(north.job_id, "north").state is JobState.CANCELLING
