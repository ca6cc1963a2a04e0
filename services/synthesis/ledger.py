"""The durable list of jobs and of their images: SQLite in WAL mode, every change one transaction.

A job is leased to one worker for a short time, renewed as it works: a worker that dies loses it, and the next one goes
on. An image has a row once its file is in place, and only from the worker that holds the lease. What is still to be
made is the plan less the rows.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from services.cine.errors import CapacityError, JobUnknownError, Reason, RequestInvalidError, StorageError
from services.runtime.database import Database
from services.synthesis.plan import Order

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL UNIQUE,
  site TEXT NOT NULL DEFAULT '',
  request_id TEXT NOT NULL,
  plan TEXT NOT NULL,
  total INTEGER NOT NULL,
  model_sha256 TEXT NOT NULL,
  state TEXT NOT NULL,
  owner TEXT NOT NULL DEFAULT '',
  due_s REAL NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '',
  message TEXT NOT NULL DEFAULT '',
  manifest TEXT NOT NULL DEFAULT '',
  created_s REAL NOT NULL,
  ended_s REAL NOT NULL DEFAULT 0,
  UNIQUE (site, request_id)
);
CREATE TABLE IF NOT EXISTS images (
  job_id TEXT NOT NULL,
  place INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  copy_index TEXT NOT NULL,
  PRIMARY KEY (job_id, place)
) WITHOUT ROWID;
"""
"""`due_s`: until when the lease holds, or before when nobody tries again; `ended_s`: 0 while the job is open."""

_JOB = """
SELECT number, job_id, request_id, plan, total, model_sha256, state, reason, message, manifest, created_s, ended_s,
  (SELECT count(*) FROM images WHERE images.job_id = jobs.job_id),
  (SELECT coalesce(sum(attempt), 0) FROM images WHERE images.job_id = jobs.job_id)
FROM jobs
"""

_OF_REQUEST = "WHERE site = ? AND request_id = ?"
_OF_SITE = "site = coalesce(?, site)"


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    DONE = "DONE"


class LeaseLostError(Exception):
    """The job is another worker's now, or is to be cancelled: stop, and write nothing more of it."""


@dataclass(frozen=True)
class Job:
    """One job, as of one moment.

    Attributes:
        number: in order of creation.
        job_id: its name, and its folder's.
        request_id: what the caller calls it.
        plan: what is to be made, as it is written down.
        total: images of that.
        model_sha256: of the weights that make it.
        state: where it stands.
        done: images with a row.
        replaced: copies that those stand in for.
        reason, message: why it waits or failed.
        manifest: where the manifest is, once it is done.
        created_s, ended_s: seconds since 1970; 0 while it has not ended.
    """

    number: int
    job_id: str
    request_id: str
    plan: str
    total: int
    model_sha256: str
    state: JobState
    done: int
    replaced: int
    reason: str
    message: str
    manifest: str
    created_s: float
    ended_s: float

    @cached_property
    def order(self) -> Order:
        """What is to be made; read when it is needed, so that a damaged row stands in no other job's way.

        Raises:
            ValueError, KeyError, TypeError: it is no order.
        """
        return Order.from_json(self.plan)


@dataclass(frozen=True)
class ImageRow:
    """One image whose file is in place.

    Attributes:
        index: place in the batch.
        attempt: copies it stands in for.
        name: of its file, below the job's folder.
        sha256: of its file.
        size_bytes: of its file.
        copy_index: names the index it was held against; empty where there was none.
    """

    index: int
    attempt: int
    name: str
    sha256: str
    size_bytes: int
    copy_index: str


class Ledger:
    """The list of jobs; any number of processes may hold it open.

    Args:
        path: of the database; its folder is made.
        most_open: jobs that may be open at the same time.

    Raises:
        StorageError: here and in every method: the database cannot be read or written.
    """

    def __init__(self, path: Path, most_open: int = 64) -> None:
        self._database, self._most_open = Database(path, _unusable), most_open
        self._database.prepare()
        with self._database.opened() as database:
            database.executescript(_SCHEMA)

    def create(
        self, request_id: str, order: Order, model_sha256: str, now_s: float, job_id: str = "", site: str = ""
    ) -> Job:
        """Write a job down, or give the one that is there for that request; without a name it gets a random one.

        Args:
            request_id: what the site calls it; two sites may call theirs the same.
            order: what is to be made.
            model_sha256: of the weights that are to make it.
            now_s: seconds since 1970.
            job_id: its name.
            site: whose it is; empty where sites are not told apart.

        Raises:
            RequestInvalidError: that one is of another order.
            CapacityError: too many jobs are open.
        """
        text = order.to_json()
        with self._database.transaction() as database:
            if not _jobs(database, _OF_REQUEST, site, request_id):
                (count,) = database.execute("SELECT count(*) FROM jobs WHERE ended_s = 0").fetchone()
                if count >= self._most_open:
                    raise CapacityError(
                        found=f"{count} jobs that are not done",
                        expected=f"fewer than {self._most_open}",
                        advice="Wait for one to end, or cancel one.",
                        retry_after_s=10.0,
                    )
                database.execute(
                    "INSERT INTO jobs (job_id, site, request_id, plan, total, model_sha256, state, created_s)"
                    " VALUES (?, ?, ?, ?, ?, ?, 'QUEUED', ?)",
                    (job_id or uuid.uuid4().hex, site, request_id, text, order.total, model_sha256, now_s),
                )
            (job,) = _jobs(database, _OF_REQUEST, site, request_id)
        if job.plan != text:
            raise RequestInvalidError(
                Reason.REQUEST_ID_TAKEN,
                found="a request_id that stands for another request",
                expected="the same request, or a new request_id",
                advice="Choose another request_id.",
            )
        return job

    def get(self, job_id: str, site: str | None = None) -> Job:
        """Give a job as it stands; with `site` only if it is that one's.

        Raises:
            JobUnknownError: there is none.
        """
        with self._database.opened() as database:
            return _only(_jobs(database, f"WHERE job_id = ? AND {_OF_SITE}", job_id, site))

    def newest(self, count: int, before: int | None = None, site: str | None = None) -> list[Job]:
        """Give jobs, the newest first.

        Args:
            count: at most so many.
            before: only jobs of lower numbers.
            site: only this one's.
        """
        limit, order = 2**62 if before is None else before, "ORDER BY number DESC LIMIT ?"
        with self._database.opened() as database:
            return _jobs(database, f"WHERE number < ? AND {_OF_SITE} {order}", limit, site, count)

    def cancel(self, job_id: str, site: str | None = None) -> Job:
        """Have a job cancelled, by the worker that has it or the next one; one that has ended stays as it is.

        Raises:
            JobUnknownError: there is none; with `site` none of that one's.
        """
        with self._database.transaction() as database:
            _only(_jobs(database, f"WHERE job_id = ? AND {_OF_SITE}", job_id, site))
            database.execute(
                "UPDATE jobs SET due_s = CASE state WHEN 'RUNNING' THEN due_s ELSE 0 END, state = 'CANCELLING'"
                " WHERE job_id = ? AND state IN ('QUEUED', 'RUNNING', 'WAITING')",
                (job_id,),
            )
            return _only(_jobs(database, "WHERE job_id = ?", job_id))

    def claim(self, owner: str, now_s: float, lease_s: float) -> Job | None:
        """Take the oldest job that nobody works on, for so long; None where there is none.

        A job that is to be cancelled keeps that state; any other is RUNNING from now on.
        """
        with self._database.transaction() as database:
            found = database.execute(
                "SELECT job_id FROM jobs WHERE ended_s = 0 AND due_s <= ? ORDER BY number LIMIT 1", (now_s,)
            ).fetchone()
            if found is None:
                return None
            database.execute(
                "UPDATE jobs SET owner = ?, due_s = ?, reason = '', message = '',"
                " state = CASE state WHEN 'CANCELLING' THEN state ELSE 'RUNNING' END WHERE job_id = ?",
                (owner, now_s + lease_s, *found),
            )
            return _only(_jobs(database, "WHERE job_id = ?", *found))

    def renew(self, job: Job, owner: str, until_s: float) -> None:
        """Hold on to a job.

        Raises:
            LeaseLostError: it is not the owner's any more.
        """
        with self._database.transaction() as database:
            _hold(database, job, owner, until_s)

    def record(self, job: Job, owner: str, rows: Iterable[ImageRow], until_s: float) -> None:
        """Write down images whose files are in place, and hold on to the job.

        Raises:
            LeaseLostError: it is not the owner's any more; nothing is written.
        """
        values = [(job.job_id, *astuple(row)) for row in rows]
        with self._database.transaction() as database:
            _hold(database, job, owner, until_s)
            database.executemany("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def forget(self, job: Job, owner: str, indices: Sequence[int], until_s: float) -> None:
        """Strike out images whose files are gone.

        Raises:
            LeaseLostError: it is not the owner's any more; nothing is struck out.
        """
        with self._database.transaction() as database:
            _hold(database, job, owner, until_s)
            database.executemany(
                "DELETE FROM images WHERE job_id = ? AND place = ?", [(job.job_id, index) for index in indices]
            )

    def rows(self, job: Job) -> list[ImageRow]:
        """Give the images that are there, in order."""
        with self._database.opened() as database:
            found = database.execute(
                "SELECT place, attempt, name, sha256, size_bytes, copy_index FROM images"
                " WHERE job_id = ? ORDER BY place",
                (job.job_id,),
            )
            return [ImageRow(*values) for values in found]

    def finish(self, job: Job, owner: str, manifest: str, now_s: float) -> None:
        """Say that a job is done.

        Raises:
            LeaseLostError: it is not the owner's any more.
        """
        self._end(job, owner, JobState.DONE, ("", "", manifest, now_s, 0.0))

    def fail(self, job: Job, owner: str, why: tuple[str, str], now_s: float) -> None:
        """Say that a job cannot be done; `why` is reason and message. Raises as `finish`."""
        self._end(job, owner, JobState.FAILED, (*why, "", now_s, 0.0))

    def postpone(self, job: Job, owner: str, why: tuple[str, str], retry_s: float) -> None:
        """Let a job wait until then; `why` is reason and message. Raises as `finish`."""
        self._end(job, owner, JobState.WAITING, (*why, "", 0.0, retry_s))

    def reopen(self, job_id: str) -> None:
        """Have a job that waits, failed or is done gone through again now: what is missing is made again."""
        with self._database.transaction() as database:
            database.execute(
                "UPDATE jobs SET state = 'QUEUED', reason = '', message = '', manifest = '', ended_s = 0, due_s = 0"
                " WHERE job_id = ? AND state IN ('WAITING', 'FAILED', 'DONE')",
                (job_id,),
            )

    def release(self, job: Job, owner: str) -> None:
        """Give a job back unfinished, for anybody to take at once. Raises as `finish`."""
        self._end(job, owner, JobState.QUEUED, ("", "", "", 0.0, 0.0))

    def bury(self, job: Job, owner: str, now_s: float) -> None:
        """Say that a cancelled job's files are gone; its rows go too. A job that is another's is left alone."""
        with self._database.transaction() as database:
            ended = database.execute(
                "UPDATE jobs SET state = 'CANCELLED', ended_s = ?"
                " WHERE job_id = ? AND owner = ? AND state = 'CANCELLING'",
                (now_s, job.job_id, owner),
            )
            if ended.rowcount:
                database.execute("DELETE FROM images WHERE job_id = ?", (job.job_id,))

    def _end(self, job: Job, owner: str, state: JobState, values: tuple[str, str, str, float, float]) -> None:
        with self._database.transaction() as database:
            _hold(database, job, owner, 0.0)
            database.execute(
                "UPDATE jobs SET state = ?, owner = '', reason = ?, message = ?, manifest = ?, ended_s = ?, due_s = ?"
                " WHERE job_id = ?",
                (state, *values, job.job_id),
            )


def _hold(database: sqlite3.Connection, job: Job, owner: str, until_s: float) -> None:
    held = database.execute(
        "UPDATE jobs SET due_s = ? WHERE job_id = ? AND owner = ? AND state = 'RUNNING'", (until_s, job.job_id, owner)
    )
    if not held.rowcount:
        raise LeaseLostError


def _jobs(database: sqlite3.Connection, condition: str, *values: str | int | None) -> list[Job]:
    return [
        Job(number, job_id, request_id, plan, total, sha, JobState(state), done, replaced, *texts, *times)
        for number, job_id, request_id, plan, total, sha, state, *rest, done, replaced in database.execute(
            _JOB + condition, values
        )
        for texts, times in [(rest[:3], rest[3:])]
    ]


def _only(jobs: list[Job]) -> Job:
    if not jobs:
        raise JobUnknownError
    return jobs[0]


def _unusable(found: str) -> StorageError:
    return StorageError(
        found=f"a list of jobs that cannot be used ({found})",
        expected="a database that can be read and written",
        advice="Make room, or check the rights of its folder (ECHOPLANE_GATEWAY_SYNTHESIS_LEDGER).",
    )
