"""The verb `echoplane studies`: which studies a gateway has cines of, what each still misses, and their names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer
from echoplane.v1 import study_pb2
from google.protobuf.message import Message
from rich.console import Console

from services.answers import in_json_types
from services.client import Client, Tls
from services.predict import INTERRUPTED, PemFile, Trial, read_tls
from services.study_filing import MOST_LISTED, filing_of, find_study, key_of, told_in_words
from services.study_tables import print_review, print_studies

_T = TypeVar("_T")

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, one object a line, no table.")]
Which = Annotated[str, typer.Argument(metavar="STUDY", help="UID, or the first letters of its name in the list.")]

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@dataclass(frozen=True)
class Desk:
    """A gateway that reviews studies.

    Attributes:
        server: host:port.
        tls: how to encrypt on the way there.
        trial: for which it is asked; empty where the site has one only.
    """

    server: str
    tls: Tls | None
    trial: str

    def ask(self, question: Callable[[Client], Awaitable[_T]]) -> _T:
        """Ask it something, and wait for the end of it; Ctrl-C ends it too.

        Raises:
            EchoplaneError: the call ended in a status.
        """

        async def asked() -> _T:
            with told_in_words():
                async with Client(self.server, self.tls, self.trial) as client:
                    return await question(client)

        try:
            return asyncio.run(asked())
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


@app.callback()
def studies(
    context: typer.Context,
    server: Annotated[str, typer.Option(help="host:port of the gateway.")] = "127.0.0.1:50051",
    ca: PemFile = None,
    certificate: PemFile = None,
    key: PemFile = None,
    trial: Trial = "",
) -> None:
    """See which studies a gateway has cines of, what each still misses, and name them.

    `echoplane studies list`

    `echoplane studies --server gateway:50051 --ca ca.pem review 3f5c9a1b02d4 --watch`

    Cines come in by `echoplane predict --study`, the DICOM node, or any client. The gateway needs a trial's protocol
    (ECHOPLANE_GATEWAY_TRIAL_PROTOCOL).
    """
    context.obj = Desk(server, read_tls(ca, certificate, key), trial)


@app.command("list")
def list_them(
    context: typer.Context,
    subject: Annotated[str, typer.Option(help="Of this subject code only.")] = "",
    visit: Annotated[str, typer.Option(help="Of this visit only.")] = "",
    most: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="Most studies to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List studies, that with the newest cine first.

    A study that is *not named yet* has cines that nobody typed a subject for, from a scanner: see `studies name`.
    """
    desk: Desk = context.obj
    found = desk.ask(lambda client: client.list_studies(subject, visit, most))
    if as_json:
        for each in found.studies:
            print_json(each)
        return
    print_studies(Console(), found.studies)
    if found.next_page_token:
        Console(stderr=True).print(f"There are more; --most shows up to {MOST_LISTED}.", highlight=False)


@app.command()
def review(
    context: typer.Context,
    study: Which,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again whenever it changes, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a study has, what it still misses, and why cines were rejected."""
    show, desk = (print_json if as_json else lambda told: print_review(Console(), told)), context.obj

    async def look(client: Client) -> None:
        key = await find_study(client, study)
        if not watch:
            show(await client.get_study_review(**key))
            return
        async for told in client.watch_study_review(**key):
            show(told)

    desk.ask(look)


@app.command()
def name(
    context: typer.Context,
    study: Which,
    subject: Annotated[str, typer.Option(help="The trial's code for the subject.")],
    visit: Annotated[str, typer.Option(help="Which of the trial's visits.")],
    replaces: Annotated[
        tuple[str, str] | None, typer.Option(metavar="SUBJECT VISIT", help="The name it has now, to correct that.")
    ] = None,
) -> None:
    """Name a study whose cines came without a name, or correct a name.

    `echoplane studies name 3f5c9a1b02d4 --subject S01-001 --visit baseline`

    A name that is there already is replaced only by who says it, so that two people do not undo each other's work:

    `echoplane studies name 3f5c9a1b02d4 --subject S01-001 --visit baseline --replaces S01-010 baseline`
    """
    desk: Desk = context.obj

    async def rename(client: Client) -> study_pb2.StudySummary:
        filing = await filing_of(client, study, subject, visit)
        request = study_pb2.NameStudyRequest(
            name=study_pb2.StudyName(trial=filing.trial, subject_code=subject, visit=visit),
            replaces=None if replaces is None else study_pb2.StudyName(subject_code=replaces[0], visit=replaces[1]),
            **key_of(filing),
        )
        return await client.name_study(request)

    print_studies(Console(), [desk.ask(rename)])


def print_json(message: Message) -> None:
    """Print a message as one line of JSON."""
    print(json.dumps(in_json_types(message)), flush=True)
