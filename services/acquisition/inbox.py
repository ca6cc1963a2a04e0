"""What has come from the scanners: files in a folder, and a durable list of what has become of each (SQLite).

An object is written down after its file is in place, and acknowledged after that; so a kill at any moment leaves at
most a file that nobody was told about, which the next start removes. One process works with an inbox: the folder is
locked for as long as it lives.

Files hold patients, as they came, until they are cleaned: the clean file is put in place, that is written down, and the
other one goes; what a kill leaves between these is put right by the next start. The list holds nobody: an object is
known by a keyed hash of its SOP Instance UID.
"""

from __future__ import annotations

import fcntl
import hmac
import secrets
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from services.acquisition.durable_files import digest, settle, write_whole
from services.cine.errors import ConfigError, StorageError
from services.runtime.database import Database

LIST, OBJECTS = "inbox.sqlite", "objects"
"""Names of the list and of the folder of objects, in the inbox's folder."""

_KEY_BYTES = 32
CAME, _CLEAN, _REPORT, _RECORD = ".dcm", ".clean.dcm", ".sr.dcm", ".json"
"""Ends of the names of an object as it came, without identity, of its report, and of the JSON beside it."""

_FAR_S = 600.0
"""No object waits for so long: a time that lies further ahead was set by a clock that was wrong."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  site TEXT NOT NULL,
  uid_key TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  name TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  is_conflicting INTEGER NOT NULL,
  state TEXT NOT NULL,
  received_s REAL NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  due_s REAL NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '',
  response BLOB NOT NULL DEFAULT x'',
  answered_at TEXT NOT NULL DEFAULT '',
  ended_s REAL NOT NULL DEFAULT 0,
  UNIQUE (site, uid_key, sha256)
);
CREATE INDEX IF NOT EXISTS objects_open ON objects (number) WHERE ended_s = 0;
"""
"""`due_s`: before when nobody tries again; `ended_s`: 0 while there is something to do."""

_COLUMNS = "number, site, name, size_bytes, is_conflicting, state, tries, reason, response, answered_at"
_ENTRY = f"SELECT {_COLUMNS} FROM objects"  # noqa: S608 - of our own words


class State(StrEnum):
    """How far an object is."""

    RECEIVED = "RECEIVED"
    ANSWERED = "ANSWERED"
    CLEANED = "CLEANED"
    REPORTED = "REPORTED"
    FAILED = "FAILED"


_DONE_WITH = (State.CLEANED, State.REPORTED)
"""When the file that came is not needed any more, if there is a clean one."""


@dataclass(frozen=True)
class InboxLimits:
    """When an inbox takes nothing more, and how long it keeps what is done with.

    Attributes:
        max_bytes: of all objects together.
        least_free_bytes: that stay free on the disk; at least what may be arriving at the same time.
        retention_s: how long an object stays after it was reported, s.
        failed_retention_s: after it failed, s; it may lie there as it came.
        abandoned_s: how long a file in `incoming` may go without a byte; pynetdicom leaves it when a peer breaks off.
    """

    max_bytes: int = 100 * 2**30
    least_free_bytes: int = 4 * 2**30
    retention_s: float = 7 * 86_400.0
    abandoned_s: float = 120.0
    failed_retention_s: float = 3 * 86_400.0


@dataclass(frozen=True)
class Entry:
    """One object, as of one moment.

    Attributes:
        number: in order of arrival.
        site: that sent it; empty where sites are not told apart.
        name: of its files, without their ends.
        size_bytes: of its file.
        is_conflicting: another object had come before under the same SOP Instance UID.
        state: how far it is.
        tries: that came to nothing since the last step forward.
        reason: why it waits or failed.
        response: the answer as the gateway gave it, a serialised PredictViewResponse; empty before.
        answered_at: when that was, ISO 8601 with the offset of the site's clock.
    """

    number: int
    site: str
    name: str
    size_bytes: int
    is_conflicting: bool
    state: State
    tries: int
    reason: str
    response: bytes = field(repr=False)
    answered_at: str


class Inbox:
    """The objects of a folder; any number of threads may use it, but no second process.

    Args:
        folder: made if it is not there; readable for its owner only.
        limits: when it is full.
        free_bytes: tells how much room the disk of a folder has, bytes.

    Raises:
        ConfigError: another process works with it.
        StorageError: here and in every method: the folder or the list cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        limits: InboxLimits,
        free_bytes: Callable[[Path], int] = lambda at: shutil.disk_usage(at).free,
    ) -> None:
        self._folder, self._limits, self._free_bytes = folder, limits, free_bytes
        self.incoming, self._objects = folder / "incoming", folder / OBJECTS
        with _translated():
            for each in (folder, self.incoming, self._objects):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(folder / "lock")
            self._sweep_incoming()
            self._key = self.secret("key")
            self._database = Database(folder / LIST, unusable, is_lasting=True)
            self._database.prepare()
            with self._database.opened() as database:
                database.executescript(_SCHEMA)
            self._sweep_objects()

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def keep(self, part: Path, uid: str, site: str, now_s: float) -> Entry:
        """Take over a received file: once this returns it is on the disk and written down.

        The same object sent again is one entry; other bytes under the same UID are kept as another, and flagged.

        Args:
            part: the file, in `incoming`; it is gone afterwards, whatever happens.
            uid: its SOP Instance UID.
            site: that sent it.
            now_s: seconds since 1970.

        Raises:
            StorageError: there is no room for it, and nothing of it was kept.
        """
        try:
            with _translated():
                size_bytes, sha256 = part.stat().st_size, digest(part)
                key = hmac.digest(self._key, uid.encode(), "sha256").hex()
                with self._database.transaction() as database:
                    return self._kept(database, part, (site, key, sha256), size_bytes, now_s)
        finally:
            part.unlink(missing_ok=True)

    def next_due(self, now_s: float) -> Entry | None:
        """Give the next object that waits for something to be done; None where there is none.

        What was never tried in vain comes first, of that what has no answer, as somebody waits for it; then the oldest.
        """
        with self._database.opened() as database:
            is_due, in_order = "ended_s = 0 AND (due_s <= ? OR due_s > ?)", "tries > 0, state <> 'RECEIVED', number"
            return _first(database, is_due, now_s, now_s + _FAR_S, order=in_order)

    def get(self, number: int) -> Entry | None:
        """Give an object as it stands; None where it is not there any more."""
        with self._database.opened() as database:
            return _first(database, "number = ?", number)

    def counts(self) -> dict[State, int]:
        """Count the objects of each state."""
        with self._database.opened() as database:
            found = dict(database.execute("SELECT state, count(*) FROM objects GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in State}

    def read(self, entry: Entry) -> bytes:
        """Read an object as it stands."""
        with _translated():
            return self.object_path(entry).read_bytes()

    def object_path(self, entry: Entry) -> Path:
        """Name the file of an object: the one that came until `cleaned` is done, then the clean one."""
        came, clean = (self._objects / (entry.name + end) for end in (CAME, _CLEAN))
        return clean if entry.state is State.CLEANED or not came.exists() else came

    def report_path(self, entry: Entry) -> Path:
        """Name the file of an object's report; it is there from `put_report` on."""
        return self._objects / (entry.name + _REPORT)

    def put_report(self, entry: Entry, dicom: bytes, json: bytes) -> None:
        """Put an object's report and the JSON beside it in place."""
        with _translated():
            write_whole(self._objects / (entry.name + _RECORD), json, self.incoming)
            write_whole(self.report_path(entry), dicom, self.incoming)

    def answered(self, entry: Entry, response: bytes, answered_at: str) -> None:
        """Write the answer down; an answer that is there already stays."""
        self._step(
            entry,
            State.RECEIVED,
            "state = 'ANSWERED', tries = 0, due_s = 0, reason = '', response = ?, answered_at = ?",
            (response, answered_at),
        )

    def cleaned(self, entry: Entry, clean: bytes) -> None:
        """Put the object without identity in the place of the one that came."""
        with _translated():
            write_whole(self._objects / (entry.name + _CLEAN), clean, self.incoming)
            change = "state = 'CLEANED', tries = 0, due_s = 0, reason = '', size_bytes = ?"
            self._step(entry, State.ANSWERED, change, (len(clean),))
            (self._objects / (entry.name + CAME)).unlink(missing_ok=True)

    def reported(self, entry: Entry, now_s: float) -> None:
        """Say that nothing is left to do."""
        before = State.CLEANED if entry.state is State.CLEANED else State.ANSWERED
        self._step(entry, before, "state = 'REPORTED', reason = '', ended_s = ?", (now_s,))

    def failed(self, entry: Entry, reason: str, now_s: float) -> None:
        """Say that nothing more can be done, and why."""
        self._step(entry, entry.state, "state = 'FAILED', reason = ?, ended_s = ?", (reason, now_s))

    def postponed(self, entry: Entry, reason: str, until_s: float) -> None:
        """Let an object wait, and say why."""
        self._step(entry, entry.state, "tries = tries + 1, reason = ?, due_s = ?", (reason, until_s))

    def expire(self, now_s: float) -> int:
        """Remove objects that were done with for longer than the retention, and give their number.

        What was never wholly received goes too.
        """
        with _translated():
            for part in self.incoming.iterdir():
                with suppress(FileNotFoundError):  # it was moved into place meanwhile
                    if part.stat().st_mtime < now_s - self._limits.abandoned_s:
                        part.unlink()
        long_ago = now_s - self._limits.retention_s, now_s - self._limits.failed_retention_s
        with self._database.transaction() as database:
            names = database.execute(
                "DELETE FROM objects WHERE ended_s BETWEEN 1 AND iif(state = 'FAILED', ?2, ?1) RETURNING name", long_ago
            ).fetchall()
        with _translated():
            for (name,) in names:
                for end in (CAME, _CLEAN, _REPORT, _RECORD):
                    (self._objects / (name + end)).unlink(missing_ok=True)
        return len(names)

    def _kept(
        self, database: sqlite3.Connection, part: Path, identity: tuple[str, str, str], size_bytes: int, now_s: float
    ) -> Entry:
        """Find the object, or move its file into place and write it down."""
        found = _first(database, "site = ? AND uid_key = ? AND sha256 = ?", *identity)
        if found is not None and any((self._objects / (found.name + end)).exists() for end in (CAME, _CLEAN)):
            return found
        self._check_room(database, size_bytes)
        if found is not None:  # somebody has removed its file
            database.execute("DELETE FROM objects WHERE number = ?", (found.number,))
        is_conflicting = _first(database, "site = ? AND uid_key = ?", *identity[:2]) is not None
        name = uuid.uuid4().hex
        target = self._objects / (name + CAME)
        try:
            settle(part, target)
            number = database.execute(
                "INSERT INTO objects (site, uid_key, sha256, name, size_bytes, is_conflicting, state, received_s)"
                " VALUES (?, ?, ?, ?, ?, ?, 'RECEIVED', ?)",
                (*identity, name, size_bytes, is_conflicting, now_s),
            ).lastrowid
        except (OSError, sqlite3.Error):
            target.unlink(missing_ok=True)
            raise
        return Entry(number or 0, identity[0], name, size_bytes, is_conflicting, State.RECEIVED, 0, "", b"", "")

    def _check_room(self, database: sqlite3.Connection, size_bytes: int) -> None:
        """Refuse before it is full; the file itself is on the disk already."""
        (used,) = database.execute("SELECT coalesce(sum(size_bytes), 0) FROM objects").fetchone()
        if used + size_bytes > self._limits.max_bytes:
            raise _full(f"{used} bytes in the inbox", f"at most {self._limits.max_bytes} with the object")
        free = self._free_bytes(self._folder)
        if free < self._limits.least_free_bytes:
            raise _full(f"{free} bytes free on the inbox's disk", f"at least {self._limits.least_free_bytes}")

    def _step(self, entry: Entry, state: State, change: str, values: tuple[object, ...]) -> None:
        with self._database.transaction() as database:
            database.execute(
                f"UPDATE objects SET {change} WHERE number = ? AND state = ?",  # noqa: S608 - of our own words
                (*values, entry.number, state),
            )

    def secret(self, name: str) -> bytes:
        """Give a key of this folder's own, readable for its owner only; a new folder gets a new one."""
        path = self._folder / name
        with _translated():
            if not path.exists():
                write_whole(path, secrets.token_bytes(_KEY_BYTES), self.incoming)
            return path.read_bytes()

    def _sweep_incoming(self) -> None:
        """Remove what a killed process was receiving or writing."""
        for part in self.incoming.iterdir():
            part.unlink()

    def _sweep_objects(self) -> None:
        """Remove files that nobody was told about, whose entry has gone, or in whose place is a clean one."""
        with self._database.opened() as database:
            known = dict(database.execute("SELECT name, state FROM objects").fetchall())
        for file in self._objects.iterdir():
            name, _, end = file.name.partition(".")
            is_replaced = known.get(name) in _DONE_WITH and f".{end}" == CAME and file.with_suffix(_CLEAN).exists()
            if name not in known or is_replaced:
                file.unlink()


def _first(database: sqlite3.Connection, condition: str, *values: object, order: str = "number") -> Entry | None:
    row = database.execute(f"{_ENTRY} WHERE {condition} ORDER BY {order} LIMIT 1", values).fetchone()
    if row is None:
        return None
    number, site, name, size_bytes, is_conflicting, state, *rest = row
    return Entry(number, site, name, size_bytes, bool(is_conflicting), State(state), *rest)


def _lock(path: Path) -> IO[bytes]:
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it when the process dies
    except BlockingIOError as error:
        file.close()
        raise ConfigError(
            found="an inbox that another process works with",
            expected="one node for a folder",
            advice="Stop the other node, or set ECHOPLANE_NODE_INBOX to another folder.",
        ) from error
    return file


def _full(found: str, expected: str) -> StorageError:
    return StorageError(
        found=found, expected=expected, advice="Make room, shorten the retention or raise the quota; then send again."
    )


def unusable(found: str) -> StorageError:
    """Make the error of an inbox that cannot be read or written."""
    return StorageError(
        found=f"an inbox that cannot be used ({found})",
        expected="a folder on a local disk with room, and the right to write",
        advice="Make room, or check the folder's rights.",
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:  # whose own text names files
        raise unusable(error.strerror or type(error).__name__) from error
