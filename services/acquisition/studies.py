"""The durable record of studies and of their cines: SQLite in WAL mode, every change one transaction.

A study is known by a keyed hash of its UID, and shown by what the trial calls it, once somebody has named it. The UID
itself is never written, nor is anything else of the caller's but its site and that name, which has been held to the
trial's protocol.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from services.cine.errors import ConfigError, Reason, RequestInvalidError, StorageError, StudyUnknownError
from services.cine.validation.findings import Finding, FindingCode, Severity
from services.cine.views import View
from services.runtime.database import Database

LEAST_KEY_BYTES = 32
SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE key (check_hash TEXT NOT NULL);
CREATE TABLE studies (
  study TEXT PRIMARY KEY,
  site TEXT NOT NULL,
  trial TEXT NOT NULL,
  subject_code TEXT NOT NULL,
  visit TEXT NOT NULL,
  number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX studies_newest ON studies (site, number);
CREATE TABLE cines (
  study TEXT NOT NULL REFERENCES studies,
  sha256 TEXT NOT NULL,
  view TEXT NOT NULL,
  confidence REAL NOT NULL,
  findings TEXT NOT NULL,
  received_s REAL NOT NULL,
  PRIMARY KEY (study, sha256)
) WITHOUT ROWID;
"""
"""`study`: the keyed hash; `check_hash`: that of no UID, which tells another key; `view`: empty where none was told;
`number`: of two studies of a site the one with the newer cine has the higher one."""

_READ = """
SELECT s.study, s.number, s.trial, s.subject_code, s.visit, c.sha256, c.view, c.confidence, c.findings, c.received_s
FROM ({}) s JOIN cines c ON c.study = s.study ORDER BY s.number DESC, c.sha256
"""
_ONE = _READ.format("SELECT * FROM studies WHERE site = ? AND study = ?")
_NEWEST = _READ.format(
    "SELECT * FROM studies WHERE site = ? AND trial = ? AND ? IN ('', subject_code) AND ? IN ('', visit)"
    " AND number < ? ORDER BY number DESC LIMIT ?"
)
_BEYOND_ALL = 2**62


@dataclass(frozen=True)
class StudyKey:
    """Which study.

    Attributes:
        site: whose it is; empty where sites are not told apart.
        study: the keyed hash of its UID, hexadecimal.
    """

    site: str
    study: str


@dataclass(frozen=True)
class StudyName:
    """What a study is called on screen.

    Attributes:
        trial: the trial's name.
        subject_code: the trial's code for the subject; nobody's identity. Empty, as the visit, while nobody has told.
        visit: which of the trial's visits.
    """

    trial: str
    subject_code: str = ""
    visit: str = ""

    @property
    def is_told(self) -> bool:
        """Whether it says more than the trial."""
        return bool(self.subject_code or self.visit)


@dataclass(frozen=True)
class StudyCine:
    """One cine of a study, and what was answered.

    Attributes:
        sha256: of its file.
        view: the view that was told, or None.
        confidence: with which it was told, 0 to 1.
        findings: what validation saw.
        received_s: when it was answered, seconds since 1970.
    """

    sha256: str
    view: View | None
    confidence: float
    findings: tuple[Finding, ...]
    received_s: float

    @property
    def is_accepted(self) -> bool:
        """Whether nothing was found that rejects it."""
        return all(finding.severity is not Severity.REJECT for finding in self.findings)


@dataclass(frozen=True)
class Study:
    """One study, as of one moment; it has at least one cine.

    Attributes:
        study: the keyed hash of its UID, hexadecimal.
        number: of two studies of a site the one with the newer cine has the higher one.
        name: what it is called.
        cines: in the order of their hashes.
    """

    study: str
    number: int
    name: StudyName
    cines: tuple[StudyCine, ...]

    @property
    def last_s(self) -> float:
        """When its newest cine was answered, seconds since 1970."""
        return max(cine.received_s for cine in self.cines)


class Studies:
    """The record of studies; any number of threads and processes may hold it open.

    Args:
        path: of the database, on a local disk; its folder is made.
        key: secret that UIDs are hashed with, as `read_key` gives it.

    Raises:
        ConfigError: the database was written with another key, or by another version.
        StorageError: here and in every method: the database cannot be read or written.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._database, self._key = Database(path, _unusable, is_lasting=True), key
        self._database.prepare()
        with self._database.transaction() as database:
            self._found_or_check(database)

    def key(self, site: str, uid: str) -> StudyKey:
        """Tell which study has a UID; the same UID is another study at another site."""
        return StudyKey(site, self._hash(f"{site}/{uid}" if site else uid))

    def record(self, key: StudyKey, name: StudyName, cine: StudyCine, *, may_begin: bool = True) -> bool:
        """Write a cine down, and its study if it is the first; the same cine again changes nothing.

        Args:
            key: of the study.
            name: of the study, or its trial only: then it has the name that it has, or will have. The first name that
                is told stays.
            cine: and its answer; of two answers to the same bytes the first one stays.
            may_begin: whether the study may be new.

        Returns:
            Whether anything changed.

        Raises:
            RequestInvalidError: the study has another name.
            StudyUnknownError: it is new, and may not be.
        """
        row = (cine.sha256, cine.view or "", cine.confidence, _to_json(cine.findings), cine.received_s)
        with self._database.transaction() as database:
            known = _name_of(database, key)
            if known is None:
                if not may_begin:
                    raise StudyUnknownError
                database.execute(
                    "INSERT INTO studies VALUES (?, ?, ?, ?, ?, ?)",
                    (key.study, key.site, *astuple(name), _next(database, key)),
                )
            elif known.trial != name.trial or (known.is_told and name.is_told and known != name):
                raise _mismatch("a study that was begun with another trial, subject code or visit", _OF_A_CINE)
            is_named = known is not None and name.is_told and not known.is_told
            if is_named:
                _rename(database, key, name)
            added = database.execute(
                "INSERT INTO cines VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (key.study, *row)
            )
            if added.rowcount == 1:
                database.execute("UPDATE studies SET number = ? WHERE study = ?", (_next(database, key), key.study))
            return is_named or added.rowcount == 1

    def get(self, key: StudyKey) -> Study:
        """Give a study as it stands.

        Raises:
            StudyUnknownError: nothing was recorded of it.
        """
        with self._database.opened() as database:
            found = _studies(database.execute(_ONE, astuple(key)))
        if not found:
            raise StudyUnknownError
        return found[0]

    def newest(self, site: str, wanted: StudyName, count: int, before: int | None = None) -> list[Study]:
        """List studies of a site, the one with the newest cine first.

        Args:
            site: whose.
            wanted: of this trial; with this subject code and visit, where they are told.
            count: most to give.
            before: with a lower number than this; None for all.
        """
        asked = (site, *astuple(wanted), _BEYOND_ALL if before is None else before, count)
        with self._database.opened() as database:
            return _studies(database.execute(_NEWEST, asked))

    def rename(self, key: StudyKey, name: StudyName, replaced: StudyName) -> bool:
        """Name a study, or correct its name; once it has the name, asking again changes nothing.

        Args:
            key: of the study.
            name: that it is to have.
            replaced: that it has now.

        Returns:
            Whether anything changed.

        Raises:
            RequestInvalidError: it has another name than that by now.
            StudyUnknownError: nothing was recorded of it in this trial.
        """
        with self._database.transaction() as database:
            known = _name_of(database, key)
            if known is None or known.trial != name.trial:
                raise StudyUnknownError
            if known == name:
                return False
            if known != replaced:
                raise _mismatch("a study that has another name", _OF_A_NAME)
            _rename(database, key, name)
            return True

    def expire(self, before_s: float) -> int:
        """Forget studies whose newest cine is older than this, seconds since 1970, and give their number."""
        with self._database.transaction() as database:
            old = database.execute("SELECT study FROM cines GROUP BY study HAVING max(received_s) < ?", (before_s,))
            gone = old.fetchall()
            for table in ("cines", "studies"):
                database.executemany(f"DELETE FROM {table} WHERE study = ?", gone)  # noqa: S608 - of our own words
            return len(gone)

    def _hash(self, uid: str) -> str:
        return hmac.digest(self._key, uid.encode(), "sha256").hex()

    def _found_or_check(self, database: sqlite3.Connection) -> None:
        """Lay out a new database; hold one that is there to its version and its key."""
        (version,) = database.execute("PRAGMA user_version").fetchone()
        mark = self._hash("")
        if version == 0:
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute("INSERT INTO key VALUES (?)", (mark,))
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            raise _misfit(f"a study database of version {version}", f"version {SCHEMA_VERSION}")
        elif database.execute("SELECT check_hash FROM key").fetchone() != (mark,):
            raise _misfit("a study database that was written with another key", "the key that it was begun with")


def read_key(path: Path, setting: str = "ECHOPLANE_GATEWAY_STUDY_KEY_FILE") -> bytes:
    """Read the secret that UIDs are hashed with; white space round it does not count.

    Args:
        path: of its file.
        setting: that names the file.

    Raises:
        ConfigError: there is none, or it is too short.
    """
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise _no_key(f"no readable {path}", setting) from error
    if len(key) < LEAST_KEY_BYTES:
        raise _no_key(f"a key of {len(key)} bytes", setting)
    return key


def _name_of(database: sqlite3.Connection, key: StudyKey) -> StudyName | None:
    asked = "SELECT trial, subject_code, visit FROM studies WHERE site = ? AND study = ?"
    row = database.execute(asked, astuple(key)).fetchone()
    return None if row is None else StudyName(*row)


def _rename(database: sqlite3.Connection, key: StudyKey, name: StudyName) -> None:
    database.execute(
        "UPDATE studies SET subject_code = ?, visit = ? WHERE study = ?", (name.subject_code, name.visit, key.study)
    )


def _next(database: sqlite3.Connection, key: StudyKey) -> int:
    """Give the number of the site's study that has the newest cine."""
    asked = "SELECT coalesce(max(number), 0) + 1 FROM studies WHERE site = ?"
    return int(database.execute(asked, (key.site,)).fetchone()[0])


def _studies(rows: Iterable[tuple[Any, ...]]) -> list[Study]:
    return [
        Study(study, number, StudyName(*name), tuple(_cine(*row[5:]) for row in of_it))
        for (study, number, *name), of_it in groupby(rows, key=lambda row: row[:5])
    ]


def _to_json(findings: tuple[Finding, ...]) -> str:
    return json.dumps([astuple(finding) for finding in findings])


def _cine(sha256: str, view: str, confidence: float, findings: str, received_s: float) -> StudyCine:
    found = (
        Finding(FindingCode(code), message, Severity(severity)) for code, message, severity in json.loads(findings)
    )
    return StudyCine(sha256, View(view) if view else None, confidence, tuple(found), received_s)


_OF_A_CINE = "Check which subject the cine is of, then what was typed; correct the wrong one (NameStudy)."
_OF_A_NAME = (
    "Look its name up (ListStudies); if it is wrong, say in `replaces` that it is that which is to be replaced."
)


def _mismatch(found: str, advice: str) -> RequestInvalidError:
    return RequestInvalidError(
        Reason.STUDY_MISMATCH,
        found=found,
        expected="the name that it has",
        advice=advice,
    )


def _no_key(found: str, setting: str) -> ConfigError:
    return ConfigError(
        found=found,
        expected=f"a file with a secret of at least {LEAST_KEY_BYTES} bytes",
        advice=f"Make one (`openssl rand -hex 32`), keep a copy, and name it in {setting}.",
    )


def _misfit(found: str, expected: str) -> ConfigError:
    return ConfigError(
        found=found,
        expected=expected,
        advice="Check ECHOPLANE_GATEWAY_STUDY_DATABASE and ECHOPLANE_GATEWAY_STUDY_KEY_FILE.",
    )


def _unusable(found: str) -> StorageError:
    return StorageError(
        found=f"a record of studies that cannot be used ({found})",
        expected="a database that can be read and written",
        advice="Make room, or check the rights of its folder (ECHOPLANE_GATEWAY_STUDY_DATABASE).",
    )
