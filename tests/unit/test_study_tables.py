"""What a person reads of studies: what is missing, why cines were rejected, and no more letters than are needed."""

from __future__ import annotations

import io
from typing import Any

from echoplane.v1 import study_pb2
from rich.console import Console

from services.study_tables import print_review, print_studies

A4C = {"view": "VIEW_A4C", "required": 2, "present": 4, "accepted": 1, "uncertain": 2, "missing": 1}
PLAX = {"view": "VIEW_PLAX", "required": 1, "present": 1, "accepted": 1}
COLOUR = {
    "view": "VIEW_A4C",
    "finding": {"code": "FINDING_CODE_COLOUR_DOPPLER", "message": "Colour is on. Repeat in [B-mode]."},
    "count": 2,
}
NAMED = {"trial": "EXAMPLE-1", "subject_code": "S01-001", "visit": "baseline"}


def shown(what: Any, *given: Any) -> str:
    console = Console(file=io.StringIO(), width=100)
    what(console, *given)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def review(**fields: Any) -> study_pb2.StudyReview:
    return study_pb2.StudyReview(**NAMED | {"state": "REVIEW_STATE_OPEN", "views": [A4C, PLAX]} | fields)


def test_a_review_says_what_is_missing_and_why_cines_were_rejected() -> None:
    text = shown(print_review, review(rejections=[COLOUR], unnamed=1))
    assert "S01-001 baseline: open, final at" in text
    assert "A4C │ 2 │ 1 │ 1 │ 2 │ 1" in text
    assert "PLAX │ 1 │ 1 │ │ │ │" in text
    assert "Still missing: 1 A4C." in text
    assert "COLOUR_DOPPLER (2 cines of A4C): Colour is on. Repeat in [B-mode]." in text
    assert "of 1 cine that can be used" in text


def test_a_review_that_misses_nothing_says_so() -> None:
    text = shown(print_review, review(views=[PLAX], state="REVIEW_STATE_FINAL", subject_code="", visit=""))
    assert "Nothing is missing." in text
    assert "not named yet: final since" in text


def test_a_list_tells_studies_apart_named_or_not() -> None:
    studies = [
        study_pb2.StudySummary(study="0123456789abcdef" * 4, name={"trial": "EXAMPLE-1"}, cines=3),
        study_pb2.StudySummary(study="f" * 64, name=NAMED, state="REVIEW_STATE_FINAL", is_complete=True),
    ]
    text = shown(print_studies, studies)
    assert "0123456789 │ not named yet │ 3 │" in text
    assert "open, incomplete" in text
    assert "S01-001 baseline │ 0 │" in text
    assert "final, complete" in text
    assert "0123456789a" not in text
