"""The durable record of studies and of their cines: SQLite in WAL mode, every change one transaction.

A study is known by a keyed hash of its UID, and shown by what the trial calls it. The UID itself is never written, nor
is anything else of the caller's but that name, which has been held to the trial's protocol.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from dataclasses import astuple, dataclass
from pathlib import Path

from services.cine.errors import ConfigError, Reason, RequestInvalidError, StorageError, StudyUnknownError
from services.cine.validation.findings import Finding, FindingCode, Severity
from services.cine.views import View
from services.runtime.database import Database

LEAST_KEY_BYTES = 32
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE key (check_hash TEXT NOT NULL);
CREATE TABLE studies (
  study TEXT PRIMARY KEY,
  trial TEXT NOT NULL,
  subject_code TEXT NOT NULL,
  visit TEXT NOT NULL
) WITHOUT ROWID;
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
"""`study`: the keyed hash; `check_hash`: that of no UID, which tells another key; `view`: empty where none was told."""


@dataclass(frozen=True)
class StudyName:
    """What a study is called on screen.

    Attributes:
        trial: the trial's name.
        subject_code: the trial's code for the subject; nobody's identity.
        visit: which of the trial's visits.
    """

    trial: str
    subject_code: str
    visit: str


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
        name: what it is called.
        cines: in the order of their hashes.
    """

    name: StudyName
    cines: tuple[StudyCine, ...]


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

    def record(self, uid: str, name: StudyName, cine: StudyCine) -> bool:
        """Write a cine down, and its study if it is the first; the same cine again changes nothing.

        Args:
            uid: of the study; only its keyed hash is written.
            name: of the study.
            cine: and its answer; of two answers to the same bytes the first one stays.

        Returns:
            Whether it was new.

        Raises:
            RequestInvalidError: the study has another name.
        """
        study = self._hash(uid)
        row = (cine.sha256, cine.view or "", cine.confidence, _to_json(cine.findings), cine.received_s)
        with self._database.transaction() as database:
            database.execute("INSERT INTO studies VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (study, *astuple(name)))
            if _name_of(database, study) != name:
                raise RequestInvalidError(
                    Reason.STUDY_MISMATCH,
                    found="a study that was begun with another trial, subject code or visit",
                    expected="the same three with each of its cines",
                    advice="Check which subject the cine is of, then what was typed.",
                )
            added = database.execute(
                "INSERT INTO cines VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (study, *row)
            )
            return added.rowcount == 1

    def get(self, uid: str) -> Study:
        """Give a study as it stands.

        Raises:
            StudyUnknownError: nothing was recorded of it.
        """
        study = self._hash(uid)
        with self._database.opened() as database:
            name = _name_of(database, study)
            if name is None:
                raise StudyUnknownError
            rows = database.execute(
                "SELECT sha256, view, confidence, findings, received_s FROM cines WHERE study = ? ORDER BY sha256",
                (study,),
            )
            return Study(name, tuple(_cine(*row) for row in rows))

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


def _name_of(database: sqlite3.Connection, study: str) -> StudyName | None:
    row = database.execute("SELECT trial, subject_code, visit FROM studies WHERE study = ?", (study,)).fetchone()
    return None if row is None else StudyName(*row)


def _to_json(findings: tuple[Finding, ...]) -> str:
    return json.dumps([astuple(finding) for finding in findings])


def _cine(sha256: str, view: str, confidence: float, findings: str, received_s: float) -> StudyCine:
    found = (
        Finding(FindingCode(code), message, Severity(severity)) for code, message, severity in json.loads(findings)
    )
    return StudyCine(sha256, View(view) if view else None, confidence, tuple(found), received_s)


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
