"""What the page is told of an answer and of a review."""

from __future__ import annotations

import pytest
from echoplane.v1 import study_pb2, view_pb2

from services.acquisition.console.shown import (
    ANOTHER_VIEW,
    CANNOT_TELL,
    NOT_ASKED_FOR,
    USABLE,
    show_answer,
    show_finding,
    show_protocol,
    show_review,
    show_summary,
)
from services.acquisition.console.words import FINDINGS
from services.cine.validation.findings import FindingCode
from tests.unit.acquisition.console.linking import PROTOCOL

REQUIRED = PROTOCOL.required_views


def answer(
    view: str = "A4C", confidence: float = 0.9, verdict: str = "ACCEPTED", *codes: str
) -> view_pb2.PredictViewResponse:
    findings = [
        view_pb2.Finding(code=f"FINDING_CODE_{code}", message="words of the gateway", severity=f"SEVERITY_{severity}")
        for code, _, severity in (code.partition(" ") for code in codes)
    ]
    return view_pb2.PredictViewResponse(
        verdict=f"VERDICT_{verdict}",
        view=f"VIEW_{view}",
        confidence=confidence,
        findings=findings,
        probabilities=[view_pb2.ViewProbability(view=f"VIEW_{view}", probability=confidence)],
    )


@pytest.mark.parametrize(
    ("view", "confidence", "state", "sentence"),
    [
        ("A4C", 0.9, "counts", "Counts as A4C."),
        ("A4C", 0.6, "unsure", "Not sure enough (the trial needs 70%): improve the window and repeat."),
        ("PSAX", 0.9, "usable", NOT_ASKED_FOR),
        ("OTHER", 0.9, "unsure", ANOTHER_VIEW),
        ("UNSPECIFIED", 0.3, "unsure", CANNOT_TELL),
    ],
)
def test_a_usable_cine_counts_as_the_trial_asks(view: str, confidence: float, state: str, sentence: str) -> None:
    shown = show_answer(answer(view, confidence), REQUIRED)
    assert (shown["state"], shown["sentences"]) == (state, [sentence])


def test_without_a_trial_a_view_is_usable() -> None:
    assert show_answer(answer(), [])["sentences"] == [USABLE]


def test_a_rejection_says_what_to_do_before_what_else_was_seen() -> None:
    seen = answer("A4C", 0.8, "REJECTED", "ABNORMAL_COLOURING WARNING", "COLOUR_DOPPLER REJECT")
    shown = show_answer(seen, REQUIRED)
    assert (shown["state"], shown["view"], shown["confidence"]) == ("rejected", "A4C", "80%")
    assert shown["sentences"] == [FINDINGS[FindingCode.COLOUR_DOPPLER], FINDINGS[FindingCode.ABNORMAL_COLOURING]]


def test_no_view_is_named_where_none_was_told_and_none_too_surely() -> None:
    assert show_answer(answer("UNSPECIFIED", 0.3), REQUIRED)["view"] == "Cannot tell"
    assert show_answer(view_pb2.PredictViewResponse(verdict="VERDICT_REJECTED"), REQUIRED)["view"] == ""
    assert show_answer(answer("A4C", 0.999), REQUIRED)["confidence"] == ">99%"


def test_a_finding_of_a_later_version_keeps_the_gateways_words() -> None:
    later = view_pb2.Finding(code=99, message="Something new. Repeat.")  # type: ignore[arg-type]
    assert show_finding(later) == "Something new. Repeat."


def test_a_review_is_told_view_by_view() -> None:
    review = study_pb2.StudyReview(
        subject_code="S01-001",
        state="REVIEW_STATE_FINAL",
        views=[study_pb2.ViewReview(view="VIEW_A4C", required=2, accepted=1, uncertain=1, missing=1)],
        rejections=[study_pb2.Rejection(finding=view_pb2.Finding(code="FINDING_CODE_STILL"), count=2)],
    )
    shown = show_review(review)
    counted = {"required": 2, "accepted": 1, "uncertain": 1, "missing": 1}
    assert shown["views"] == [{"view": "A4C", "name": "Apical four-chamber", **counted}]
    assert shown["rejections"] == [{"view": "", "sentence": FINDINGS[FindingCode.STILL], "count": 2}]
    assert shown["is_final"]


def test_a_protocol_is_shown_as_a_study_that_has_nothing() -> None:
    views = show_protocol(PROTOCOL)["views"]
    assert [(each["view"], each["accepted"], each["missing"]) for each in views] == [("A4C", 0, 2), ("PLAX", 0, 1)]


def test_a_study_of_the_list_has_the_time_of_its_last_cine() -> None:
    study = study_pb2.StudySummary(study="ab", cines=3)
    study.last_cine_time.FromMilliseconds(1_500)
    assert show_summary(study)["last_s"] == 1.5
