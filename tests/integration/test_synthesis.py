"""SynthesisService of a gateway that is a process of its own, asked over gRPC."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from echoplane.v1 import synthesis_pb2, synthesis_pb2_grpc, view_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.demo.gateway import Gateway, running_gateway
from services.client import CallError, Client
from services.models.echo_synthesizer import BATCH
from tests.builders import tiny_repository
from tests.integration.test_gateway import metrics
from tests.unit.models.tiny_synthesizer import STYLES, make_graph, write_synthesizer

WORK = 3
"""Convolutions of an inference, so that one takes about a tenth of a second."""

VIEWS = [view_pb2.VIEW_A2C, view_pb2.VIEW_A4C, view_pb2.VIEW_PLAX, view_pb2.VIEW_PSAX]
ENDED = {synthesis_pb2.JOB_STATE_DONE, synthesis_pb2.JOB_STATE_FAILED, synthesis_pb2.JOB_STATE_CANCELLED}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = tiny_repository(tmp_path_factory.mktemp("models"))
    write_synthesizer(repository, make_graph(work=WORK))
    return repository


def settings_of(models: Path, place: Path, **more: str) -> dict[str, str]:
    return {
        "MODEL_REPOSITORY": str(models),
        "SYNTHESIS_OUTPUT": str(place / "out"),
        "SYNTHESIS_LEDGER": str(place / "jobs.sqlite"),
        "SYNTHESIS_LEASE_S": "0.5",
        **more,
    }


@pytest.fixture(scope="module")
def gateway(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("gateway")
    with running_gateway(place / "log", settings_of(models, place, SYNTHESIS_MAX_QUEUED="1")) as running:
        yield running


def batch(**fields: object) -> synthesis_pb2.GenerateBatchRequest:
    return synthesis_pb2.GenerateBatchRequest(**fields)  # type: ignore[arg-type]


async def all_of(
    gateway: Gateway, request: synthesis_pb2.GenerateBatchRequest
) -> list[synthesis_pb2.GenerateBatchResponse]:
    async with Client(gateway.address, retry=None) as client:
        return [image async for image in client.generate_batch(request, 60.0)]


async def ended(client: Client, job_id: str) -> synthesis_pb2.SynthesisJob:
    async with asyncio.timeout(60.0):
        while (job := await client.get_synthesis_job(job_id)).state not in ENDED:
            await asyncio.sleep(0.05)
    return job


async def test_a_client_with_nothing_but_the_stubs_gets_exactly_what_it_asks_for(gateway: Gateway) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        stub = synthesis_pb2_grpc.SynthesisServiceStub(channel)
        images = [image async for image in stub.GenerateBatch(batch(per_view=20, seed=5))]
    assert Counter(image.view for image in images) == dict.fromkeys(VIEWS, 20)
    assert sorted(image.index for image in images) == list(range(80))
    assert len({image.sha256 for image in images}) == len({image.seed for image in images}) == 80
    for image in images:
        pixels = cv2.imdecode(np.frombuffer(image.image, np.uint8), cv2.IMREAD_UNCHANGED)
        assert (pixels.shape, pixels.dtype) == ((112, 112), np.uint8)
        assert hashlib.sha256(image.image).hexdigest() == image.sha256
        assert (image.total, image.style, image.copy_check) == (80, "any", synthesis_pb2.COPY_CHECK_NOT_DONE)
        assert (image.model.name, image.model.trained_on) == ("echo_synthesizer", "nothing")


async def test_images_are_the_same_bytes_from_any_batch_and_from_a_job(gateway: Gateway) -> None:
    whole = {i.seed: i.image for i in await all_of(gateway, batch(per_view=20, styles=STYLES[:2], seed=9))}
    part = await all_of(
        gateway, batch(counts=[synthesis_pb2.ViewCount(view=VIEWS[2], count=3, style=STYLES[1])], seed=9)
    )
    assert all(whole[image.seed] == image.image for image in part)
    async with Client(gateway.address) as client:
        request = synthesis_pb2.CreateSynthesisJobRequest(
            request_id="same", per_view=20, styles=list(STYLES[:2]), seed=9
        )
        job = await ended(client, (await client.create_synthesis_job(request)).job_id)
    manifest = Path(job.manifest_uri)
    images = json.loads(manifest.read_text())["images"]
    assert {i["seed"]: (manifest.parent / i["file"]).read_bytes() for i in images} == whole


async def test_what_is_missing_is_made(gateway: Gateway) -> None:
    existing = [synthesis_pb2.ViewCount(view=view, count=count) for view, count in zip(VIEWS, (3, 5), strict=False)]
    images = await all_of(gateway, batch(existing=existing))
    assert Counter(image.view for image in images) == {VIEWS[0]: 2, VIEWS[2]: 5, VIEWS[3]: 5}


async def test_a_dicom_batch_is_dicom(gateway: Gateway) -> None:
    images = await all_of(gateway, batch(per_view=1, format=synthesis_pb2.IMAGE_FORMAT_DICOM))
    assert all(image.image[128:132] == b"DICM" for image in images)


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (batch(), "INVALID_ARGUMENT", "REQUEST_MALFORMED"),
        (batch(per_view=1, counts=[synthesis_pb2.ViewCount(view=VIEWS[0], count=1)]), "INVALID_ARGUMENT", None),
        (batch(counts=[synthesis_pb2.ViewCount(view=view_pb2.VIEW_OTHER, count=1)]), "INVALID_ARGUMENT", None),
        (batch(per_view=1, styles=["nobody's"]), "INVALID_ARGUMENT", "REQUEST_MALFORMED"),
        (batch(per_view=1, format=9), "INVALID_ARGUMENT", "REQUEST_MALFORMED"),
        (batch(per_view=1, seed=2**53), "INVALID_ARGUMENT", "REQUEST_MALFORMED"),
        (batch(per_view=1, request_id="not one!"), "INVALID_ARGUMENT", "REQUEST_MALFORMED"),
        (batch(counts=[synthesis_pb2.ViewCount(view=VIEWS[0], count=1)] * 1001), "INVALID_ARGUMENT", None),
        (batch(per_view=4_000_000_000), "INVALID_ARGUMENT", "LIMIT_IMAGES"),
    ],
    ids=[
        "nothing",
        "two wishes",
        "no such view",
        "no such style",
        "no such format",
        "seed",
        "id",
        "too long",
        "too many",
    ],
)
async def test_what_cannot_be_made_is_a_typed_error(
    gateway: Gateway, request_: synthesis_pb2.GenerateBatchRequest, code: str, reason: str | None
) -> None:
    with pytest.raises(CallError) as caught:
        await all_of(gateway, request_)
    assert (caught.value.code, caught.value.reason) == (code, reason or "REQUEST_MALFORMED")


async def test_a_message_that_does_not_parse_is_the_callers_fault(gateway: Gateway) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        for call in (
            channel.unary_unary("/echoplane.v1.SynthesisService/CreateSynthesisJob")(b"\xff\xff"),
            channel.unary_stream("/echoplane.v1.SynthesisService/GenerateBatch")(b"\xff\xff").read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def made_so_far(gateway: Gateway) -> float:
    lines = [line for line in metrics(gateway).splitlines() if line.startswith("echoplane_synthetic_images_total{")]
    return sum(float(line.split()[-1]) for line in lines)


@pytest.mark.parametrize("how", ["cancelled", "late"])
async def test_a_caller_who_is_gone_stops_the_work_within_one_inference(gateway: Gateway, how: str) -> None:
    request = batch(per_view=250, seed=1)
    before = made_so_far(gateway)
    async with Client(gateway.address) as client:
        if how == "late":
            with pytest.raises(CallError, match="DEADLINE_EXCEEDED"):
                async for _ in client.generate_batch(request, timeout_s=1.0):
                    pass
        else:
            async with aclosing(client.generate_batch(request)) as images:
                await anext(images)
        gone = made_so_far(gateway)
        await asyncio.sleep(1.5)
        assert before < gone <= made_so_far(gateway) <= gone + BATCH
        assert 'echoplane_queue_depth_requests{method="GenerateBatch"} 0.0' in metrics(gateway)
    assert len(await all_of(gateway, batch(per_view=1))) == 4


async def test_one_batch_runs_one_waits_and_the_next_hears_when_to_come_back(gateway: Gateway) -> None:
    async with Client(gateway.address) as client, aclosing(client.generate_batch(batch(per_view=250))) as first:
        await anext(first)
        second = asyncio.create_task(all_of(gateway, batch(per_view=1)))
        async with asyncio.timeout(10.0):
            while 'echoplane_queue_depth_requests{method="GenerateBatch"} 1.0' not in metrics(gateway):
                await asyncio.sleep(0.02)
        with pytest.raises(CallError) as caught:
            await all_of(gateway, batch(per_view=1))
        assert (caught.value.code, caught.value.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
        assert caught.value.retry_after_s is not None
        await first.aclose()
        assert len(await second) == 4


async def test_twenty_clients_with_one_request_id_get_one_job(gateway: Gateway) -> None:
    request = synthesis_pb2.CreateSynthesisJobRequest(request_id="twenty", per_view=5)

    async def ask() -> str:
        async with Client(gateway.address) as client:
            return (await client.create_synthesis_job(request)).job_id

    ids = await asyncio.gather(*[ask() for _ in range(20)])
    assert len(set(ids)) == 1
    async with Client(gateway.address) as client:
        job = await ended(client, ids[0])
        assert (job.state, job.done, job.total) == (synthesis_pb2.JOB_STATE_DONE, 20, 20)
        request.seed = 1
        with pytest.raises(CallError) as caught:
            await client.create_synthesis_job(request)
        assert (caught.value.code, caught.value.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_TAKEN")


async def test_a_cancelled_job_ends_and_leaves_no_image(gateway: Gateway) -> None:
    async with Client(gateway.address) as client:
        request = synthesis_pb2.CreateSynthesisJobRequest(request_id="cancelled", per_view=2000)
        job_id = (await client.create_synthesis_job(request)).job_id
        async with asyncio.timeout(30.0):
            while not (await client.get_synthesis_job(job_id)).done:
                await asyncio.sleep(0.02)
        await client.cancel_synthesis_job(job_id)
        job = await ended(client, job_id)
        assert job.state == synthesis_pb2.JOB_STATE_CANCELLED
        assert not list(gateway.log.parent.glob(f"out/{job_id}/**/*.png"))
        for ask in (client.get_synthesis_job, client.cancel_synthesis_job):
            with pytest.raises(CallError) as caught:
                await ask("nothing")
            assert (caught.value.code, caught.value.reason) == ("NOT_FOUND", "JOB_UNKNOWN")


async def test_jobs_are_listed_a_page_at_a_time(gateway: Gateway) -> None:
    async with Client(gateway.address) as client:
        for number in range(3):
            request = synthesis_pb2.CreateSynthesisJobRequest(request_id=f"listed-{number}", per_view=1)
            await ended(client, (await client.create_synthesis_job(request)).job_id)
        whole = [job.job_id for job in (await client.list_synthesis_jobs()).jobs]
        found, token = [], ""
        while True:
            page = await client.list_synthesis_jobs(2, token)
            found += [job.job_id for job in page.jobs]
            if not (token := page.next_page_token):
                break
    assert found == whole
    assert len(whole) >= 3


async def test_synthesis_has_its_own_health(gateway: Gateway) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        request = health_pb2.HealthCheckRequest(service="echoplane.v1.SynthesisService")
        answer = await health_pb2_grpc.HealthStub(channel).Check(request)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert 'model="echo_synthesizer"' in metrics(gateway)


async def test_a_gateway_without_a_synthesizer_names_views_and_says_so(tmp_path: Path) -> None:
    settings = settings_of(tiny_repository(tmp_path / "models"), tmp_path)
    with running_gateway(tmp_path / "log", settings) as alone:
        with pytest.raises(CallError, match="UNIMPLEMENTED"):
            await all_of(alone, batch(per_view=1))
        assert "no_synthesis" in alone.log.read_text()
        assert not (tmp_path / "jobs.sqlite").exists()


async def test_a_job_survives_its_gateway_again_and_again(models: Path, tmp_path: Path) -> None:
    settings, total, done = settings_of(models, tmp_path), 400, [0]
    request = synthesis_pb2.CreateSynthesisJobRequest(request_id="survivor", per_view=total // 4, seed=2)
    for _ in range(3):
        with running_gateway(tmp_path / "log", settings) as gateway:
            async with Client(gateway.address) as client:
                job_id = (await client.create_synthesis_job(request)).job_id
                async with asyncio.timeout(30.0):
                    while (job := await client.get_synthesis_job(job_id)).done < done[-1] + 40:
                        await asyncio.sleep(0.01)
                done.append(job.done)
            gateway.process.kill()
            gateway.process.wait()
        assert not list(tmp_path.glob("out/*/manifest.json"))
    with running_gateway(tmp_path / "log", settings) as gateway:
        start = time.monotonic()
        async with Client(gateway.address) as client:
            job = await ended(client, job_id)
        assert time.monotonic() - start < 60.0
    images = json.loads(Path(job.manifest_uri).read_text())["images"]
    assert (job.state, len(images)) == (synthesis_pb2.JOB_STATE_DONE, total)
    assert len({image["sha256"] for image in images}) == total
    for image in images:
        data = (Path(job.manifest_uri).parent / image["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == image["sha256"]
