"""What a file got, for people: in a table, in words, in a picture, in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from echoplane.v1 import view_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cine.cine import UInt8Array
from services.cine.errors import Reason
from services.cine.intake import Intake
from services.pictures import draw_answer

MOST_SHOWN = 0.99
"""No table or picture claims more certainty: the calibration rests on simulated cines."""

NOT_A_CINE, ERROR = "NOT_A_CINE", "ERROR"
"""Verdicts that no response holds: the file never was a cine; the file is one, and there is no answer."""

_CINE_SUFFIXES = (
    *(".dcm", ".dicom", ".avi", ".mp4", ".m4v", ".mov", ".webm", ".gif", ".png", ".jpg", ".jpeg"),
    *(".mha", ".nii", ".nii.gz", ".wmv", ".mpg", ".mpeg", ".mkv"),
)
"""By such a name a site says that a file is a cine; it is then told as an error where its bytes are not."""


@dataclass(frozen=True)
class Line:
    """What the screen shows of one file.

    Attributes:
        name: without anything a terminal would obey.
        verdict: ACCEPTED, REJECTED, NOT_A_CINE or ERROR.
        view, confidence: in words.
        codes: of findings, or the reason of the error.
        why: the same in words.
    """

    name: str
    verdict: str
    view: str
    confidence: str
    codes: tuple[str, ...]
    why: str


ABSTAINED = "cannot tell"


@dataclass(frozen=True)
class Answer:
    """What one file got: a response or an error.

    Attributes:
        path: the file.
        name: how to call it: its path below the folder that was asked for.
        response: the answer, or None.
        reason: of the error, or empty.
        error: its message, or empty.
        intake: the cine as the model saw it, where it was read in this process.
    """

    path: Path
    name: str
    response: view_pb2.PredictViewResponse | None
    reason: str = ""
    error: str = ""
    intake: Intake | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Give the answer in JSON's types."""
        if self.response is None:
            return {"file": str(self.path), "verdict": "ERROR", "reason": self.reason, "error": self.error}
        return {"file": str(self.path), **in_json_types(self.response)}

    @property
    def verdict(self) -> str:
        """ACCEPTED, REJECTED, NOT_A_CINE or ERROR."""
        if self.response is None:
            return NOT_A_CINE if self._is_something_else() else ERROR
        return view_pb2.Verdict.Name(self.response.verdict).removeprefix("VERDICT_")

    @property
    def view(self) -> str:
        """The view's name, "cannot tell" when the model abstains, or a dash when it did not run."""
        if self.response is None or not self.response.probabilities:
            return "-"
        name = view_pb2.View.Name(self.response.view).removeprefix("VIEW_")
        return ABSTAINED if name == "UNSPECIFIED" else name

    @property
    def confidence(self) -> str:
        """The confidence, beside what it takes where the model abstains; a dash when it did not run."""
        if self.response is None or not self.response.probabilities:
            return "-"
        needed = None if self.response.view else self.response.model.abstain_below
        return in_words(self.response.confidence, needed)

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

    @property
    def line(self) -> Line:
        """What the screen shows of it."""
        return Line(readable(self.name), self.verdict, self.view, self.confidence, tuple(self.codes), self.why)

    def _is_something_else(self) -> bool:
        """Whether the file never was a cine: a report, an index, bytes of no known format under no name of a cine."""
        if self.reason == Reason.PIXELS_MISSING:
            return True
        return self.reason == Reason.FORMAT_UNKNOWN and not self.name.lower().endswith(_CINE_SUFFIXES)


def in_json_types(message: Message) -> dict[str, Any]:
    """Give a message in JSON's types, fields of zero among them."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def in_words(confidence: float, needed: float | None) -> str:
    """Write a confidence, and where the model abstains what it would have taken."""
    return share(confidence) + ("" if needed is None else f" (needs {needed:.0%})")


def share(confidence: float) -> str:
    """Write a confidence as a percentage, no higher than ">99%"."""
    return f">{MOST_SHOWN:.0%}" if confidence > MOST_SHOWN else f"{confidence:.0%}"


def draw(answer: Answer, intake: Intake) -> UInt8Array:
    """Draw an answer: its title and the frames the model saw, RGB [H, W, 3]."""
    response = answer.response or view_pb2.PredictViewResponse()
    parts = [f"{answer.view} {answer.confidence}" if response.probabilities else answer.view, *answer.codes]
    frames = [f"{f.time_ms:.0f} ms {view_pb2.View.Name(f.view)[5:]} {share(f.confidence)}" for f in response.frames]
    is_good = response.verdict == view_pb2.VERDICT_ACCEPTED
    return draw_answer(intake, f"{readable(answer.name)}: {answer.verdict}, {', '.join(parts)}", is_good, frames)


def print_lines(console: Console, lines: Iterable[Line]) -> None:
    """Print a table, a line a file."""
    table = Table("file", "verdict", "view", "confidence", "found")
    for line in lines:
        table.add_row(escape(line.name), line.verdict, line.view, line.confidence, " ".join(line.codes))
    console.print(table)


def print_reasons(console: Console, lines: Iterable[Line]) -> None:
    """Say in words what was found, once for all files of which the same is said."""
    names: dict[str, list[str]] = {}
    for line in lines:
        if line.why:
            names.setdefault(line.why, []).append(escape(line.name))
    for why, those in names.items():
        console.print(f"[bold]{', '.join(those)}[/bold]: {escape(why)}", highlight=False)


def readable(text: str) -> str:
    """Write a text in one line without anything a terminal would obey, escaped as Python does; no two look alike."""
    return "".join(
        c if c.isprintable() and c != "\\" else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
