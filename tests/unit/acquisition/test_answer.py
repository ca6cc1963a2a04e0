"""The facts of an answer, and the JSON beside a report."""

from __future__ import annotations

import json

import pytest
from echoplane.v1 import view_pb2

from services.acquisition.answer import ReportRecord, read_answer
from services.cine.errors import ModelContractError, Reason
from tests.unit.acquisition.cases import ANSWERED_AT, ANSWERS, PLANTED, SHA256, TINT, reported, response


def test_the_json_says_what_the_answer_said() -> None:
    report = reported(response("PSAX", TINT))
    assert json.loads(report.json) == {
        "format": "echoplane.report/1",
        "notice": "Not a medical device. Not for diagnosis.",
        "report_uid": report.uid,
        "answered_at": ANSWERED_AT.isoformat(),
        "answer": {
            "verdict": "ACCEPTED",
            "findings": [{"code": TINT[0], "severity": TINT[1], "message": "About ABNORMAL_COLOURING."}],
            "view": "PSAX",
            "confidence": 0.9123,
            "probabilities": {"A2C": 0.02, "A4C": 0.02, "PLAX": 0.02, "PSAX": 0.9123, "OTHER": 0.02},
            "frame_count": 12,
            "frames": [0, 5, 11],
            "model": {
                "name": "view_classifier",
                "version": "1",
                "sha256": SHA256,
                "trained_on": "simulated",
                "abstain_below": 0.6,
            },
        },
    }


@pytest.mark.parametrize("case", ANSWERS)
def test_the_json_is_read_back_as_it_was_written(case: str) -> None:
    record = ReportRecord.model_validate_json(reported(ANSWERS[case]).json)
    assert record.answer == read_answer(ANSWERS[case])


def test_a_model_that_abstains_and_one_that_was_not_asked_are_told_apart() -> None:
    assert read_answer(ANSWERS["abstained"]).view == "CANNOT_TELL"
    silent = read_answer(ANSWERS["rejected without a view"])
    assert (silent.view, silent.confidence, silent.probabilities) == (None, None, {})


@pytest.mark.parametrize(
    "wrong",
    [
        view_pb2.PredictViewResponse(),
        view_pb2.PredictViewResponse(view=99),  # type: ignore[arg-type]
        view_pb2.PredictViewResponse(confidence=float("nan")),
        view_pb2.PredictViewResponse(findings=[view_pb2.Finding(code=99)]),  # type: ignore[arg-type]
        view_pb2.PredictViewResponse(model=view_pb2.Model(sha256="short")),
    ],
)
def test_an_answer_of_another_version_is_a_typed_error(wrong: view_pb2.PredictViewResponse) -> None:
    message = response() if wrong.ByteSize() else view_pb2.PredictViewResponse()
    message.MergeFrom(wrong)
    with pytest.raises(ModelContractError) as caught:
        read_answer(message)
    assert caught.value.reason is Reason.MODEL_CONTRACT


@pytest.mark.parametrize("case", ANSWERS)
def test_the_json_names_neither_person_nor_study(case: str) -> None:
    text = reported(ANSWERS[case]).json.decode()
    assert not any(value in text for value in PLANTED)
