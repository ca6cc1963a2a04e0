"""Studies are written down once, under a hash, whoever writes and however often."""

from __future__ import annotations

import hashlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from services.acquisition.studies import LEAST_KEY_BYTES, Studies, StudyCine, StudyKey, StudyName, read_key
from services.cine.errors import ConfigError, Reason, RequestInvalidError, StorageError, StudyUnknownError
from services.cine.views import View
from tests.unit.acquisition.studying import COLOUR, KEY, NAME, STUDY, TINT, UID, cine

UNNAMED, OTHER = StudyName(NAME.trial), replace(NAME, subject_code="S01-002")
ALL = UNNAMED
"""As what is wanted of a list."""


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
    assert all(studies.record(STUDY, NAME, each) for each in cines)
    for reader in (studies, Studies(path, KEY)):
        study = reader.get(STUDY)
        assert (study.name, study.cines) == (NAME, in_order(*cines))


def test_the_same_cine_counts_once_with_its_first_answer_and_time(studies: Studies) -> None:
    first = cine(1, received_s=5.0)
    assert studies.record(STUDY, NAME, first)
    assert not studies.record(STUDY, NAME, replace(first, view=View.PLAX, received_s=9.0))
    assert studies.get(STUDY).cines == (first,)


def test_the_same_cine_may_be_of_two_studies(studies: Studies) -> None:
    assert studies.record(studies.key("", "1.2"), NAME, cine())
    assert studies.record(studies.key("", "1.3"), NAME, cine())


def test_of_many_threads_with_the_same_cine_one_writes_it(studies: Studies) -> None:
    with ThreadPoolExecutor(20) as threads:
        added = list(threads.map(lambda _: studies.record(STUDY, NAME, cine()), range(40)))
    assert added.count(True) == 1
    assert studies.get(STUDY).cines == (cine(),)


def test_of_many_threads_none_loses_a_cine(studies: Studies) -> None:
    cines = [cine(number) for number in range(60)]
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda each: studies.record(STUDY, NAME, each), cines))
    assert studies.get(STUDY).cines == in_order(*cines)


def test_a_record_that_many_open_first_is_laid_out_once(path: Path) -> None:
    with ThreadPoolExecutor(20) as threads:
        opened = list(threads.map(lambda _: Studies(path, KEY), range(20)))
    opened[0].record(STUDY, NAME, cine())
    assert opened[-1].get(STUDY).cines == (cine(),)


@pytest.mark.parametrize(
    "other",
    [replace(NAME, subject_code="S01-002"), replace(NAME, visit="month-6"), replace(NAME, trial="EXAMPLE-2")],
)
def test_a_study_has_one_name(studies: Studies, other: StudyName) -> None:
    studies.record(STUDY, NAME, cine(1))
    with pytest.raises(RequestInvalidError) as caught:
        studies.record(STUDY, other, cine(2))
    assert caught.value.reason is Reason.STUDY_MISMATCH
    for text in (UID, NAME.subject_code, other.subject_code):
        assert text not in str(caught.value)
    assert (studies.get(STUDY).name, studies.get(STUDY).cines) == (NAME, (cine(1),))


def test_a_study_of_which_nothing_came_is_unknown(studies: Studies) -> None:
    studies.record(STUDY, NAME, cine())
    for other in (UID + "1", UID[:-1], ""):
        with pytest.raises(StudyUnknownError) as caught:
            studies.get(studies.key("", other))
        assert UID[:-1] not in str(caught.value)


def test_the_same_uid_is_another_study_at_another_site(studies: Studies) -> None:
    keys = [studies.key(site, UID) for site in ("", "north", "south")]
    assert keys[0] == STUDY
    assert len({key.study for key in keys}) == 3
    for key in keys:
        studies.record(key, NAME, cine())
    for site, key in (("", keys[1]), ("north", keys[0]), ("south", keys[1])):
        with pytest.raises(StudyUnknownError):
            studies.get(StudyKey(site, key.study))


def test_a_cine_without_a_name_joins_its_study_under_any(studies: Studies) -> None:
    assert studies.record(STUDY, UNNAMED, cine(1))
    assert not studies.record(STUDY, UNNAMED, cine(1))
    assert studies.get(STUDY).name == UNNAMED
    assert studies.record(STUDY, NAME, cine(1)), "the name is new, the cine is not"
    assert studies.record(STUDY, UNNAMED, cine(2))
    assert (studies.get(STUDY).name, len(studies.get(STUDY).cines)) == (NAME, 2)
    with pytest.raises(RequestInvalidError):
        studies.record(STUDY, StudyName("EXAMPLE-2"), cine(3))


def test_a_study_that_must_be_known_is_not_begun(studies: Studies) -> None:
    with pytest.raises(StudyUnknownError):
        studies.record(STUDY, UNNAMED, cine(), may_begin=False)
    studies.record(STUDY, UNNAMED, cine(1))
    assert studies.record(STUDY, UNNAMED, cine(2), may_begin=False)


def test_a_name_is_replaced_by_who_knows_it_only(studies: Studies) -> None:
    studies.record(STUDY, UNNAMED, cine())
    assert studies.rename(STUDY, NAME, UNNAMED)
    assert not studies.rename(STUDY, NAME, UNNAMED), "asked again"
    for replaced in (UNNAMED, replace(NAME, visit="month-6")):
        with pytest.raises(RequestInvalidError) as caught:
            studies.rename(STUDY, OTHER, replaced)
        assert caught.value.reason is Reason.STUDY_MISMATCH
    assert studies.rename(STUDY, OTHER, NAME)
    assert studies.get(STUDY).name == OTHER
    with pytest.raises(RequestInvalidError):
        studies.record(STUDY, NAME, cine(2))


@pytest.mark.parametrize("key", [StudyKey("north", STUDY.study), StudyKey("", "0" * 64)])
def test_what_is_not_there_is_not_named(studies: Studies, key: StudyKey) -> None:
    studies.record(STUDY, UNNAMED, cine())
    with pytest.raises(StudyUnknownError):
        studies.rename(key, NAME, UNNAMED)
    with pytest.raises(StudyUnknownError):
        studies.rename(STUDY, replace(NAME, trial="EXAMPLE-2"), UNNAMED)


def test_of_many_who_name_a_study_at_once_one_does(studies: Studies) -> None:
    studies.record(STUDY, UNNAMED, cine())

    def name(number: int) -> bool:
        try:
            return studies.rename(STUDY, replace(NAME, subject_code=f"S01-{number:03}"), UNNAMED)
        except RequestInvalidError:
            return False

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(name, range(40))).count(True) == 1


def test_the_newest_studies_of_a_site_come_first_page_by_page(studies: Studies) -> None:
    for number in range(5):
        studies.record(studies.key("north", f"1.{number}"), NAME, cine(number))
        studies.record(studies.key("south", f"1.{number}"), NAME, cine(number))
    studies.record(studies.key("north", "1.1"), NAME, cine(99))
    studies.record(studies.key("north", "1.0"), NAME, cine(0))  # that it has already
    order = [studies.key("north", f"1.{number}").study for number in (1, 4, 3, 2, 0)]
    listed, before = [], None
    while page := studies.newest("north", ALL, 2, before):
        assert len(page) <= 2
        listed += [study.study for study in page]
        before = page[-1].number
    assert listed == order
    assert [len(study.cines) for study in studies.newest("north", ALL, 9)] == [2, 1, 1, 1, 1]
    assert studies.newest("", ALL, 9) == []


def test_a_list_is_of_one_trial_and_of_what_was_asked_for(studies: Studies) -> None:
    names = [NAME, OTHER, replace(NAME, visit="month-6"), UNNAMED, replace(NAME, trial="EXAMPLE-2")]
    for number, name in enumerate(names):
        studies.record(studies.key("", f"1.{number}"), name, cine())

    def listed(**wanted: str) -> list[StudyName]:
        return [study.name for study in studies.newest("", StudyName(NAME.trial, **wanted), 9)]

    assert listed() == names[3::-1]
    assert listed(subject_code=NAME.subject_code) == [names[2], NAME]
    assert listed(subject_code=NAME.subject_code, visit=NAME.visit) == [NAME]
    assert listed(visit="month-6") == [names[2]]
    assert listed(subject_code="S09-009") == []


def test_a_study_is_forgotten_so_long_after_its_newest_cine(studies: Studies, path: Path) -> None:
    old, kept = studies.key("", "1.1"), studies.key("", "1.2")
    for key, times in ((old, (1.0, 9.0)), (kept, (2.0, 10.0))):
        for number, at_s in enumerate(times):
            studies.record(key, NAME, cine(number, received_s=at_s))
    assert studies.expire(9.0) == 0
    assert studies.expire(10.0) == 1
    with pytest.raises(StudyUnknownError):
        studies.get(old)
    assert [study.study for study in studies.newest("", ALL, 9)] == [kept.study]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM cines").fetchone() == (2,)


def test_no_uid_is_written_and_its_hash_needs_the_key(studies: Studies, path: Path) -> None:
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("SELECT count(*) FROM studies").fetchone()  # keeps the journal beside the database
        studies.record(STUDY, NAME, cine())
        text = written_by(path)
    assert NAME.subject_code.encode() in text, "looked in the wrong place"
    assert STUDY.study.encode() in text
    for secret in (UID.encode(), b"19520229", KEY, hashlib.sha256(UID.encode()).hexdigest().encode()):
        assert secret not in text


def test_another_key_is_told_before_it_makes_second_studies(studies: Studies, path: Path) -> None:
    studies.record(STUDY, NAME, cine())
    with pytest.raises(ConfigError, match="another key"):
        Studies(path, KEY + b"!")
    assert Studies(path, KEY).get(STUDY).cines == (cine(),)


def test_a_database_of_another_version_is_refused(studies: Studies, path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 1")
    with pytest.raises(ConfigError, match="version 1"):
        Studies(path, KEY)


def test_a_record_that_cannot_be_used_is_an_error_of_the_place(studies: Studies, path: Path) -> None:
    (path.parent / "no-database").write_bytes(b"this is no database at all " * 100)
    for wrong in (path.parent / "no-database", path / "below" / "a file"):
        with pytest.raises(StorageError, match="record of studies"):
            Studies(wrong, KEY)


def test_a_change_that_fails_half_way_leaves_nothing(studies: Studies) -> None:
    with pytest.raises(StorageError) as caught:
        studies.record(STUDY, NAME, replace(cine(), sha256=None))  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    with pytest.raises(StudyUnknownError):
        studies.get(STUDY)


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
