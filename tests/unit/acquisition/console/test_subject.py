"""Which study a name stands for: the same one each time, and no other's."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from services.acquisition.console.subject import Subject

WORD = st.from_regex(r"[A-Za-z0-9._-]{1,16}", fullmatch=True)
NAMED = st.builds(lambda trial, code, visit: Subject(trial, "", code, visit), WORD, WORD, WORD)


@given(NAMED, NAMED)
def test_a_name_is_one_study_and_two_are_two(one: Subject, other: Subject) -> None:
    assert (one.study_id == other.study_id) == (one == other)


@given(NAMED)
def test_the_uid_is_a_uuids_and_tells_nothing_of_the_name(subject: Subject) -> None:
    assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]*)", subject.study_id)
    assert len(subject.study_id) <= 64


def test_the_uid_of_a_name_stays_for_good() -> None:
    """Another one would begin a second study of everything that was sent before."""
    assert Subject("EXAMPLE-1", "", "S01-001", "baseline").study_id == "2.25.66578415427527774787657552920846319346"


def test_a_cine_of_the_list_is_filed_there_and_one_of_no_study_nowhere() -> None:
    listed = Subject("EXAMPLE-1", "ab12", "S01-001", "baseline").header("r")
    assert (listed.study, listed.study_id, listed.subject_code, listed.trial) == ("ab12", "", "", "EXAMPLE-1")
    free = Subject("EXAMPLE-1").header("r")
    assert (free.study, free.study_id, free.trial) == ("", "", "")
