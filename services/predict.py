"""The verb `echoplane predict`: files and folders in, a table, JSON or pictures out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from echoplane.v1 import view_pb2
from rich.console import Console
from rich.progress import track

from services.answers import Answer, draw, print_answers
from services.cine.errors import ConfigError, EchoplaneError
from services.cine.intake import DEFAULT_MAX_FRAMES, IntakeOptions
from services.cine.selection import Selection
from services.client import CallError, Client, Tls
from services.gateway.assess import Assessor
from services.gateway.view_service import to_response
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER
from services.pictures import save_picture
from services.runtime.sandbox import Sandbox

_INFER_TIMEOUT_S = 30.0

PemFile = Annotated[Path | None, typer.Option(help="PEM file, for a server with TLS.", exists=True, dir_okay=False)]


@dataclass(frozen=True)
class Order:
    """What to do with each file.

    Attributes:
        options: how to read it.
        server: host:port of a gateway, or empty for the model right here.
        tls: how to encrypt on the way there.
        repository: folder of the models, for right here.
        pictures: folder for pictures, or None.
    """

    options: IntakeOptions = field(default_factory=IntakeOptions)
    server: str = ""
    tls: Tls | None = None
    repository: Path = Path("model_repository")
    pictures: Path | None = None


def predict(  # noqa: PLR0913, PLR0917 - one argument an option
    files: Annotated[
        list[Path], typer.Argument(help="Cines (DICOM, AVI, MP4, GIF, PNG) or folders of them.", exists=True)
    ],
    server: Annotated[str, typer.Option(help="host:port of a gateway; by default the model runs right here.")] = "",
    ca: PemFile = None,
    certificate: PemFile = None,
    key: PemFile = None,
    model_repository: Annotated[Path, typer.Option(help="Folder of the models.")] = Order.repository,
    selection: Annotated[Selection, typer.Option(help="Which frames the model sees.")] = Selection.DISSIMILAR,
    max_frames: Annotated[int, typer.Option(min=1, max=64, help="How many frames it sees.")] = DEFAULT_MAX_FRAMES,
    pictures: Annotated[
        Path | None, typer.Option(help="Write a picture of each answer into this folder.", file_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout, no table.")] = False,
) -> None:
    """Name the view of cines, here or on a server.

    Each cine is read in a process of its own, checked, and shown to the model; the answer is a view with a calibrated
    confidence, or "cannot tell". A rejected cine says why. Hidden files in folders are passed over. Exit code 1 when a
    file could not be read.

    With TLS give `--ca`, with mutual TLS `--certificate` and `--key` too.

    Example: `echoplane predict study/ --pictures out/`
    """
    named = dict(_expand(files))
    if not named:
        raise ConfigError(found="no files there", expected="at least one cine", advice="Check the folder's name.")
    order = Order(
        options=IntakeOptions(selection=selection, max_frames=max_frames),
        server=server,
        tls=None if ca is None else Tls(ca.read_bytes(), _read(certificate), _read(key)),
        repository=model_repository,
        pictures=pictures,
    )
    answers = asyncio.run(_predict_all(named, order))
    if as_json:
        for answer in answers:
            print(json.dumps(answer.as_dict()))
    else:
        print_answers(Console(), answers)
    if any(answer.response is None for answer in answers):
        raise typer.Exit(1)


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _expand(files: list[Path]) -> Iterator[tuple[Path, str]]:
    """Give each file and its name: files as they are, folders as the files in them, hidden ones left out."""
    for path in files:
        if not path.is_dir():
            yield path, path.name
            continue
        for found in sorted(p for p in path.rglob("*") if p.is_file()):
            below = found.relative_to(path)
            if not any(part.startswith(".") for part in below.parts):
                yield found, str(below)


async def _predict_all(named: dict[Path, str], order: Order) -> list[Answer]:
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        asker: AskHere | AskServer
        if order.server:
            asker = AskServer(await stack.enter_async_context(Client(order.server, order.tls)))
        else:
            backend = OnnxBackend(order.repository, VIEW_CLASSIFIER)
            stack.push_async_callback(backend.close)
            asker = AskHere(Assessor(sandbox, backend, None, _INFER_TIMEOUT_S))
        answers = []
        console = Console(stderr=True)
        quiet = not console.is_terminal
        for path, name in track(named.items(), "Reading", console=console, transient=True, disable=quiet):
            try:
                data = path.read_bytes()
                answer = await asker.ask(path, name, data, order.options)
                if order.pictures is not None and answer.response is not None:
                    picture = draw(answer, sandbox.take_in(data, order.options))
                    save_picture(picture, order.pictures / f"{name.replace('/', '_')}.png")
            except OSError as error:
                answer = Answer(path, name, None, "FILE", f"The file or its picture: {error.strerror}.")
            answers.append(answer)
        return answers


@dataclass(frozen=True)
class AskHere:
    """Asks the model in this process."""

    assessor: Assessor

    async def ask(self, path: Path, name: str, data: bytes, options: IntakeOptions) -> Answer:
        """Give the answer for one file's bytes; an error of the file is an answer too."""
        try:
            return Answer(path, name, to_response("", await self.assessor.assess(data, options)))
        except EchoplaneError as error:
            return Answer(path, name, None, error.reason, str(error))


@dataclass(frozen=True)
class AskServer:
    """Asks a gateway."""

    client: Client

    async def ask(self, path: Path, name: str, data: bytes, options: IntakeOptions) -> Answer:
        """Give the answer for one file's bytes; an error of the file is an answer too."""
        header = view_pb2.CineHeader(selection=f"SELECTION_{options.selection}", max_frames=options.max_frames)
        try:
            return Answer(path, name, await self.client.predict_view(data, header))
        except CallError as error:
            return Answer(path, name, None, error.reason or error.code, error.message)
