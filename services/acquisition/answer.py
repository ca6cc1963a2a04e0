"""What is reported of one object: the facts of the service's answer, and the JSON that lies beside the report."""

from __future__ import annotations

from typing import Annotated, Literal

from echoplane.v1 import view_pb2
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.cine.errors import ModelContractError
from services.cine.validation.findings import FindingCode, Severity
from services.cine.views import View

NOTICE = "Not a medical device. Not for diagnosis."
"""Stands in every report."""

CANNOT_TELL = "CANNOT_TELL"
"""The view where the model abstains."""

_DECIMALS = 4
_Share = Annotated[float, Field(ge=0, le=1)]
_Words = Annotated[str, Field(max_length=64)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportedFinding(_Facts):
    """One thing that validation saw; the message says what to do."""

    code: FindingCode
    severity: Severity
    message: str


class ReportedModel(_Facts):
    """Which weights answered, on what they were trained, and under which confidence they name no view."""

    name: _Words
    version: _Words
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    trained_on: str
    abstain_below: _Share


class ReportedAnswer(_Facts):
    """What the service said of one object; nothing in it names a person.

    Attributes:
        verdict: whether the cine can be used for a view decision.
        findings: what validation saw, warnings among it.
        view: one of the four, OTHER, CANNOT_TELL where the model abstains, None where it was not asked.
        confidence: of the most probable view, also where the model abstains; None where it was not asked.
        probabilities: of each view; none where the model was not asked.
        frame_count: frames of the cine.
        frames: those the model saw, counted from 0.
        model: that answered, or would have.
    """

    verdict: Literal["ACCEPTED", "REJECTED"]
    findings: tuple[ReportedFinding, ...]
    view: View | Literal["CANNOT_TELL"] | None
    confidence: _Share | None
    probabilities: dict[View, _Share]
    frame_count: int = Field(ge=1)
    frames: tuple[int, ...]
    model: ReportedModel


class ReportRecord(_Facts):
    """The JSON beside a report. Fields are added, never renamed or given another meaning, while `format` stays.

    Attributes:
        format: of this JSON.
        notice: what it is not.
        report_uid: SOP Instance UID of the report; the only way from here to study and patient.
        answered_at: when the service answered, with the offset of the site's clock.
        answer: what it said.
    """

    format: Literal["echoplane.report/1"] = "echoplane.report/1"
    notice: str = NOTICE
    report_uid: str
    answered_at: AwareDatetime
    answer: ReportedAnswer


def read_answer(response: view_pb2.PredictViewResponse) -> ReportedAnswer:
    """Take the facts from an answer of the gateway.

    Raises:
        ModelContractError: it says what this version does not know, or is not whole.
    """
    was_asked = bool(response.probabilities)
    model = response.model
    try:
        return ReportedAnswer(
            verdict=view_pb2.Verdict.Name(response.verdict).removeprefix("VERDICT_"),
            findings=[_finding(finding) for finding in response.findings],
            view=_view(response.view) if was_asked else None,
            confidence=round(response.confidence, _DECIMALS) if was_asked else None,
            probabilities={_view(p.view): round(p.probability, _DECIMALS) for p in response.probabilities},
            frame_count=response.cine.frame_count,
            frames=[frame.index for frame in response.frames],
            model=ReportedModel(
                name=model.name,
                version=model.version,
                sha256=model.sha256,
                trained_on=model.trained_on,
                abstain_below=round(model.abstain_below, _DECIMALS),
            ),
        )
    except ValueError as error:  # pydantic's and protobuf's are both
        raise ModelContractError(
            found="an answer that is not whole, or says what this version does not know",
            expected="a PredictViewResponse as proto/echoplane/v1/view.proto describes it",
            advice="Run gateway and client of the same version.",
        ) from error


def _finding(finding: view_pb2.Finding) -> ReportedFinding:
    return ReportedFinding(
        code=view_pb2.FindingCode.Name(finding.code).removeprefix("FINDING_CODE_"),
        severity=view_pb2.Severity.Name(finding.severity).removeprefix("SEVERITY_"),
        message=finding.message,
    )


def _view(number: view_pb2.View) -> str:
    return view_pb2.View.Name(number).removeprefix("VIEW_") if number else CANNOT_TELL
