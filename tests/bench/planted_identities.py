"""Sends many objects with sixty identities each through a node and a gateway, and looks for what is left anywhere."""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import Annotated

import typer

from tests.identities import IDENTITIES
from tests.integration.planting import run


def main(
    objects: Annotated[int, typer.Option(min=1, help="How many objects that can be de-identified.")] = 1000,
    broken: Annotated[int, typer.Option(min=0, help="How many that cannot be read or cleaned.")] = 120,
) -> None:
    """Count what is left in objects, reports, JSON, lists, logs, metrics and answers; exit 1 where anything is."""
    warnings.simplefilter("ignore")  # pydicom's, about what is planted
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), objects, broken)
    spent_s = time.monotonic() - start
    print(f"{objects} objects and {broken} broken ones, {IDENTITIES * (objects + broken)} identities, {spent_s:.0f} s")
    searched_mib = outcome.searched_bytes / 2**20
    print(f"{outcome.left.total()} found in {searched_mib:.0f} MiB; {len(outcome.seen)} pictures show text")
    for counts in (outcome.passed_on, outcome.failed, outcome.left):
        for what, count in counts.most_common():
            print(f"{count:6} {what}")
    raise typer.Exit(1 if outcome.left or outcome.seen else 0)


if __name__ == "__main__":
    typer.run(main)
