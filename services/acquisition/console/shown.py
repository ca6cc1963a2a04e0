"""What came from the gateway, as the page shows it: plain values, and every word that a person reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from echoplane.v1 import study_pb2, view_pb2

from services.acquisition.console.link import GatewayState
from services.acquisition.console.words import FINDINGS, Trouble
from services.cine.validation.findings import FindingCode

VIEW_NAMES = {
    view_pb2.VIEW_A2C: "Apical two-chamber",
    view_pb2.VIEW_A4C: "Apical four-chamber",
    view_pb2.VIEW_PLAX: "Parasternal long axis",
    view_pb2.VIEW_PSAX: "Parasternal short axis",
}
MOST_SHOWN = 0.99
"""No screen claims more certainty: the calibration rests on simulated cines."""

CANNOT_TELL = "Cannot tell the view: improve the window and repeat."
ANOTHER_VIEW = "Another view than the four: move the probe and repeat, if one of the four was meant."
NOT_ASKED_FOR = "Usable. The trial does not ask for this view."
USABLE = "Usable."


def show_answer(answer: view_pb2.PredictViewResponse, required: Iterable[study_pb2.RequiredView]) -> dict[str, Any]:
    """Say what a cine got.

    Args:
        answer: of the gateway.
        required: what the trial asks for; empty where there is no trial.

    Returns:
        `state` (counts, usable, unsure, rejected), `view` and `confidence` in words or empty, and `sentences`.
    """
    state, sentence = _judged(answer, {each.view: each.least_confidence for each in required})
    is_told = answer.view != view_pb2.VIEW_UNSPECIFIED
    return {
        "state": state,
        "view": show_view(answer.view) if is_told else ("Cannot tell" if answer.probabilities else ""),
        "name": VIEW_NAMES.get(answer.view, ""),
        "confidence": share(answer.confidence) if is_told else "",
        "sentences": [*([sentence] if sentence else []), *map(show_finding, _worst_first(answer.findings))],
    }


def _judged(answer: view_pb2.PredictViewResponse, least: dict[int, float]) -> tuple[str, str]:
    """Give the state of a cine, and the sentence that goes with it beside those of its findings."""
    if answer.verdict != view_pb2.VERDICT_ACCEPTED:
        return "rejected", ""
    if answer.view not in VIEW_NAMES:
        return "unsure", CANNOT_TELL if answer.view == view_pb2.VIEW_UNSPECIFIED else ANOTHER_VIEW
    needed = least.get(answer.view)
    if needed is None:
        return "usable", NOT_ASKED_FOR if least else USABLE
    if answer.confidence < needed:
        return "unsure", f"Not sure enough (the trial needs {needed:.0%}): improve the window and repeat."
    return "counts", f"Counts as {show_view(answer.view)}."


def show_gateway(state: GatewayState) -> dict[str, Any]:
    """Say how the gateway is, and what its trial asks for."""
    return {
        "is_there": state.is_there,
        "words": state.words,
        "has_studies": state.has_studies,
        "has_generator": state.has_generator,
        "trained_on": state.trained_on,
        "model_sha256": state.model_sha256,
        "protocol": None if state.protocol is None else show_protocol(state.protocol),
    }


def show_review(review: study_pb2.StudyReview) -> dict[str, Any]:
    """Say what a study has, and what it still misses."""
    return {
        "study": review.study,
        "subject_code": review.subject_code,
        "visit": review.visit,
        "is_final": review.state == study_pb2.REVIEW_STATE_FINAL,
        "cines": review.cines,
        "views": [
            _show_required(each.view, each.required, each.accepted, each.uncertain, each.missing)
            for each in review.views
        ],
        "rejections": [
            {
                "view": show_view(each.view) if each.view else "",
                "sentence": show_finding(each.finding),
                "count": each.count,
            }
            for each in review.rejections
        ],
        "unnamed": review.unnamed,
    }


def show_protocol(protocol: study_pb2.TrialProtocol) -> dict[str, Any]:
    """Say what a trial asks for, and how its studies are named."""
    return {
        "trial": protocol.trial,
        "subject_code": protocol.subject_code,
        "visits": list(protocol.visits),
        "views": [
            _show_required(each.view, each.accepted_cines, 0, 0, each.accepted_cines)
            for each in protocol.required_views
        ],
    }


def show_summary(study: study_pb2.StudySummary) -> dict[str, Any]:
    """Say which study it is, in a list."""
    return {
        "study": study.study,
        "subject_code": study.name.subject_code,
        "visit": study.name.visit,
        "cines": study.cines,
        "last_s": study.last_cine_time.ToMilliseconds() / 1000,
        "is_complete": study.is_complete,
        "is_final": study.state == study_pb2.REVIEW_STATE_FINAL,
    }


def show_trouble(trouble: Trouble) -> dict[str, Any]:
    """Say what went wrong."""
    return {"reason": trouble.reason, "words": trouble.words, "retry_after_s": trouble.retry_after_s}


def show_view(view: int) -> str:
    """Give a view's short name; of one that this version does not know, a word that says so."""
    if view == view_pb2.VIEW_OTHER:
        return "Other view"
    return view_pb2.View.Name(view).removeprefix("VIEW_") if view in view_pb2.View.values() else "Unknown view"


def show_finding(finding: view_pb2.Finding) -> str:
    """Say what a finding asks of the operator; one that this version does not know keeps the gateway's words."""
    if finding.code not in view_pb2.FindingCode.values():
        return finding.message
    name = view_pb2.FindingCode.Name(finding.code).removeprefix("FINDING_CODE_")
    return FINDINGS[FindingCode(name)] if name in set(FindingCode) else finding.message


def share(confidence: float) -> str:
    """Write a confidence as a percentage, no higher than ">99%"."""
    return f">{MOST_SHOWN:.0%}" if confidence > MOST_SHOWN else f"{confidence:.0%}"


def _worst_first(findings: Iterable[view_pb2.Finding]) -> list[view_pb2.Finding]:
    return sorted(findings, key=lambda finding: finding.severity != view_pb2.SEVERITY_REJECT)


def _show_required(view: int, required: int, accepted: int, uncertain: int, missing: int) -> dict[str, Any]:
    return {
        "view": show_view(view),
        "name": VIEW_NAMES.get(view, ""),  # type: ignore[call-overload]
        "required": required,
        "accepted": accepted,
        "uncertain": uncertain,
        "missing": missing,
    }
