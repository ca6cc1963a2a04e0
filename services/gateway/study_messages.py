"""The messages of StudyService: identifiers checked, reviews put on the wire."""

from __future__ import annotations

from echoplane.v1 import study_pb2

from services.acquisition.studies import StudyName
from services.acquisition.study_review import Rejection, StudyReview, ViewReview
from services.cine.errors import Reason, RequestInvalidError
from services.gateway.view_service import IDENTIFIER, to_finding, to_view


def checked_study_id(study_id: str) -> str:
    """Give the UID of a study that is well formed.

    Raises:
        RequestInvalidError: it is not.
    """
    if not study_id or not IDENTIFIER.fullmatch(study_id):
        raise RequestInvalidError(
            Reason.REQUEST_MALFORMED,
            found="a malformed study_id",
            expected="1 to 64 of [A-Za-z0-9._-]",
            advice="Send the one of the study's cines (proto/echoplane/v1/study.proto).",
        )
    return study_id


def to_review(name: StudyName, review: StudyReview) -> study_pb2.StudyReview:
    """Put a review on the wire."""
    message = study_pb2.StudyReview(
        trial=name.trial,
        subject_code=name.subject_code,
        visit=name.visit,
        state=f"REVIEW_STATE_{review.state}",
        cines=review.cines,
        unnamed=review.unnamed,
        views=[_to_view_review(each) for each in review.views],
        rejections=[_to_rejection(each) for each in review.rejections],
    )
    message.final_time.FromMilliseconds(round(review.final_s * 1000))
    return message


def _to_view_review(review: ViewReview) -> study_pb2.ViewReview:
    return study_pb2.ViewReview(
        view=to_view(review.required.view),
        required=review.required.accepted_cines,
        least_confidence=review.required.least_confidence,
        present=review.present,
        accepted=review.accepted,
        uncertain=review.uncertain,
        missing=review.missing,
    )


def _to_rejection(rejection: Rejection) -> study_pb2.Rejection:
    return study_pb2.Rejection(
        view=to_view(rejection.view), finding=to_finding(rejection.finding), count=rejection.count
    )
