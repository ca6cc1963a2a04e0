"""Show how far long work has come: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LINE_EVERY_S = 15.0

Advance = Callable[[int, str], None]


@contextmanager
def show_progress(title: str, total: int) -> Iterator[Advance]:
    """Give a function that is told how many are done, and a note beside them."""
    if sys.stderr.isatty():
        yield from _bar(title, total)
    else:
        yield _lines(title, total)


def _bar(title: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, note="")
        yield lambda done, note: bar.update(task, completed=done, note=note)


def _lines(title: str, total: int) -> Advance:
    started = last = time.monotonic()

    def advance(done: int, note: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LINE_EVERY_S and done < total:
            return
        last = now
        print(f"{title}: {done}/{total} after {now - started:.0f} s {note}", file=sys.stderr, flush=True)

    return advance
