"""Studies are written down once, under a hash, whoever writes and however often."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from services.acquisition.studies import LEAST_KEY_BYTES, Studies, StudyCine, StudyName, read_key
from services.cine.errors import ConfigError, Reason, RequestInvalidError, StorageError, StudyUnknownError
from services.cine.views import View
from tests.unit.acquisition.studying import COLOUR, KEY, NAME, TINT, UID, cine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "studies.sqlite"


@pytest.fixture
def studies(path: Path) -> Studies:
    return Studies(path, KEY)


def in_order(*cines: StudyCine) -> tuple[StudyCine, ...]:
    return tuple(sorted(cines, key=lambda each: each.sha256))


def written_by(path: Path) -> bytes:
    """Give all that lies beside a database that is in use, and in it."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_a_study_is_what_was_recorded_of_it(studies: Studies, path: Path) -> None:
    cines = [
        cine(1, confidence=0.123456789012345),
        cine(2, None, 0.0, (COLOUR, TINT), 1.5),
        cine(3, View.OTHER, 1.0, (TINT,), 1e10),
    ]
    assert all(studies.record(UID, NAME, each) for each in cines)
    for reader in (studies, Studies(path, KEY)):
        study = reader.get(UID)
        assert (study.name, study.cines) == (NAME, in_order(*cines))


def test_the_same_cine_counts_once_with_its_first_answer_and_time(studies: Studies) -> None:
    first = cine(1, received_s=5.0)
    assert studies.record(UID, NAME, first)
    assert not studies.record(UID, NAME, replace(first, view=View.PLAX, received_s=9.0))
    assert studies.get(UID).cines == (first,)


def test_the_same_cine_may_be_of_two_studies(studies: Studies) -> None:
    assert studies.record("1.2", NAME, cine())
    assert studies.record("1.3", NAME, cine())


def test_of_many_threads_with_the_same_cine_one_writes_it(studies: Studies) -> None:
    with ThreadPoolExecutor(20) as threads:
        added = list(threads.map(lambda _: studies.record(UID, NAME, cine()), range(40)))
    assert added.count(True) == 1
    assert studies.get(UID).cines == (cine(),)


def test_of_many_threads_none_loses_a_cine(studies: Studies) -> None:
    cines = [cine(number) for number in range(60)]
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda each: studies.record(UID, NAME, each), cines))
    assert studies.get(UID).cines == in_order(*cines)


def test_a_record_that_many_open_first_is_laid_out_once(path: Path) -> None:
    with ThreadPoolExecutor(20) as threads:
        opened = list(threads.map(lambda _: Studies(path, KEY), range(20)))
    opened[0].record(UID, NAME, cine())
    assert opened[-1].get(UID).cines == (cine(),)


@pytest.mark.parametrize(
    "other",
    [replace(NAME, subject_code="S01-002"), replace(NAME, visit="month-6"), replace(NAME, trial="EXAMPLE-2")],
)
def test_a_study_has_one_name(studies: Studies, other: StudyName) -> None:
    studies.record(UID, NAME, cine(1))
    with pytest.raises(RequestInvalidError) as caught:
        studies.record(UID, other, cine(2))
    assert caught.value.reason is Reason.STUDY_MISMATCH
    for text in (UID, NAME.subject_code, other.subject_code):
        assert text not in str(caught.value)
    assert (studies.get(UID).name, studies.get(UID).cines) == (NAME, (cine(1),))


def test_a_study_of_which_nothing_came_is_unknown(studies: Studies) -> None:
    studies.record(UID, NAME, cine())
    for other in (UID + "1", UID[:-1], ""):
        with pytest.raises(StudyUnknownError) as caught:
            studies.get(other)
        assert UID[:-1] not in str(caught.value)


def test_no_uid_is_written_and_its_hash_needs_the_key(studies: Studies, path: Path) -> None:
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("SELECT count(*) FROM studies").fetchone()  # keeps the journal beside the database
        studies.record(UID, NAME, cine())
        text = written_by(path)
    assert NAME.subject_code.encode() in text, "looked in the wrong place"
    assert hmac.digest(KEY, UID.encode(), "sha256").hex().encode() in text
    for secret in (UID.encode(), b"19520229", KEY, hashlib.sha256(UID.encode()).hexdigest().encode()):
        assert secret not in text


def test_another_key_is_told_before_it_makes_second_studies(studies: Studies, path: Path) -> None:
    studies.record(UID, NAME, cine())
    with pytest.raises(ConfigError, match="another key"):
        Studies(path, KEY + b"!")
    assert Studies(path, KEY).get(UID).cines == (cine(),)


def test_a_database_of_another_version_is_refused(studies: Studies, path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(ConfigError, match="version 2"):
        Studies(path, KEY)


def test_a_record_that_cannot_be_used_is_an_error_of_the_place(studies: Studies, path: Path) -> None:
    (path.parent / "no-database").write_bytes(b"this is no database at all " * 100)
    for wrong in (path.parent / "no-database", path / "below" / "a file"):
        with pytest.raises(StorageError, match="record of studies"):
            Studies(wrong, KEY)


def test_a_change_that_fails_half_way_leaves_nothing(studies: Studies) -> None:
    with pytest.raises(StorageError) as caught:
        studies.record(UID, NAME, replace(cine(), sha256=None))  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    with pytest.raises(StudyUnknownError):
        studies.get(UID)


def test_a_key_is_what_the_file_holds_but_for_white_space(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY + b"\n")
    assert read_key(tmp_path / "key") == KEY


@pytest.mark.parametrize("key", [b"", b"secret", b" " * 99, b"k" * (LEAST_KEY_BYTES - 1)])
def test_a_key_that_is_short_or_absent_is_refused_and_not_shown(tmp_path: Path, key: bytes) -> None:
    (tmp_path / "key").write_bytes(key)
    for path in (tmp_path / "key", tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match="secret of at least 32 bytes") as caught:
            read_key(path)
        assert "kkk" not in str(caught.value)
