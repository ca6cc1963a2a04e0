"""The messages of StudyService: which study is asked for, and what is told of it and of its trial."""

from __future__ import annotations

from dataclasses import asdict

from echoplane.v1 import study_pb2

from services.acquisition.protocol import TrialProtocol
from services.acquisition.studies import Study, StudyName
from services.acquisition.study_review import Rejection, StudyReview, ViewReview
from services.cine.errors import Reason, RequestInvalidError
from services.gateway.view_service import IDENTIFIER, to_finding, to_view

Keyed = study_pb2.GetStudyReviewRequest | study_pb2.WatchStudyReviewRequest | study_pb2.NameStudyRequest


def read_key(request: Keyed) -> tuple[str, str]:
    """Give which study is asked for: its UID, or what ListStudies calls it, and the other one empty.

    Raises:
        RequestInvalidError: it says neither, or one that is malformed.
    """
    study_id, study = request.study_id, request.study
    if not (study_id or study) or not (IDENTIFIER.fullmatch(study_id) and IDENTIFIER.fullmatch(study)):
        raise RequestInvalidError(
            Reason.REQUEST_MALFORMED,
            found="a malformed study_id or study, or neither",
            expected="1 to 64 of [A-Za-z0-9._-]",
            advice="Send the study_id of the study's cines, or the study of ListStudies.",
        )
    return study_id, study


def read_names(request: study_pb2.NameStudyRequest) -> tuple[StudyName, StudyName]:
    """Give the name that a study is to have, and the one that it has now."""
    name, replaced = request.name, request.replaces
    return (
        StudyName(name.trial, name.subject_code, name.visit),
        StudyName(name.trial, replaced.subject_code, replaced.visit),
    )


def to_protocol(protocol: TrialProtocol) -> study_pb2.TrialProtocol:
    """Put a trial's protocol on the wire."""
    message = study_pb2.TrialProtocol(
        trial=protocol.trial,
        subject_code=protocol.subject_code,
        visits=protocol.visits,
        required_views=[
            study_pb2.RequiredView(
                view=to_view(required.view),
                accepted_cines=required.accepted_cines,
                least_confidence=required.least_confidence,
            )
            for required in protocol.required_views
        ],
    )
    message.quiet_time.FromMilliseconds(round(protocol.quiet_time_s * 1000))
    return message


def to_summary(study: Study, review: StudyReview) -> study_pb2.StudySummary:
    """Put an entry of a list on the wire."""
    message = study_pb2.StudySummary(
        study=study.study,
        name=study_pb2.StudyName(**asdict(study.name)),
        cines=review.cines,
        state=f"REVIEW_STATE_{review.state}",
        is_complete=review.is_complete,
    )
    message.last_cine_time.FromMilliseconds(round(study.last_s * 1000))
    return message


def to_review(study: Study, review: StudyReview) -> study_pb2.StudyReview:
    """Put a review on the wire."""
    message = study_pb2.StudyReview(
        **asdict(study.name),
        state=f"REVIEW_STATE_{review.state}",
        cines=review.cines,
        unnamed=review.unnamed,
        views=[_to_view_review(each) for each in review.views],
        rejections=[_to_rejection(each) for each in review.rejections],
        study=study.study,
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
