"""How often node and gateway may be killed: `python -m tests.bench.kills --kills 200`.

Two scanners send to the node by dcmtk and somebody else asks the gateway while one or the other is killed (SIGKILL) at
random moments. In the end every object that was acknowledged must be REPORTED, once everywhere.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.integration.killed_site import Moment
from tests.integration.kills import Outcome, kill_so_often

_PROCESSES = ("node", "gateway")


def main() -> int:
    """Kill, print the table, and tell by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="at least so many")
    parser.add_argument("--seed", type=int, default=1, help="draws whom and when")
    given, aside, begun_s = parser.parse_args(), Console(stderr=True), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Progress(console=aside, transient=True) as progress:
        task = progress.add_task("Killing", total=given.kills)
        outcome = kill_so_often(Path(folder), given.kills, given.seed, lambda: progress.advance(task))
    Console().print(table(outcome))
    print(
        f"{outcome.acknowledged} objects acknowledged by the node ({outcome.sent_again} sent again), {outcome.answered}"
        f" cines answered to somebody else, {time.monotonic() - begun_s:.0f} s; faults: {len(outcome.faults)}"
    )
    for fault in outcome.faults:
        print(fault)
    return 1 if outcome.faults else 0


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
    sys.exit(main())
