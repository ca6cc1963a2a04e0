"""What a file got, for people: in a table, in words, in a picture, in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from echoplane.v1 import view_pb2
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cine.cine import UInt8Array
from services.cine.intake import Intake
from services.pictures import draw_answer

MOST_SHOWN = 0.99
"""No table or picture claims more certainty: the calibration rests on simulated cines."""


@dataclass(frozen=True)
class Answer:
    """What one file got: a response or an error.

    Attributes:
        path: the file.
        name: how to call it: its path below the folder that was asked for.
        response: the answer, or None.
        reason: of the error, or empty.
        error: its message, or empty.
    """

    path: Path
    name: str
    response: view_pb2.PredictViewResponse | None
    reason: str = ""
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the answer in JSON's types."""
        if self.response is None:
            return {"file": str(self.path), "verdict": "ERROR", "reason": self.reason, "error": self.error}
        fields = MessageToDict(
            self.response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        return {"file": str(self.path), **fields}

    @property
    def verdict(self) -> str:
        """ACCEPTED, REJECTED or ERROR."""
        if self.response is None:
            return "ERROR"
        return view_pb2.Verdict.Name(self.response.verdict).removeprefix("VERDICT_")

    @property
    def view(self) -> str:
        """The view's name, "cannot tell" when the model abstains, or a dash when it did not run."""
        if self.response is None or not self.response.probabilities:
            return "-"
        name = view_pb2.View.Name(self.response.view).removeprefix("VIEW_")
        return "cannot tell" if name == "UNSPECIFIED" else name

    @property
    def confidence(self) -> str:
        """The confidence, beside what it takes where the model abstains; a dash when it did not run."""
        if self.response is None or not self.response.probabilities:
            return "-"
        needed = "" if self.response.view else f" (needs {self.response.model.abstain_below:.0%})"
        return share(self.response.confidence) + needed

    @property
    def codes(self) -> list[str]:
        """What was found: codes of findings, or the reason of the error."""
        if self.response is None:
            return [self.reason]
        return [view_pb2.FindingCode.Name(f.code).removeprefix("FINDING_CODE_") for f in self.response.findings]

    @property
    def why(self) -> str:
        """Findings or the error, in words."""
        if self.response is None:
            return self.error
        return " ".join(finding.message for finding in self.response.findings)


def share(confidence: float) -> str:
    """Write a confidence as a percentage, no higher than ">99%"."""
    return f">{MOST_SHOWN:.0%}" if confidence > MOST_SHOWN else f"{confidence:.0%}"


def draw(answer: Answer, intake: Intake) -> UInt8Array:
    """Draw an answer: its title and the frames the model saw, RGB [H, W, 3]."""
    response = answer.response or view_pb2.PredictViewResponse()
    parts = [f"{answer.view} {answer.confidence}" if response.probabilities else answer.view, *answer.codes]
    frames = [f"{f.time_ms:.0f} ms {view_pb2.View.Name(f.view)[5:]} {share(f.confidence)}" for f in response.frames]
    is_good = response.verdict == view_pb2.VERDICT_ACCEPTED
    return draw_answer(intake, f"{answer.name}: {answer.verdict}, {', '.join(parts)}", is_good, frames)


def print_answers(console: Console, answers: list[Answer]) -> None:
    """Print a table, then what was found in words."""
    table = Table("file", "verdict", "view", "confidence", "found")
    for answer in answers:
        table.add_row(escape(answer.name), answer.verdict, answer.view, answer.confidence, " ".join(answer.codes))
    console.print(table)
    print_reasons(console, answers)


def print_reasons(console: Console, answers: list[Answer]) -> None:
    """Say in words what was found, a line a file that has something to say."""
    for answer in answers:
        if answer.why:
            console.print(f"[bold]{escape(answer.name)}[/bold]: {escape(answer.why)}")
