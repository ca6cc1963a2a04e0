"""The verb `echoplane predict`: files and folders in, a table, JSON or pictures out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from echoplane.v1 import view_pb2
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from services.cine.cine import UInt8Array
from services.cine.errors import InputError
from services.cine.intake import DEFAULT_MAX_FRAMES, Intake, IntakeOptions
from services.cine.selection import Selection
from services.client import CallError, Client
from services.gateway.assess import Assessor
from services.gateway.view_service import to_response
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER
from services.pictures import draw_answer, save_picture
from services.runtime.sandbox import Sandbox

_INFER_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Answer:
    """What one file got: a response or an error.

    Attributes:
        path: the file.
        response: the answer, or None.
        reason: of the error, or empty.
        error: its message, or empty.
    """

    path: Path
    response: view_pb2.PredictViewResponse | None
    reason: str = ""
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the answer in JSON's types."""
        if self.response is None:
            return {"file": str(self.path), "reason": self.reason, "error": self.error}
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


def predict(
    files: Annotated[
        list[Path], typer.Argument(help="Cines (DICOM, AVI, MP4, GIF, PNG) or folders of them.", exists=True)
    ],
    server: Annotated[str, typer.Option(help="host:port of a gateway; by default the model runs right here.")] = "",
    model_repository: Annotated[Path, typer.Option(help="Folder of the models.")] = Path("model_repository"),
    selection: Annotated[Selection, typer.Option(help="Which frames the model sees.")] = Selection.DISSIMILAR,
    max_frames: Annotated[int, typer.Option(min=1, max=64, help="How many frames it sees.")] = DEFAULT_MAX_FRAMES,
    pictures: Annotated[Path | None, typer.Option(help="Write a picture of each answer into this folder.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on stdout instead of a table.")
    ] = False,
) -> None:
    """Name the view of cines, here or on a server.

    Each cine is read in a process of its own, checked, and shown to the model; the answer is a view with a calibrated
    confidence, or "cannot tell". A rejected cine says why. Exit code 1 when a file could not be read.

    Example: `echoplane predict study/ --pictures out/`
    """
    paths = list(_expand(files))
    answers = asyncio.run(_predict_all(paths, server, model_repository, selection, max_frames, pictures))
    if as_json:
        for answer in answers:
            print(json.dumps(answer.as_dict()))
    else:
        console = Console()
        console.print(_table(answers))
        print_reasons(console, answers)
    if any(answer.response is None for answer in answers):
        raise typer.Exit(1)


def _expand(files: list[Path]) -> Iterator[Path]:
    for path in files:
        yield from sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


async def _predict_all(
    paths: list[Path], server: str, repository: Path, selection: Selection, max_frames: int, pictures: Path | None
) -> list[Answer]:
    options = IntakeOptions(selection=selection, max_frames=max_frames)
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        asker: AskHere | AskServer
        if server:
            asker = AskServer(await stack.enter_async_context(Client(server)))
        else:
            backend = OnnxBackend(repository, VIEW_CLASSIFIER)
            stack.push_async_callback(backend.close)
            asker = AskHere(Assessor(sandbox, backend, None, _INFER_TIMEOUT_S))
        answers = []
        progress = track(
            paths, "Reading", console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
        )
        for path in progress:
            data = path.read_bytes()
            answer = await asker.ask(path, data, options)
            if pictures is not None and answer.response is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                picture = draw(answer, sandbox.take_in(data, options))
                save_picture(picture, str(pictures / f"{path.name}.png"))
            answers.append(answer)
        return answers


@dataclass(frozen=True)
class AskHere:
    """Asks the model in this process."""

    assessor: Assessor

    async def ask(self, path: Path, data: bytes, options: IntakeOptions) -> Answer:
        """Give the answer for one file's bytes; an error of the file is an answer too."""
        try:
            return Answer(path, to_response("", await self.assessor.assess(data, options)))
        except InputError as error:
            return Answer(path, None, error.reason, str(error))


@dataclass(frozen=True)
class AskServer:
    """Asks a gateway."""

    client: Client

    async def ask(self, path: Path, data: bytes, options: IntakeOptions) -> Answer:
        """Give the answer for one file's bytes; an error of the file is an answer too."""
        header = view_pb2.CineHeader(selection=f"SELECTION_{options.selection}", max_frames=options.max_frames)
        try:
            return Answer(path, await self.client.predict_view(data, header))
        except CallError as error:
            return Answer(path, None, error.reason or error.code, error.message)


def draw(answer: Answer, intake: Intake) -> UInt8Array:
    """Draw an answer: its title and the frames the model saw, RGB [H, W, 3]."""
    response = answer.response or view_pb2.PredictViewResponse()
    title = f"{answer.path.name}: {answer.verdict}, {answer.view}"
    if response.probabilities:
        title += f" {response.confidence:.0%}"
    if answer.codes:
        title += ", " + " ".join(answer.codes)
    frames = [f"{f.time_ms:.0f} ms {view_pb2.View.Name(f.view)[5:]} {f.confidence:.0%}" for f in response.frames]
    is_good = response.verdict == view_pb2.VERDICT_ACCEPTED
    return draw_answer(intake, title, is_good, frames)


def print_reasons(console: Console, answers: list[Answer]) -> None:
    """Say in words what was found, a line a file that has something to say."""
    for answer in answers:
        if answer.why:
            console.print(f"[bold]{escape(answer.path.name)}[/bold]: {escape(answer.why)}")


def _table(answers: list[Answer]) -> Table:
    table = Table("file", "verdict", "view", "confidence", "found")
    for answer in answers:
        confidence = f"{answer.response.confidence:.0%}" if answer.response and answer.response.probabilities else "-"
        table.add_row(answer.path.name, answer.verdict, answer.view, confidence, " ".join(answer.codes))
    return table
