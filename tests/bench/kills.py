"""How often node and gateway may be killed: `python -m tests.bench.kills --kills 200`.

Two scanners send to the node by dcmtk and somebody else asks the gateway while one or the other is killed (SIGKILL) at
random moments. In the end every object that was acknowledged must be REPORTED, once everywhere.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.integration.killed_site import Moment
from tests.integration.kills import Outcome, kill_so_often

_PROCESSES = ("node", "gateway")


def main(
    kills: Annotated[int, typer.Option(min=1, help="At least so many.")] = 200,
    seed: Annotated[int, typer.Option(help="Draws whom and when.")] = 1,
) -> None:
    """Kill, print the table; exit code 1 where something was lost or is there twice."""
    begun_s, console = time.monotonic(), Console()
    with tempfile.TemporaryDirectory() as folder, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Killing", total=kills)
        outcome = kill_so_often(Path(folder), kills, seed, lambda: progress.advance(task))
    console.print(table(outcome))
    console.print(
        f"{outcome.acknowledged} objects acknowledged by the node, {outcome.sent_again} of them sent again,"
        f" {outcome.answered} cines answered to somebody else; {time.monotonic() - begun_s:.0f} s"
    )
    console.print("\n".join(outcome.faults) or "Nothing lost, nothing twice, every object REPORTED.")
    raise typer.Exit(1 if outcome.faults else 0)


def table(outcome: Outcome) -> Table:
    """Lay the kills out by process and by what had happened last."""
    shown = Table("what had happened last", *_PROCESSES, title="Kills")
    for moment in Moment:
        counts = [outcome.kills[process, moment] for process in _PROCESSES]
        if any(counts):
            shown.add_row(moment, *map(str, counts))
    totals = [sum(count for (process, _), count in outcome.kills.items() if process == one) for one in _PROCESSES]
    shown.add_section()
    shown.add_row("all", *map(str, totals))
    return shown


if __name__ == "__main__":
    typer.run(main)
