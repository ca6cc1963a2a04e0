"""Whatever happens to files, rows and other workers meanwhile: no image is lost, doubled or misnamed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import pytest

from services.cine.errors import ModelUnavailableError, StorageError
from services.runtime.database import Database
from services.synthesis.ledger import Job, JobState, Ledger
from services.synthesis.manifest import LABELS, MANIFEST
from services.synthesis.store import Store
from services.synthesis.worker import RETRY_S
from tests.unit.synthesis.making import IDENTITY, Painter, Suspicious, studio
from tests.unit.synthesis.working import ORDER, Bench, stopped_at


async def test_a_full_disk_lets_the_job_wait_and_nothing_is_lost_or_half_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    class Full(Store):
        room = 25

        def put(self, name: str, data: bytes) -> None:
            self.room -= 1
            if self.room < 0:
                raise StorageError(found="a full disk", expected="room", advice="Make some.")
            super().put(name, data)

    await bench.worker(store=Full(str(bench.folder))).work_once()
    assert (bench.job.state, bench.job.reason) == (JobState.WAITING, "STORAGE")
    assert MANIFEST not in bench.files()
    bench.now_s += RETRY_S
    await bench.worker().work_once()
    assert bench.job.state is JobState.DONE
    assert len(bench.manifest()["images"]) == ORDER.total


def lose(files: list[Path]) -> None:
    files[0].unlink()


def cut_short(files: list[Path]) -> None:
    files[1].write_bytes(files[1].read_bytes()[:-1])


def alter(files: list[Path]) -> None:
    files[2].write_bytes(bytes(files[2].stat().st_size))


def leave_a_part(files: list[Path]) -> None:
    files[0].with_name(".half.png.part").write_bytes(b"half")


@pytest.mark.parametrize("harm", [lose, cut_short, alter, leave_a_part])
async def test_what_happened_to_the_files_meanwhile_is_put_right(
    tmp_path: Path, harm: Callable[[list[Path]], None]
) -> None:
    bench = await stopped_at(tmp_path / "harmed", 3, ModelUnavailableError(found="a", expected="b", advice="c."))
    harm(sorted((bench.folder / bench.job_id).rglob("*.png")))
    bench.now_s += RETRY_S
    await bench.worker().work_once()
    sound = Bench(tmp_path / "sound")
    await sound.worker().work_once()
    assert bench.files() == sound.files()


@pytest.mark.parametrize("before", [None, Suspicious()], ids=["unfiltered", "filtered"])
@pytest.mark.parametrize("after", [None, Suspicious(above=0.2)], ids=["then unfiltered", "then filtered"])
async def test_a_job_taken_up_with_another_copy_index_holds_only_images_of_that_one(
    tmp_path: Path, before: Suspicious | None, after: Suspicious | None
) -> None:
    bench = await stopped_at(tmp_path / "a", 3, ModelUnavailableError(found="a", expected="b", advice="c."), before)
    assert bench.job.done
    bench.studio = studio(copy_filter=after, index="another index")
    bench.now_s += RETRY_S
    await bench.worker().work_once()
    sound = Bench(tmp_path / "b")
    sound.studio = bench.studio
    await sound.worker().work_once()
    assert bench.files() == sound.files()
    assert {image["copy_check"] for image in bench.manifest()["images"]} == {"passed" if after else "not_done"}


def away(number: int) -> None:
    raise ModelUnavailableError(found="none", expected="one", advice="Wait.")


async def test_a_batch_that_is_made_again_has_no_manifest_until_it_is_whole(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.worker().work_once()
    bench.ledger.reopen(bench.job_id)
    bench.studio = studio(Painter(before=away), Suspicious())
    await bench.worker().work_once()
    assert bench.job.state is JobState.WAITING
    assert not bench.files().keys() & {MANIFEST, LABELS}


async def test_a_worker_that_stalls_leaves_nothing_of_a_job_that_another_has_buried(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    class Stalled(Store):
        def put(self, name: str, data: bytes) -> None:
            bench.now_s = 2000.0
            if bench.job.state is JobState.RUNNING:
                bench.ledger.cancel(bench.job_id)
                taken = bench.ledger.claim("you", bench.now_s, 10.0)
                assert taken is not None
                bench.ledger.bury(taken, "you", bench.now_s)
            super().put(name, data)

    await bench.worker(store=Stalled(str(bench.folder))).work_once()
    assert bench.job.state is JobState.CANCELLED
    assert bench.files() == {}


class Crammed(Database):
    """A file on a disk without room: for new pages, or for anything at all."""

    refused: ClassVar[str] = ""

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        with super().opened() as connection:
            if Crammed.refused:
                connection.execute(Crammed.refused)
            yield connection


@pytest.mark.parametrize("refused", ["PRAGMA max_page_count = 1", "PRAGMA query_only = ON"])
async def test_a_list_of_jobs_without_room_loses_nothing_and_the_job_goes_on_when_there_is_some(
    tmp_path: Path, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("services.synthesis.ledger.Database", Crammed)
        ledger = Ledger(tmp_path / "jobs.sqlite")
    painter = Painter(before=lambda number: monkeypatch.setattr(Crammed, "refused", refused))
    bench = Bench(tmp_path, painter)
    with suppress(StorageError):  # where not even that it waits can be written down
        await bench.worker(ledger=ledger).work_once()
    assert bench.job.state in {JobState.WAITING, JobState.RUNNING}
    assert bench.job.done < ORDER.total
    painter.before = lambda number: None
    monkeypatch.setattr(Crammed, "refused", "")
    bench.now_s += 10.0
    await bench.worker(ledger=ledger).work_once()
    sound = Bench(tmp_path / "sound")
    await sound.worker().work_once()
    assert bench.files() == sound.files()


async def test_a_damaged_job_fails_and_the_next_is_made(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as database, database:
        database.execute("UPDATE jobs SET plan = '{'")
    bench.ledger.create("s", ORDER, IDENTITY.sha256, 0.0)
    while await bench.worker().work_once():
        pass
    assert (bench.job.state, bench.job.reason) == (JobState.FAILED, "INTERNAL")
    assert bench.ledger.newest(1)[0].state is JobState.DONE


async def test_a_worker_outlives_a_bug_in_finding_its_job(tmp_path: Path) -> None:
    class Confused(Ledger):
        turns = 0

        def claim(self, owner: str, now_s: float, lease_s: float) -> Job | None:
            self.turns += 1
            if self.turns == 1:
                raise ValueError("a bug")
            return super().claim(owner, now_s, lease_s)

    bench = Bench(tmp_path)
    running = asyncio.create_task(bench.worker(ledger=Confused(tmp_path / "jobs.sqlite"), poll_s=0.01).run())
    async with asyncio.timeout(20.0):
        while bench.job.state is not JobState.DONE:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
