"""A worker takes a job as far as it goes, and lets go of it when told to."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from pathlib import Path

import pytest

from services.cine.errors import ModelContractError, ModelUnavailableError
from services.synthesis.ledger import JobState
from services.synthesis.manifest import LABELS, MANIFEST
from services.synthesis.plan import plan
from services.synthesis.store import Store
from services.synthesis.worker import RETRY_S
from tests.unit.synthesis.making import IDENTITY, STYLES, Painter, Suspicious, made_of, studio
from tests.unit.synthesis.working import ORDER, Bench, stopped_at


@pytest.mark.parametrize("copy_filter", [None, Suspicious()], ids=["unfiltered", "filtered"])
async def test_a_job_becomes_the_same_images_as_a_batch_and_a_manifest_of_them(
    tmp_path: Path, copy_filter: Suspicious | None
) -> None:
    bench = Bench(tmp_path, copy_filter=copy_filter)
    assert await bench.worker().work_once()
    assert not await bench.worker().work_once()
    batch = await made_of(ORDER, studio(copy_filter=copy_filter))
    manifest, files = bench.manifest(), bench.files()
    assert [files[image["file"]] for image in manifest["images"]] == [made.artefact.data for made in batch]
    assert [image["seed"] for image in manifest["images"]] == [made.unit.seed for made in batch]
    assert [image["replaced"] for image in manifest["images"]] == [made.unit.attempt for made in batch]
    assert all(hashlib.sha256(files[i["file"]]).hexdigest() == i["sha256"] for i in manifest["images"])
    assert (bench.job.state, bench.job.done) == (JobState.DONE, ORDER.total)
    assert bench.job.manifest == f"{bench.folder}/{bench.job_id}/{MANIFEST}"


async def test_a_manifest_says_where_the_images_come_from_and_warns_where_copies_were_not_looked_for(
    tmp_path: Path,
) -> None:
    bench, filtered = Bench(tmp_path / "a"), Bench(tmp_path / "b", copy_filter=Suspicious())
    for each in (bench, filtered):
        await each.worker().work_once()
    manifest, other = bench.manifest(), filtered.manifest()
    assert manifest["model"] == {
        **{"name": "echo_synthesizer", "version": "1", "sha256": IDENTITY.sha256, "trained_on": "nothing"},
        **{"styles": list(STYLES), "card": f"# card of {IDENTITY.sha256}"},
    }
    assert len(manifest["warnings"]) == 1
    assert {image["copy_check"] for image in manifest["images"]} == {"not_done"}
    assert (manifest["copy_filter"], other["warnings"]) == ({"index": None, "replaced": 0}, [])
    assert other["copy_filter"]["index"] == "index of nothing"
    assert other["copy_filter"]["replaced"] == filtered.job.replaced > 0
    assert sum(count["count"] for count in manifest["counts"]) == manifest["total"] == ORDER.total


async def test_the_labels_are_a_row_an_image(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.worker().work_once()
    rows = list(csv.DictReader(io.StringIO(bench.files()[LABELS].decode())))
    wanted = [(unit.cell.view, unit.cell.style, str(unit.seed)) for unit in plan(ORDER)]
    assert [(row["view"], row["style"], row["seed"]) for row in rows] == wanted
    assert all((bench.folder / bench.job_id / row["file"]).is_file() for row in rows)


async def test_the_manifest_is_the_last_file_of_all(tmp_path: Path) -> None:
    bench, written = Bench(tmp_path), []

    class Watched(Store):
        def put(self, name: str, data: bytes) -> None:
            super().put(name, data)
            written.append(name)

    await bench.worker(store=Watched(str(bench.folder))).work_once()
    assert written[-1] == f"{bench.job_id}/{MANIFEST}"
    assert written.count(written[-1]) == 1


async def test_a_model_that_is_away_lets_the_job_wait_and_go_on(tmp_path: Path) -> None:
    bench = await stopped_at(tmp_path, 3, ModelUnavailableError(found="none", expected="one", advice="Wait."))
    assert (bench.job.state, bench.job.reason) == (JobState.WAITING, "MODEL_UNAVAILABLE")
    done = bench.job.done
    assert 0 < done < ORDER.total
    assert not await bench.worker().work_once()
    bench.now_s += RETRY_S
    told: list[int] = []
    await bench.worker(told=lambda batch: told.append(len(batch))).work_once()
    assert bench.job.state is JobState.DONE
    assert sum(told) == ORDER.total - done


async def test_a_broken_model_fails_the_job_for_good(tmp_path: Path) -> None:
    bench = await stopped_at(tmp_path, 1, ModelContractError(found="a pear", expected="an apple", advice="Look."))
    assert (bench.job.state, bench.job.reason) == (JobState.FAILED, "MODEL_CONTRACT")
    assert "Found a pear" in bench.job.message
    assert MANIFEST not in bench.files()


async def test_a_bug_fails_the_job_that_met_it_and_no_other(tmp_path: Path) -> None:
    bench = await stopped_at(tmp_path, 2, ZeroDivisionError("text from inside"))
    assert (bench.job.state, bench.job.reason, bench.job.message) == (JobState.FAILED, "INTERNAL", "internal error")
    bench.ledger.create("s", ORDER, IDENTITY.sha256, 0.0)
    assert await bench.worker().work_once()
    assert bench.ledger.newest(1)[0].state is JobState.DONE


async def test_a_job_of_other_weights_fails_rather_than_mix_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    other = bench.ledger.create("s", ORDER, "cd" * 32, 0.0)
    while await bench.worker().work_once():
        pass
    assert bench.job.state is JobState.DONE
    assert bench.ledger.get(other.job_id).reason == "MODEL_CONTRACT"


async def test_a_cancelled_job_stops_within_one_inference_and_leaves_nothing(tmp_path: Path) -> None:
    painter = Painter()
    bench = Bench(tmp_path, painter)

    def cancel(number: int) -> None:
        if number == 2:
            bench.ledger.cancel(bench.job_id)

    painter.before = cancel
    await bench.worker().work_once()
    assert bench.job.state is JobState.CANCELLED
    assert painter.calls <= 3
    assert bench.files() == {}
    assert not await bench.worker().work_once()


async def test_a_job_cancelled_before_its_turn_makes_nothing(tmp_path: Path) -> None:
    painter = Painter()
    bench = Bench(tmp_path, painter)
    bench.ledger.cancel(bench.job_id)
    await bench.worker().work_once()
    assert (bench.job.state, painter.calls) == (JobState.CANCELLED, 0)


async def test_a_worker_that_is_overtaken_writes_nothing_more(tmp_path: Path) -> None:
    painter = Painter()
    bench = Bench(tmp_path, painter)

    def overtake(number: int) -> None:
        if number == 2:
            bench.now_s = 2000.0
            assert bench.ledger.claim("you", bench.now_s, 10.0) is not None

    painter.before = overtake
    await bench.worker().work_once()
    assert (bench.job.state, bench.job.done) == (JobState.RUNNING, 0)
    bench.now_s = 3000.0
    painter.before = lambda number: None
    await bench.worker().work_once()
    assert bench.job.state is JobState.DONE


async def test_a_worker_that_is_stopped_gives_its_job_back_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Painter(pause_s=0.02))
    started = asyncio.Event()
    worker = bench.worker(told=lambda batch: started.set())
    running = asyncio.create_task(worker.run())
    await asyncio.wait_for(started.wait(), 5.0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bench.job.state is JobState.QUEUED
    await bench.worker("you").work_once()
    assert bench.job.state is JobState.DONE


async def test_a_worker_looks_for_jobs_when_it_is_woken(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    worker = bench.worker(poll_s=60.0)
    running = asyncio.create_task(worker.run())
    while bench.job.state is not JobState.DONE:
        await asyncio.sleep(0.01)
    later = bench.ledger.create("s", ORDER, IDENTITY.sha256, 0.0)
    worker.woken.set()
    async with asyncio.timeout(20.0):  # less than it takes to look again by itself
        while bench.ledger.get(later.job_id).state is not JobState.DONE:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])


async def test_a_long_inference_keeps_its_lease(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Painter(pause_s=0.5))
    worker = bench.worker(lease_s=0.2)
    running = asyncio.create_task(worker.work_once())
    await asyncio.sleep(0.05)
    bench.now_s += 0.15
    await asyncio.sleep(0.2)
    assert bench.ledger.claim("you", 1000.25, 10.0) is None
    running.cancel()
    await asyncio.wait([running])
