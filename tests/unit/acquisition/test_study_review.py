"""Laws of a review: what it may depend on, what adds up, and what never gets worse."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.acquisition.studies import StudyCine
from services.acquisition.study_review import Rejection, ReviewState, StudyReview, review_study
from services.cine.validation.findings import Finding, FindingCode, Severity
from services.cine.views import View
from tests.unit.acquisition.studying import COLOUR, PROTOCOL, TINT, cine

QUIET_S = PROTOCOL.quiet_time_s
FINDINGS = st.builds(Finding, st.sampled_from(FindingCode), st.sampled_from("ab"), st.sampled_from(Severity))
CINES = st.lists(
    st.builds(
        cine,
        st.integers(0, 10**6),
        st.none() | st.sampled_from(View),
        st.floats(0.0, 1.0),
        st.lists(FINDINGS, max_size=2, unique_by=lambda finding: finding.code).map(tuple),
        st.floats(0.0, 1e9),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each.sha256,
)


def missing(review: StudyReview) -> dict[View, int]:
    return {each.required.view: each.missing for each in review.views}


@given(CINES, st.randoms(use_true_random=False), st.floats(0.0, 2e9))
def test_the_order_of_arrival_does_not_matter(cines: list[StudyCine], rng: object, now_s: float) -> None:
    shuffled = cines[:]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert review_study(PROTOCOL, shuffled, now_s) == review_study(PROTOCOL, cines, now_s)


@given(CINES, st.sampled_from(View), st.floats(0.0, 1.0))
def test_one_more_accepted_cine_makes_no_view_more_missing(
    cines: list[StudyCine], view: View, confidence: float
) -> None:
    before = missing(review_study(PROTOCOL, cines, 0.0))
    after = missing(review_study(PROTOCOL, [*cines, cine(-1, view, confidence)], 0.0))
    assert all(after[each] <= before[each] for each in before)


@given(CINES, st.sampled_from(View), FINDINGS.filter(lambda finding: finding.severity is Severity.REJECT))
def test_one_more_rejected_cine_changes_nothing_that_is_missing(
    cines: list[StudyCine], view: View, finding: Finding
) -> None:
    more = [*cines, cine(-1, view, 1.0, (finding,))]
    assert missing(review_study(PROTOCOL, more, 0.0)) == missing(review_study(PROTOCOL, cines, 0.0))


@given(CINES)
def test_every_cine_of_a_view_is_accepted_uncertain_or_rejected(cines: list[StudyCine]) -> None:
    review = review_study(PROTOCOL, cines, 0.0)
    assert review.cines == len(cines)
    for each in review.views:
        rejected = [one for one in cines if one.view is each.required.view and not one.is_accepted]
        assert each.present == each.accepted + each.uncertain + len(rejected)
        assert each.missing == max(0, each.required.accepted_cines - each.accepted)


@given(CINES)
def test_every_rejecting_finding_is_told_once_with_its_view(cines: list[StudyCine]) -> None:
    found = review_study(PROTOCOL, cines, 0.0).rejections
    all_of_them = [finding for one in cines for finding in one.findings if finding.severity is Severity.REJECT]
    assert sum(rejection.count for rejection in found) == len(all_of_them)
    assert len({(rejection.view, rejection.finding.code) for rejection in found}) == len(found)
    assert {rejection.finding for rejection in found} <= set(all_of_them)


@given(CINES, st.floats(0.0, 2e9))
def test_a_review_is_final_after_the_quiet_time_and_open_again_with_a_late_cine(
    cines: list[StudyCine], now_s: float
) -> None:
    review = review_study(PROTOCOL, cines, now_s)
    is_quiet = all(now_s >= one.received_s + QUIET_S for one in cines)
    assert (review.state is ReviewState.FINAL) == is_quiet
    late = review_study(PROTOCOL, [*cines, cine(-1, received_s=now_s)], now_s)
    assert late.state is ReviewState.OPEN
    assert review_study(PROTOCOL, cines, late.final_s + 1e9).state is ReviewState.FINAL


def test_the_quiet_time_runs_from_the_last_cine() -> None:
    cines = [cine(1, received_s=1_000.0), cine(2, received_s=40.0)]
    for now_s, state in ((1_000.0 + QUIET_S - 0.001, ReviewState.OPEN), (1_000.0 + QUIET_S, ReviewState.FINAL)):
        assert review_study(PROTOCOL, cines, now_s).state is state


def test_a_cine_counts_from_the_least_confidence_on() -> None:
    cines = [cine(1, confidence=0.7), cine(2, confidence=0.699), cine(3, findings=(TINT,)), cine(4, findings=(COLOUR,))]
    four, plax = review_study(PROTOCOL, cines, 0.0).views
    assert (four.present, four.accepted, four.uncertain, four.missing) == (4, 2, 1, 0)
    assert (plax.present, plax.accepted, plax.uncertain, plax.missing) == (0, 0, 0, 1)


def test_a_usable_cine_without_a_view_is_told_apart_from_other_planes() -> None:
    review = review_study(PROTOCOL, [cine(1, None, 0.3), cine(2, View.OTHER), cine(3, None, 0.0, (COLOUR,))], 0.0)
    assert (review.cines, review.unnamed) == (3, 1)
    assert missing(review) == {View.A4C: 2, View.PLAX: 1}


def test_a_rejection_is_told_in_the_words_of_the_newest() -> None:
    newer = replace(COLOUR, message="Colour again. Send it without.")
    cines = [cine(1, findings=(newer,), received_s=2.0), cine(2, findings=(COLOUR,), received_s=1.0)]
    assert review_study(PROTOCOL, cines, 0.0).rejections == (Rejection(View.A4C, newer, 2),)
