"""SynthesisService without a server: messages in, messages out, everything counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from echoplane.v1 import synthesis_pb2, view_pb2
from prometheus_client import CollectorRegistry

from services.cine.errors import (
    ConfigError,
    DeadlineError,
    EchoplaneError,
    JobUnknownError,
    LimitExceededError,
    Reason,
    StorageError,
)
from services.cine.views import TARGET_VIEWS
from services.gateway.metrics import GatewayMetrics
from services.gateway.settings import GatewaySettings
from services.gateway.synthesis import Synthesis, open_synthesis
from services.gateway.synthesis_service import METHOD, SynthesisService
from services.models.priority import Gate
from services.synthesis.copies import CopyCheck
from tests.unit.models.tiny_synthesizer import write_synthesizer
from tests.unit.synthesis.making import IDENTITY, STYLES, Painter, Suspicious

CONTEXT: Any = None
A2C, OTHER = view_pb2.VIEW_A2C, view_pb2.VIEW_OTHER
DONE, CANCELLED = synthesis_pb2.JOB_STATE_DONE, synthesis_pb2.JOB_STATE_CANCELLED
ENDED = {DONE, CANCELLED, synthesis_pb2.JOB_STATE_FAILED}


class Desk:
    """What makes images, with a model of numpy, in a folder of its own."""

    def __init__(
        self, folder: Path, painter: Painter | None = None, is_filtered: bool = False, timeout_s: float = 60.0
    ) -> None:
        self.folder, self.registry, self.painter = folder, CollectorRegistry(), painter or Painter()
        settings = GatewaySettings(
            model_repository=folder / "models",
            synthesis_output=str(folder / "out"),
            synthesis_ledger=folder / "jobs.sqlite",
            synthesis_max_batch_images=100,
            synthesis_max_job_images=1000,
            synthesis_batch_timeout_s=timeout_s,
        )
        copies = CopyCheck(Suspicious(), "index", IDENTITY.sha256) if is_filtered else None
        self.synthesis = Synthesis(settings, GatewayMetrics(self.registry), self.painter, copies)

    @property
    def service(self) -> SynthesisService:
        return self.synthesis.service

    async def batch(self, **fields: Any) -> list[synthesis_pb2.GenerateBatchResponse]:
        request = synthesis_pb2.GenerateBatchRequest(**fields)
        return [response async for response in self.service.GenerateBatch(request, CONTEXT)]

    async def create(self, **fields: Any) -> synthesis_pb2.SynthesisJob:
        request = synthesis_pb2.CreateSynthesisJobRequest(**fields)
        return (await self.service.CreateSynthesisJob(request, CONTEXT)).job

    async def get(self, job_id: str) -> synthesis_pb2.SynthesisJob:
        return (await self.service.GetSynthesisJob(synthesis_pb2.GetSynthesisJobRequest(job_id=job_id), CONTEXT)).job

    async def cancel(self, job_id: str) -> synthesis_pb2.SynthesisJob:
        request = synthesis_pb2.CancelSynthesisJobRequest(job_id=job_id)
        return (await self.service.CancelSynthesisJob(request, CONTEXT)).job

    async def ended(self, job_id: str) -> synthesis_pb2.SynthesisJob:
        async with asyncio.timeout(20.0):
            while (job := await self.get(job_id)).state not in ENDED:
                await asyncio.sleep(0.01)
        return job

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"echoplane_{name}", labels) or 0.0


@asynccontextmanager
async def desk_in(folder: Path, **changed: Any) -> AsyncIterator[Desk]:
    desk = Desk(folder, **changed)
    await desk.synthesis.start()
    try:
        yield desk
    finally:
        await desk.synthesis.close()


async def test_a_batch_is_answered_image_by_image_and_counted(tmp_path: Path) -> None:
    async with desk_in(tmp_path, is_filtered=True) as desk:
        images = await desk.batch(per_view=9, styles=STYLES, seed=4, request_id="r-1")
    assert sorted(image.index for image in images) == list(range(36))
    assert {image.copy_check for image in images} == {synthesis_pb2.COPY_CHECK_PASSED}
    assert desk.counted("requests_total", method=METHOD, outcome="accepted", reason="") == 1
    for view in TARGET_VIEWS:
        of_view = [image for image in images if image.view == view_pb2.View.Value(f"VIEW_{view}")]
        assert desk.counted("synthetic_images_total", view=view) == len(of_view) == 9
        assert desk.counted("synthetic_copies_total", view=view) == sum(image.replaced for image in of_view)
    assert sum(image.replaced for image in images) > 0
    assert not (tmp_path / "jobs.sqlite").exists()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, Reason.REQUEST_MALFORMED),
        ({"per_view": 1, "request_id": "text from outside!"}, Reason.REQUEST_MALFORMED),
        ({"per_view": 1, "styles": ["loud"]}, Reason.REQUEST_MALFORMED),
        ({"per_view": 1, "format": 7}, Reason.REQUEST_MALFORMED),
        ({"per_view": 1, "seed": 2**53}, Reason.REQUEST_MALFORMED),
        ({"counts": [synthesis_pb2.ViewCount(view=OTHER, count=1)]}, Reason.REQUEST_MALFORMED),
        ({"counts": [synthesis_pb2.ViewCount(view=A2C)]}, Reason.REQUEST_MALFORMED),
        ({"counts": [synthesis_pb2.ViewCount(view=A2C, count=1)] * 1001}, Reason.REQUEST_MALFORMED),
        ({"counts": [synthesis_pb2.ViewCount(view=A2C, count=1)], "styles": ["soft"]}, Reason.REQUEST_MALFORMED),
        ({"per_view": 26}, Reason.LIMIT_IMAGES),
    ],
)
async def test_what_cannot_be_made_is_refused_and_counted(
    tmp_path: Path, fields: dict[str, Any], reason: Reason
) -> None:
    async with desk_in(tmp_path) as desk:
        with pytest.raises(EchoplaneError) as caught:
            await desk.batch(**fields)
    assert caught.value.reason is reason
    assert "text from outside" not in str(caught.value)
    assert desk.counted("requests_total", method=METHOD, outcome="error", reason=reason) == 1
    assert desk.painter.calls == 0


async def test_a_caller_who_leaves_is_counted_as_cancelled_and_the_next_is_let_in(tmp_path: Path) -> None:
    async with desk_in(tmp_path) as desk:
        request = synthesis_pb2.GenerateBatchRequest(per_view=25)
        async with aclosing(desk.service.GenerateBatch(request, CONTEXT)) as images:  # type: ignore[type-var]
            await anext(images)
        assert desk.counted("requests_total", method=METHOD, outcome="error", reason="CANCELLED") == 1
        assert len(await desk.batch(per_view=1)) == 4


async def test_a_batch_that_takes_too_long_is_told_so(tmp_path: Path) -> None:
    async with desk_in(tmp_path, painter=Painter(pause_s=5.0), timeout_s=0.05) as desk:
        with pytest.raises(DeadlineError):
            await desk.batch(per_view=1)


async def test_a_bug_is_counted_as_one(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        raise ZeroDivisionError

    async with desk_in(tmp_path, painter=Painter(before=fail)) as desk:
        with pytest.raises(ZeroDivisionError):
            await desk.batch(per_view=1)
    assert desk.counted("requests_total", method=METHOD, outcome="error", reason="INTERNAL") == 1


async def test_a_job_is_made_and_told_and_its_request_is_the_same_job(tmp_path: Path) -> None:
    async with desk_in(tmp_path) as desk:
        job = await desk.create(request_id="r", per_view=5, format=synthesis_pb2.IMAGE_FORMAT_DICOM)
        assert (job.total, job.request_id, job.model_sha256) == (20, "r", IDENTITY.sha256)
        done = await desk.ended(job.job_id)
        assert (done.state, done.done) == (DONE, 20)
        assert (done.created.ToSeconds() > 0, done.ended.ToSeconds() > 0) == (True, True)
        assert Path(done.manifest_uri).is_file()
        assert await desk.create(request_id="r", per_view=5, format=synthesis_pb2.IMAGE_FORMAT_DICOM) == done
        with pytest.raises(LimitExceededError):
            await desk.create(request_id="s", per_view=251)
        with pytest.raises(EchoplaneError, match="request_id"):
            await desk.create(per_view=1)
    assert desk.counted("synthetic_images_total", view="PSAX") == 5


async def test_a_job_can_be_cancelled_and_one_that_is_not_there_cannot(tmp_path: Path) -> None:
    async with desk_in(tmp_path, painter=Painter(pause_s=0.05)) as desk:
        job = await desk.create(request_id="r", per_view=250)
        await desk.cancel(job.job_id)
        assert (await desk.ended(job.job_id)).state == CANCELLED
        ask: Callable[[str], Any]
        for ask in (desk.get, desk.cancel):
            with pytest.raises(JobUnknownError):
                await ask("nothing")


async def test_jobs_that_an_earlier_process_left_are_gone_on_with(tmp_path: Path) -> None:
    async with desk_in(tmp_path, painter=Painter(pause_s=0.02)) as desk:
        job = await desk.create(request_id="r", per_view=40)
        while not (await desk.get(job.job_id)).done:
            await asyncio.sleep(0.01)
    async with desk_in(tmp_path) as after:
        assert (await after.ended(job.job_id)).state == DONE


async def test_jobs_are_listed_by_pages(tmp_path: Path) -> None:
    def page(**fields: Any) -> synthesis_pb2.ListSynthesisJobsRequest:
        return synthesis_pb2.ListSynthesisJobsRequest(**fields)

    async with desk_in(tmp_path) as desk:
        for name in "abc":
            await desk.create(request_id=name, per_view=1)
        first = await desk.service.ListSynthesisJobs(page(page_size=2), CONTEXT)
        rest = await desk.service.ListSynthesisJobs(page(page_size=2, page_token=first.next_page_token), CONTEXT)
        assert [job.request_id for job in (*first.jobs, *rest.jobs)] == ["c", "b", "a"]
        assert rest.next_page_token == ""
        for wrong in (page(page_size=1001), page(page_token="x"), page(page_token="9" * 30), page(page_token="٣")):
            with pytest.raises(EchoplaneError):
                await desk.service.ListSynthesisJobs(wrong, CONTEXT)


def settings_of(repository: Path, **more: Any) -> GatewaySettings:
    return GatewaySettings(model_repository=repository, synthesis_ledger=repository / "jobs.sqlite", **more)


async def test_the_embedded_synthesizer_is_opened_where_there_is_one(tmp_path: Path) -> None:
    metrics = GatewayMetrics(CollectorRegistry())
    assert await open_synthesis(settings_of(tmp_path), metrics, Gate()) is None
    write_synthesizer(tmp_path)
    found = await open_synthesis(settings_of(tmp_path), GatewayMetrics(CollectorRegistry()), Gate())
    assert found is not None
    assert found.studio.identity.name == "echo_synthesizer"
    assert await found.studio.backend.is_ready()
    await found.close()


async def test_a_place_for_images_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    write_synthesizer(tmp_path)
    with pytest.raises(ConfigError, match="place for images"):
        await open_synthesis(
            settings_of(tmp_path, synthesis_output="nosuch://x"), GatewayMetrics(CollectorRegistry()), Gate()
        )


async def test_a_list_of_jobs_that_cannot_be_opened_keeps_no_batch_away(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"this is no database at all " * 100)
    async with desk_in(tmp_path) as desk:
        with pytest.raises(StorageError):
            await desk.create(request_id="r", per_view=1)
        assert len(await desk.batch(per_view=1)) == 4
