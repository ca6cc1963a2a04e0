"""Asks about several files at a time; what comes of one file never stops the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from services.answers import Answer
from services.archive.askers import Asker
from services.archive.files import FileState, FoundFile, look, read_file
from services.cine.errors import LimitExceededError
from services.cine.intake import IntakeOptions

NO_FILE = "FILE"
"""The reason where the file itself could not be read."""

Told = Callable[[int, Answer, FileState | None], None]
"""Hears each answer as it comes: which file, what it got, and the state the file was in."""


@dataclass(frozen=True)
class Batch:
    """What asking about many files needs.

    Attributes:
        asker: answers.
        options: how to read each.
        threads: where files are read.
        workers: files in hand at the same time.
        look_again: what is done with each answer beside telling it, in a thread: its picture. None for nothing.
    """

    asker: Asker
    options: IntakeOptions
    threads: Executor
    workers: int
    look_again: Callable[[Answer, bytes], None] | None = None

    async def ask_all(self, files: Sequence[FoundFile], told: Told) -> None:
        """Ask about every file, in their order; answers come as they are ready.

        Raises:
            EchoplaneError: nobody can answer any more.
        """
        waiting = enumerate(files)
        workers = [asyncio.create_task(self._work(waiting, told)) for _ in range(min(self.workers, len(files)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, waiting: Iterator[tuple[int, FoundFile]], told: Told) -> None:
        for index, file in waiting:
            answer, state = await self._ask(file)
            told(index, answer, state)

    async def _ask(self, file: FoundFile) -> tuple[Answer, FileState | None]:
        loop = asyncio.get_running_loop()
        state = None
        try:
            state = await loop.run_in_executor(self.threads, look, file.path)
            data = await loop.run_in_executor(self.threads, read_file, file.path, state, self.options.limits)
        except LimitExceededError as error:
            return Answer(file.path, file.name, None, error.reason, str(error)), state
        except OSError as error:
            return Answer(file.path, file.name, None, NO_FILE, _why_not(error)), state
        answer = await self.asker.ask(file.path, file.name, data, self.options)
        if self.look_again is not None:
            await loop.run_in_executor(self.threads, self.look_again, answer, data)
        return answer, state


def _why_not(error: OSError) -> str:
    return f"Found a file that cannot be read: {error.strerror}; expected one that can. Check it and run again."
