"""How far an archive is: a bar on a terminal, a plain line every so often anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.text import Text

from services.archive.summary import Summary

LINE_PERIOD_S = 30.0
"""Between two plain lines: the log of a night's run stays short enough to read."""


@contextmanager
def following(
    console: Console, total: int, summary: Summary, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[], None]]:
    """Show how far it is.

    Args:
        console: where; standard output is for programs.
        total: files to come.
        summary: what came of files so far.
        clock: s.

    Yields:
        To be called when one more file is done.
    """
    start_s, done = clock(), 0

    def count_one() -> str:
        nonlocal done
        done += 1
        return f"{summary.counts}, {done / max(clock() - start_s, 1e-3):.1f} files/s"

    if console.is_terminal:
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with _Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
            task = bar.add_task("", total=total)

            def advance() -> None:
                bar.words = count_one()
                bar.advance(task)

            yield advance
        return
    next_s = start_s + LINE_PERIOD_S

    def advance_in_lines() -> None:
        nonlocal next_s
        words = count_one()
        if clock() >= next_s:
            next_s = clock() + LINE_PERIOD_S
            left_s = (clock() - start_s) * (total - done) / done
            console.print(f"{done} of {total}: {words}, about {left_s:.0f} s left", highlight=False, soft_wrap=True)

    yield advance_in_lines


class _Bar(Progress):
    """A bar with a line of words below it."""

    words = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        """Give the bar, then the words."""
        yield from super().get_renderables()
        yield Text(self.words)
