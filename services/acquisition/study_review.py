"""What a study has and what it still misses: a function of its cines, the trial's protocol and the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.acquisition.protocol import RequiredView, TrialProtocol
from services.acquisition.studies import StudyCine
from services.cine.validation.findings import Finding, FindingCode, Severity
from services.cine.views import ANSWERED_VIEWS, View


class ReviewState(StrEnum):
    """Whether more is expected."""

    OPEN = "OPEN"
    FINAL = "FINAL"


@dataclass(frozen=True)
class ViewReview:
    """How far one required view is.

    Attributes:
        required: what the protocol asks.
        present: cines that show it, usable or not.
        accepted: those of them that count: usable, and told with the confidence that is asked.
        uncertain: those of them that are usable, and told with less.
    """

    required: RequiredView
    present: int
    accepted: int
    uncertain: int

    @property
    def missing(self) -> int:
        """Accepted cines that are still needed."""
        return max(0, self.required.accepted_cines - self.accepted)


@dataclass(frozen=True)
class Rejection:
    """Why cines were rejected.

    Attributes:
        view: that they show, None where none was told.
        finding: which, in the words of the newest of them, and what to do.
        count: of cines that have it.
    """

    view: View | None
    finding: Finding
    count: int


@dataclass(frozen=True)
class StudyReview:
    """What a study has and what it still misses.

    Attributes:
        state: whether more is expected.
        final_s: when it is, or was, final unless another cine comes, seconds since 1970.
        cines: all that came.
        unnamed: usable ones of which no view could be told.
        views: those the protocol asks for, in its order.
        rejections: by view and finding.
    """

    state: ReviewState
    final_s: float
    cines: int
    unnamed: int
    views: tuple[ViewReview, ...]
    rejections: tuple[Rejection, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not any(view.missing for view in self.views)


def review_study(protocol: TrialProtocol, cines: Sequence[StudyCine], now_s: float) -> StudyReview:
    """Hold the cines of a study against what its trial asks; their order does not matter.

    Args:
        protocol: of the trial.
        cines: at least one.
        now_s: the time, seconds since 1970.
    """
    final_s = max(cine.received_s for cine in cines) + protocol.quiet_time_s
    return StudyReview(
        state=ReviewState.FINAL if now_s >= final_s else ReviewState.OPEN,
        final_s=final_s,
        cines=len(cines),
        unnamed=sum(cine.is_accepted and cine.view is None for cine in cines),
        views=tuple(_review_view(required, cines) for required in protocol.required_views),
        rejections=tuple(_rejections(cines)),
    )


def _review_view(required: RequiredView, cines: Iterable[StudyCine]) -> ViewReview:
    present = [cine for cine in cines if cine.view is required.view]
    usable = [cine for cine in present if cine.is_accepted]
    accepted = sum(cine.confidence >= required.least_confidence for cine in usable)
    return ViewReview(required, len(present), accepted, len(usable) - accepted)


def _rejections(cines: Iterable[StudyCine]) -> Iterable[Rejection]:
    oldest_first = sorted(cines, key=lambda cine: (cine.received_s, cine.sha256))
    for view in (*ANSWERED_VIEWS, None):
        for code in FindingCode:
            found = [
                finding
                for cine in oldest_first
                if cine.view is view
                for finding in cine.findings
                if finding.code is code and finding.severity is Severity.REJECT
            ]
            if found:
                yield Rejection(view, found[-1], len(found))
