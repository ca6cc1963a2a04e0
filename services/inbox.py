"""The verb `echoplane inbox`: what the DICOM node's inbox holds, and failed objects tried again."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.acquisition.inbox import State
from services.acquisition.inbox_list import FailedObject, InboxList
from services.acquisition.settings import NodeSettings
from services.cine.errors import ConfigError

_MEANINGS = {
    State.RECEIVED: "the gateway has not answered yet",
    State.ANSWERED: "holds an identity still (unless it is kept), or the report has not been made or sent yet",
    State.CLEANED: "without identity; the report has not been made or sent yet",
    State.REPORTED: "done; removed after the retention",
    State.FAILED: "nothing more is done; removed after the retention of failed ones",
}

Folder = Annotated[
    Path | None, typer.Option("--inbox", help="Folder of the inbox; by default as ECHOPLANE_NODE_INBOX says.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

inbox = typer.Typer(rich_markup_mode="markdown")


@dataclass(frozen=True)
class Overview:
    """What an inbox holds.

    Attributes:
        counts: objects by state.
        oldest_waiting_s: age of the oldest with something left to do, s; None where none has.
        waiting: objects that wait because something went wrong, by its reason.
        failed: those of which nothing more is done.
    """

    counts: dict[State, int]
    oldest_waiting_s: float | None
    waiting: dict[str, int]
    failed: list[FailedObject]


@inbox.callback(invoke_without_command=True)
def show(context: typer.Context, folder: Folder = None, as_json: AsJson = False) -> None:
    """See what the DICOM node's inbox holds, and have failed objects tried again. The node may run meanwhile.

    `echoplane inbox`

    counts objects by state, says how long the oldest has been waiting and why objects wait, and lists those that failed
    with their reason. Objects that wait need nobody: they are tried again for as long as it takes.

    `echoplane inbox retry 17 23`

    has two failed objects tried again; `--all` has all of them. Do that after you have mended what failed them: a newer
    version that reads them, a larger limit. An object whose reason stays, such as HEADER_DAMAGED, will fail again.
    """
    if context.invoked_subcommand is not None:
        return
    found = InboxList(_folder(folder))
    oldest_s = found.waiting_since_s()
    age_s = None if oldest_s is None else max(0.0, time.time() - oldest_s)
    overview = Overview(found.counts(), age_s, found.waiting(), found.failed())
    if as_json:
        print(json.dumps(asdict(overview)))
    else:
        _print(overview, Console())


@inbox.command()
def retry(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Of failed objects, as `echoplane inbox` lists them.")
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="All that failed.")] = False,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Have failed objects tried again, from where they stood; a running node begins within seconds.

    `echoplane inbox retry 17 23`, or `echoplane inbox retry --all`. Exit code 1 when a number is of no failed object.
    """
    if bool(numbers) == is_all:
        raise ConfigError(
            found="both numbers and --all" if is_all else "neither a number nor --all",
            expected="one of them",
            advice="List the failed ones by `echoplane inbox`, then say which.",
        )
    chosen = InboxList(_folder(folder)).retry(None if is_all else numbers)
    others = sorted(set(numbers or []) - set(chosen))
    if as_json:
        print(json.dumps({"retried": chosen, "not_failed": others}))
    else:
        Console(stderr=True).print(f"{len(chosen)} tried again: {_listed(chosen)}. Not failed: {_listed(others)}.")
    raise typer.Exit(1 if others else 0)


def _folder(given: Path | None) -> Path:
    return NodeSettings.load().inbox if given is None else given


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _print(overview: Overview, console: Console) -> None:
    table = Table("state", "objects", "", title="Inbox")
    for state, count in overview.counts.items():
        table.add_row(state, str(count), _MEANINGS[state])
    console.print(table)
    if overview.oldest_waiting_s is not None:
        console.print(f"The oldest that waits has waited {overview.oldest_waiting_s:.0f} s.")
    for reason, count in sorted(overview.waiting.items()):
        console.print(f"Waiting because of {reason}: {count}.")
    if overview.failed:
        console.print(_failed(overview.failed))


def _failed(objects: list[FailedObject]) -> Table:
    table = Table("number", "reason", "received", "failed", title="Failed")
    for each in objects:
        times = (
            datetime.fromtimestamp(at_s).strftime("%Y-%m-%d %H:%M:%S") for at_s in (each.received_s, each.failed_s)
        )
        table.add_row(str(each.number), each.reason, *times)
    return table
