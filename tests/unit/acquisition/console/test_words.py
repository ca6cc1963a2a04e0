"""The sentences are all there, short, and say what to do; an operator gets no other words."""

from __future__ import annotations

import pytest
from echoplane.v1 import view_pb2

from services.acquisition.console.words import AWAY, FINDINGS, REASONS, SHUT_OUT, refusal, trouble
from services.cine.errors import Reason
from services.cine.validation.findings import FindingCode
from services.client import CallError

LONGEST = 110


def test_every_finding_has_a_sentence_of_its_own_and_so_has_the_wire() -> None:
    on_the_wire = {name.removeprefix("FINDING_CODE_") for name in view_pb2.FindingCode.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert set(FINDINGS) == set(FindingCode) == on_the_wire
    assert len(set(FINDINGS.values())) == len(FINDINGS)


def test_every_reason_has_a_sentence() -> None:
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("sentence", [*FINDINGS.values(), *REASONS.values(), AWAY, SHUT_OUT])
def test_a_sentence_is_one_and_short(sentence: str) -> None:
    assert len(sentence) <= LONGEST
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert sentence.count(".") == 1


@pytest.mark.parametrize("sentence", FINDINGS.values())
def test_what_was_found_is_followed_by_what_to_do(sentence: str) -> None:
    found, colon, to_do = sentence.partition(": ")
    assert found
    assert colon
    assert to_do[0].islower()


def test_a_colour_box_is_told_as_an_operator_would_tell_it() -> None:
    assert FINDINGS[FindingCode.COLOUR_DOPPLER] == "Colour box is on: repeat in B-mode."


@pytest.mark.parametrize(
    ("error", "words", "retry_after_s"),
    [
        (CallError("UNAVAILABLE", "", "", None), AWAY, 2.0),
        (CallError("RESOURCE_EXHAUSTED", "QUEUE_FULL", "", 7.5), REASONS[Reason.QUEUE_FULL], 7.5),
        (CallError("INVALID_ARGUMENT", "PIXELS_DAMAGED", "", None), REASONS[Reason.PIXELS_DAMAGED], None),
        (CallError("PERMISSION_DENIED", "METHOD_DENIED", "", None), REASONS[Reason.METHOD_DENIED], None),
        (CallError("INTERNAL", "", "", None), REASONS[Reason.CONFIG], None),
        (CallError("INTERNAL", "OF_A_LATER_VERSION", "", None), REASONS[Reason.CONFIG], None),
    ],
)
def test_trouble_says_whether_the_page_tries_again(error: CallError, words: str, retry_after_s: float | None) -> None:
    told = trouble(error)
    assert (told.words, told.retry_after_s) == (words, retry_after_s)


def test_the_gateways_own_words_go_no_further() -> None:
    told = trouble(CallError("INVALID_ARGUMENT", "STUDY_MISMATCH", "Lundqvist^Astrid", None))
    assert "Lundqvist" not in str(told)
    assert refusal(Reason.LIMIT_BYTES).reason == Reason.LIMIT_BYTES
