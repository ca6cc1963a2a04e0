"""Codes that a report can say everything with."""

from __future__ import annotations

from services.acquisition.answer import CANNOT_TELL
from services.acquisition.report_codes import (
    FINDING_NAMES,
    FINDINGS,
    VERDICT,
    VERDICTS,
    VIEWS,
    coding_scheme,
)
from services.cine.validation.findings import FindingCode, Severity
from services.cine.views import ANSWERED_VIEWS, TARGET_VIEWS

PRIVATE = [VERDICT, *VERDICTS.values(), *FINDING_NAMES.values(), *FINDINGS.values(), VIEWS["OTHER"], VIEWS[CANNOT_TELL]]


def test_everything_that_can_be_said_has_a_code() -> None:
    assert set(VIEWS) == {*ANSWERED_VIEWS, CANNOT_TELL}
    assert (set(FINDINGS), set(FINDING_NAMES)) == (set(FindingCode), set(Severity))


def test_views_are_snomeds() -> None:
    """As CID 12226 of PS3.16 lists them."""
    listed = [(VIEWS[view].value, VIEWS[view].scheme_designator) for view in TARGET_VIEWS]
    assert listed == [(number, "SCT") for number in ("399232001", "399214001", "399139001", "399306005")]


def test_private_codes_differ_fit_and_belong_to_the_declared_scheme() -> None:
    assert {code.scheme_designator for code in PRIVATE} == {coding_scheme().CodingSchemeDesignator}
    assert len({code.value for code in PRIVATE}) == len({code.meaning for code in PRIVATE}) == len(PRIVATE)
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 and code.meaning.isascii() for code in PRIVATE)
