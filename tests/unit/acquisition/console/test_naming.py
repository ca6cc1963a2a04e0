"""Which study is meant: one that the gateway has, one to be named, or one to begin."""

from __future__ import annotations

from echoplane.v1 import study_pb2

from services.acquisition.console.link import GatewayState
from services.acquisition.console.naming import choose_study
from services.acquisition.console.subject import Subject
from services.acquisition.console.words import AWAY, NO_STUDIES
from services.client import CallError
from tests.unit.acquisition.console.linking import Answers, LinkedTo

TYPED = Subject(subject_code="s01-001", visit="baseline")


async def test_a_name_that_the_gateway_has_not_begins_a_study() -> None:
    assert await choose_study(LinkedTo(Answers()), TYPED) == {
        "study": "",
        "subject_code": "S01-001",
        "visit": "baseline",
    }


async def test_a_name_that_a_study_has_is_that_study_wherever_it_came_from() -> None:
    studies = study_pb2.ListStudiesResponse(studies=[study_pb2.StudySummary(study="ab12")])
    answers = Answers(studies=studies)
    assert (await choose_study(LinkedTo(answers), TYPED))["study"] == "ab12"
    assert answers.asked == [{"subject_code": "S01-001", "visit": "baseline", "page_size": 1}]


async def test_a_study_of_the_list_is_given_its_name() -> None:
    answers = Answers()
    chosen = await choose_study(LinkedTo(answers), Subject(study="ab12", subject_code="S01-001", visit="month-6"))
    assert chosen["study"] == "ab12"
    name = study_pb2.StudyName(trial="EXAMPLE-1", subject_code="S01-001", visit="month-6")
    assert answers.asked == [study_pb2.NameStudyRequest(study="ab12", name=name)]


async def test_what_the_trial_does_not_know_is_not_asked_for_nor_repeated() -> None:
    answers = Answers()
    for subject, words in (
        (Subject(subject_code="Lundqvist", visit="baseline"), "they look like S00-000"),
        (Subject(subject_code="S01-001", visit="19520229"), "baseline, month-6"),
    ):
        told = (await choose_study(LinkedTo(answers), subject))["trouble"]["words"]
        assert words in told
        assert not any(text in told for text in ("Lundqvist", "19520229"))
    assert answers.asked == []


async def test_without_a_protocol_it_is_said_why_no_study_is_kept() -> None:
    for state, words in ((GatewayState(is_there=True), NO_STUDIES), (GatewayState(), AWAY)):
        assert (await choose_study(LinkedTo(Answers(), state), TYPED))["trouble"]["words"] == words


async def test_a_study_that_somebody_else_has_named_says_so() -> None:
    taken = CallError("INVALID_ARGUMENT", "STUDY_MISMATCH", "", None)
    told = await choose_study(
        LinkedTo(Answers(named=taken)), Subject(study="ab12", subject_code="S01-001", visit="baseline")
    )
    assert told["trouble"]["reason"] == "STUDY_MISMATCH"
