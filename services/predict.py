"""The verb `echoplane predict`: files and folders in; a table, a CSV, JSON or pictures out."""

from __future__ import annotations

import asyncio
import json
import os
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from echoplane.v1 import study_pb2
from rich.console import Console

from services.answers import Answer, in_json_types
from services.archive.album import OVERVIEW, Album
from services.archive.askers import Asker, AskHere, AskServer
from services.archive.batch import Batch
from services.archive.files import FileState, FoundFile, find_files
from services.archive.ledger import Ledger, Terms
from services.archive.progress import following
from services.archive.summary import SHOWN_SINGLY, Summary
from services.cine.errors import ConfigError
from services.cine.intake import DEFAULT_MAX_FRAMES, IntakeOptions
from services.cine.selection import Selection
from services.client import Client, Tls
from services.gateway.assess import Assessor
from services.models.onnx_backend import OnnxBackend
from services.models.recalibration import recalibrated
from services.models.spec import VIEW_CLASSIFIER
from services.runtime.logs import configure_logs
from services.runtime.sandbox import Sandbox
from services.study_filing import filing_of, review_of, told_in_words
from services.study_tables import print_review

_INFER_TIMEOUT_S = 30.0
INTERRUPTED = 130
"""What a shell says of a command that Ctrl-C ended."""

Trial = Annotated[str, typer.Option(help="Trial to ask the gateway for; not needed by a site that is in one only.")]
PemFile = Annotated[Path | None, typer.Option(help="PEM file, for a server with TLS.", exists=True, dir_okay=False)]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Order:
    """What to do with each file.

    Attributes:
        options: how to read it.
        server: host:port of a gateway, or empty for the model right here.
        tls: how to encrypt on the way there.
        trial: for which the gateway is asked; empty where the site has one only.
        repository: folder of the models, for right here.
        recalibration: file of a site's own calibration, for right here, or None.
        workers: files in hand at the same time.
        pictures: folder for pictures, or None.
        csv: file for the answers, or None.
        is_fresh: whether answers that are in it already are thrown away.
        is_json: whether answers go to standard output, a line each.
        study: that the cines are of, by UID or by what the gateway calls it; empty for none.
        subject, visit: the study's name; empty where it has one or waits for one.
    """

    options: IntakeOptions = field(default_factory=IntakeOptions)
    server: str = ""
    tls: Tls | None = None
    trial: str = ""
    repository: Path = Path("model_repository")
    recalibration: Path | None = None
    workers: int = 1
    pictures: Path | None = None
    csv: Path | None = None
    is_fresh: bool = False
    is_json: bool = False
    study: str = ""
    subject: str = ""
    visit: str = ""


def predict(  # noqa: PLR0913, PLR0917 - one argument an option
    files: Annotated[
        list[Path],
        typer.Argument(help="Cines (DICOM, AVI, MP4, MOV, WebM, GIF, PNG, JPEG, MetaImage, NIfTI) or folders of them."),
    ],
    server: Annotated[str, typer.Option(help="host:port of a gateway; by default the model runs right here.")] = "",
    ca: PemFile = None,
    certificate: PemFile = None,
    key: PemFile = None,
    trial: Trial = "",
    model_repository: Annotated[Path, typer.Option(help="Folder of the models.")] = Order.repository,
    recalibration: Annotated[
        Path | None,
        typer.Option(help="JSON of `evaluate recalibrate`; a gateway has a setting for it.", dir_okay=False),
    ] = None,
    selection: Annotated[Selection, typer.Option(help="Which frames the model sees.")] = Selection.DISSIMILAR,
    max_frames: Annotated[int, typer.Option(min=1, max=64, help="How many frames it sees.")] = DEFAULT_MAX_FRAMES,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Cines at a time; by default one a core.", show_default=False)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write a row a file here; rows that still hold are not asked again.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw the rows of the CSV away and begin anew.")] = False,
    pictures: Annotated[
        Path | None, typer.Option(help="Write a picture of each answer into this folder.", file_okay=False)
    ] = None,
    study: Annotated[
        str,
        typer.Option(help="Study that the cines are of: its UID, or the first letters of its name in `studies list`."),
    ] = "",
    subject: Annotated[str, typer.Option(help="The trial's code for the subject; never a person's own name.")] = "",
    visit: Annotated[str, typer.Option(help="Which of the trial's visits.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout, no table.")] = False,
) -> None:
    """Name the view of cines, here or on a server.

    Each cine is read in a process of its own, checked, and shown to the model; the answer is a view with a calibrated
    confidence, or "cannot tell". A rejected cine says why. Up to 40 files are told one by one, more are counted, with
    an example and advice for each finding.

    One cine, and a picture of what the model saw:

    `echoplane predict loop.dcm --pictures out/`

    A whole archive, as long as it takes; the same command goes on where it stopped, and asks again only where the file,
    the model or the options changed, or what failed for a passing reason:

    `echoplane predict /archive --csv views.csv`

    The same on a server, eight cines in flight; with TLS give `--ca`, with mutual TLS `--certificate` and `--key` too:

    `echoplane predict /archive --csv views.csv --server gateway:50051 --workers 8`

    A study of a trial, on a server that has the trial's protocol: the answers, then what is still missing:

    `echoplane predict study/ --server gateway:50051 --study 1.2.826.7.1 --subject S01-001 --visit baseline`

    For a program (with `--study`, the last line is the review):

    `echoplane predict study/ --json | jq .view`

    The answer OTHER, of an accepted cine, means: a usable picture of a plane that is none of A2C, A4C, PLAX and PSAX.

    Folders may hold anything: reports, indexes and other files are told as NOT_A_CINE. Hidden files and links to
    folders are passed over. Names in tables and in the CSV are below the folder that was asked for.

    Exit code 1 when a cine got no answer, or when no file was a cine.
    """
    configure_logs("error")  # what happens to a file is in its answer
    missing = next((path for path in files if not os.path.lexists(path)), None)
    if missing is not None:
        raise ConfigError(found=f"no {missing}", expected="files and folders that are there", advice="Check the name.")
    found = find_files(files, [path for path in (csv, pictures) if path is not None])
    if not found:
        raise ConfigError(found="no files there", expected="at least one cine", advice="Check the folder's name.")
    order = Order(
        options=IntakeOptions(selection=selection, max_frames=max_frames),
        server=server,
        tls=read_tls(ca, certificate, key),
        trial=trial,
        repository=model_repository,
        recalibration=recalibration,
        workers=workers or _cores(),
        pictures=pictures,
        csv=csv,
        is_fresh=fresh,
        is_json=as_json,
        study=study,
        subject=subject,
        visit=visit,
    )
    _check(order)
    run = Run(order)
    try:
        asyncio.run(run.over(found))
    except KeyboardInterrupt:
        run.say(f"Stopped after {run.summary.views.total()} of {len(found)} files: {run.summary.counts}.")
        raise typer.Exit(INTERRUPTED) from None
    run.report()
    if run.summary.has_failed:
        raise typer.Exit(1)


def _check(order: Order) -> None:
    """Hold the options to one another.

    Raises:
        ConfigError: some do not go together.
    """
    if order.server and order.recalibration is not None:
        raise ConfigError(
            found="--recalibration with --server",
            expected="one of them",
            advice="The gateway has a setting for it: ECHOPLANE_GATEWAY_RECALIBRATION_FILE.",
        )
    if order.is_fresh and order.csv is None:
        raise ConfigError(found="--fresh alone", expected="--csv with it", advice="Name the CSV to begin anew.")
    if order.study and (not order.server or order.csv is not None):
        raise ConfigError(
            found="--study without --server, or with --csv",
            expected="--server, and no --csv",
            advice="A gateway keeps studies, and each cine has to be sent to it.",
        )
    if not order.study and (order.subject or order.visit):
        raise ConfigError(
            found="--subject or --visit alone",
            expected="--study with them",
            advice="Say which study they name: its UID, or anything that is the study's own.",
        )


def read_tls(ca: Path | None, certificate: Path | None, key: Path | None) -> Tls | None:
    """Read the files of a TLS connection; None without an authority, which is plain text."""
    pair = (None if path is None else path.read_bytes() for path in (certificate, key))
    return None if ca is None else Tls(ca.read_bytes(), *pair)


class Run:
    """One run over files: what is open for it, and what came of it.

    Args:
        order: what to do with each.
    """

    def __init__(self, order: Order) -> None:
        self.summary = Summary()
        self._order = order
        self._aside = Console(stderr=True)
        self._start_s = time.monotonic()
        self._kept = 0
        self._album: Album | None = None
        self._review: study_pb2.StudyReview | None = None

    async def over(self, files: list[FoundFile]) -> None:
        """Ask about files, as many at a time as there are workers.

        Raises:
            EchoplaneError: nobody can answer, or the answers cannot be stored.
        """
        order = self._order
        async with AsyncExitStack() as stack:
            there = await _open_server(order, stack)
            sandbox = stack.enter_context(Sandbox())
            threads = stack.enter_context(ThreadPoolExecutor(order.workers, thread_name_prefix="predict"))
            asker = there or _open_here(order, stack, sandbox, threads)
            model = await asker.model()
            ledger: Ledger | None = None
            if order.csv is not None:
                ledger = stack.enter_context(Ledger(order.csv, _terms(order, model), order.is_fresh))
                asked_for, files = len(files), ledger.take_up(files, self.summary.add)
                self._kept = asked_for - len(files)
            if order.pictures is not None:
                self._album = Album(order.pictures, order.options, sandbox)
            look_again = None if self._album is None else self._album.add
            advance = stack.enter_context(following(self._aside, len(files), self.summary))
            in_order = _InOrder()

            def told(index: int, answer: Answer, state: FileState | None) -> None:
                if ledger is not None:
                    ledger.add(answer, state)
                self.summary.add(answer.line)
                if order.is_json:
                    in_order.add(index, json.dumps(answer.as_dict()))
                advance()

            await Batch(asker, order.options, threads, order.workers, look_again).ask_all(files, told)
            if there is not None and order.study:
                self._review = await review_of(there.client, there.filing)

    def report(self) -> None:
        """Show what came of it all, and where more of it is."""
        order, total = self._order, self.summary.views.total()
        if not order.is_json:
            self.summary.show(Console())
        self._show_review()
        if self._album is not None:
            self._album.finish()
            if self._album.missing:
                self.say(f"{self._album.missing} pictures could not be drawn or written.")
            if total > SHOWN_SINGLY:
                self.say(f"Pictures: {order.pictures}, all of them on {OVERVIEW}.")
        if total > SHOWN_SINGLY or self._kept:
            spent_s = time.monotonic() - self._start_s
            done = total - self._kept
            kept = f"; {self._kept} more were in the CSV already" if self._kept else ""
            self.say(f"{done} files in {spent_s:.0f} s, {done / spent_s:.1f} a second{kept}. {self.summary.counts}.")
        if order.csv is not None:
            self.say(f"An answer a row: {order.csv}")
        elif total > SHOWN_SINGLY and not order.is_json:
            self.say("For an answer a row, and to go on after a stop, add --csv FILE.")

    def _show_review(self) -> None:
        if self._review is None:
            if self._order.study:
                self.say("No cine of the study has been recorded, so there is nothing to review.")
        elif self._order.is_json:
            print(json.dumps(in_json_types(self._review)))
        else:
            print_review(Console(), self._review)

    def say(self, text: str) -> None:
        """Tell people something, aside from what programs read."""
        self._aside.print(text, highlight=False, soft_wrap=True, markup=False)


class _InOrder:
    """Prints lines in the order of their numbers, each as soon as all before it are printed."""

    def __init__(self) -> None:
        self._waiting: dict[int, str] = {}
        self._next = 0

    def add(self, number: int, line: str) -> None:
        self._waiting[number] = line
        while self._next in self._waiting:
            print(self._waiting.pop(self._next), flush=True)
            self._next += 1


async def _open_server(order: Order, stack: AsyncExitStack) -> AskServer | None:
    """Connect to the gateway, and find the study there; None where the model right here answers."""
    if not order.server:
        return None
    client = await stack.enter_async_context(Client(order.server, order.tls, order.trial))
    if not order.study:
        return AskServer(client)
    with told_in_words():
        return AskServer(client, filing=await filing_of(client, order.study, order.subject, order.visit))


def _open_here(order: Order, stack: AsyncExitStack, sandbox: Sandbox, threads: Executor) -> Asker:
    model = OnnxBackend(order.repository, VIEW_CLASSIFIER, workers=order.workers)
    stack.push_async_callback(model.close)
    return AskHere(Assessor(sandbox, recalibrated(model, order.recalibration), threads, _INFER_TIMEOUT_S))


def _terms(order: Order, model_sha256: str) -> Terms:
    """Name everything that an answer rests on beside the file."""
    options = order.options
    words = f"selection={options.selection} max_frames={options.max_frames} echoplane={version('echoplane')}"
    if order.recalibration is not None:
        words += f" recalibration={sha256(order.recalibration.read_bytes()).hexdigest()[:12]}"
    return Terms(model_sha256, words)
