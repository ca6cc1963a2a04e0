"""How far a batch is: a bar on a terminal, a plain line every so often anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_PERIOD_S = 30.0
"""Between two plain lines."""


@contextmanager
def images_following(
    console: Console, total: int, done: int = 0, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Show how far a batch is.

    Args:
        console: where; standard output is for programs.
        total: images of the batch.
        done: images that are there already.
        clock: s.

    Yields:
        To be called with how many more images are done.
    """
    if console.is_terminal:
        columns = (TextColumn("images"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=total, completed=done)
            yield lambda more: bar.advance(task, more)
        return
    start_s, made = clock(), 0
    next_s = start_s + LINE_PERIOD_S

    def advance(more: int) -> None:
        nonlocal made, next_s
        made += more
        if clock() >= next_s:
            next_s = clock() + LINE_PERIOD_S
            pace = made / max(clock() - start_s, 1e-3)
            console.print(f"{done + made} of {total} images, {pace:.1f} a second", highlight=False, soft_wrap=True)

    yield advance
