"""Many files at a time: each gets one answer, and only the end of the asker ends the run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.answers import Answer
from services.archive.batch import Batch
from services.archive.files import FileState, FoundFile, find_files
from services.cine.errors import ModelUnavailableError
from services.cine.intake import IntakeOptions


class Asker:
    """Answers with the file's own words; the first file takes longest."""

    def __init__(self, is_gone: bool = False) -> None:
        self.is_gone, self.at_once, self.most_at_once = is_gone, 0, 0

    async def model(self) -> str:
        return "ab12"

    async def ask(self, path: Path, name: str, data: bytes, options: IntakeOptions) -> Answer:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.05 if name == "0" else 0.001)
        self.at_once -= 1
        if self.is_gone:
            raise ModelUnavailableError(found="a", expected="b", advice="c")
        return Answer(path, name, None, "EMPTY", data.decode())


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def files(tmp_path: Path) -> list[FoundFile]:
    for number in range(10):
        (tmp_path / str(number)).write_text(f"cine {number}")
    return find_files([tmp_path])


async def run(asker: Asker, files: list[FoundFile], threads: ThreadPoolExecutor, workers: int) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}

    def told(index: int, answer: Answer, state: FileState | None) -> None:
        assert index not in answers
        answers[index] = answer

    await Batch(asker, IntakeOptions(), threads, workers).ask_all(files, told)
    return answers


@pytest.mark.parametrize("workers", [1, 3, 50])
async def test_every_file_gets_its_own_answer(
    files: list[FoundFile], threads: ThreadPoolExecutor, workers: int
) -> None:
    asker = Asker()
    answers = await run(asker, files, threads, workers)
    assert {index: answer.error for index, answer in answers.items()} == {n: f"cine {n}" for n in range(10)}
    assert asker.most_at_once <= workers
    assert (list(answers) == list(range(10))) == (workers == 1)  # a slow file holds nobody up


async def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    files: list[FoundFile], threads: ThreadPoolExecutor
) -> None:
    files[3].path.unlink()
    with files[4].path.open("wb") as huge:
        huge.truncate(2**40)
    answers = await run(Asker(), files, threads, 2)
    assert len(answers) == 10
    assert (answers[3].reason, answers[4].reason) == ("FILE", "LIMIT_BYTES")
    assert "No such file" in answers[3].error


async def test_an_asker_that_is_gone_ends_the_run(files: list[FoundFile], threads: ThreadPoolExecutor) -> None:
    with pytest.raises(ModelUnavailableError):
        await run(Asker(is_gone=True), files, threads, 3)
    assert asyncio.all_tasks() == {asyncio.current_task()}
