"""What `echoplane synthesize --server` does, against a service on loopback in this process."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from echoplane.v1 import synthesis_pb2, synthesis_pb2_grpc
from rich.console import Console

from services.cine.errors import EchoplaneError, Reason
from services.client import CallError, Client
from services.gateway.synthesis_service import METHOD
from services.runtime.rpc import ErrorInterceptor
from services.synthesis.plan import ImageFormat
from services.synthesis.wishes import Wish
from services.synthesis_from_gateway import There
from tests.unit.gateway.test_synthesis_service import Desk, desk_in
from tests.unit.models.tiny_synthesizer import CARD, write_synthesizer
from tests.unit.synthesis.making import IDENTITY, STYLES, Painter

WISH = Wish(3, (), None, has_styles=False, styles=STYLES, seed=2, format=ImageFormat.PNG)


@asynccontextmanager
async def served(
    folder: Path, painter: Painter | None = None, timeout_s: float = 60.0
) -> AsyncIterator[tuple[Desk, str]]:
    async with desk_in(folder, painter=painter, is_filtered=True, timeout_s=timeout_s) as desk:
        server = grpc.aio.server(interceptors=[ErrorInterceptor()])
        synthesis_pb2_grpc.add_SynthesisServiceServicer_to_server(desk.service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield desk, f"127.0.0.1:{port}"
        finally:
            await server.stop(0)


def there(address: str, folder: Path, job: str = "") -> There:
    return There(address, None, "", job, str(folder / "here"), Console(file=io.StringIO()))


async def test_a_stream_and_a_job_are_the_same_batch_and_copies_are_told_as_replaced(tmp_path: Path) -> None:
    write_synthesizer(tmp_path / "models", sha256=IDENTITY.sha256)
    async with served(tmp_path) as (_, address):
        streamed = json.loads(Path(await there(address, tmp_path).make(WISH)).read_text())
        kept = json.loads(Path(await there(address, tmp_path, "j").make(WISH)).read_text())
    assert streamed == kept
    assert streamed["copy_filter"]["index"] == "index"
    assert streamed["copy_filter"]["replaced"] > 0
    assert streamed["warnings"] == []
    assert (streamed["model"]["card"], streamed["model"]["styles"]) == (CARD, list(STYLES))
    assert streamed["total"] == 12


async def test_the_generator_comes_with_the_first_image_only(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, address), Client(address) as client:
        request = synthesis_pb2.GenerateBatchRequest(per_view=9)
        images = [image async for image in client.generate_batch(request)]
    assert [image.HasField("generator") for image in images] == [True] + [False] * 35
    assert {image.copy_index for image in images} == {"index"}


@pytest.mark.parametrize("timeout_s", [None, 0.35], ids=["cancelled", "late"])
async def test_for_a_caller_who_is_gone_at_most_one_more_inference_begins(
    tmp_path: Path, timeout_s: float | None
) -> None:
    painter, request = Painter(pause_s=0.1), synthesis_pb2.GenerateBatchRequest(per_view=25)
    async with served(tmp_path, painter) as (desk, address), Client(address) as client:
        async with aclosing(client.generate_batch(request, timeout_s)) as images:
            with suppress(CallError):
                async for _ in images:
                    if timeout_s is None:
                        break
        begun = painter.calls
        async with asyncio.timeout(10.0):
            while not desk.counted("requests_total", method=METHOD, outcome="error", reason="CANCELLED"):
                await asyncio.sleep(0.01)
        await asyncio.sleep(3 * painter.pause_s)
    assert 0 < painter.calls <= begun + 1
    assert painter.running == 0


@pytest.mark.parametrize("job", ["", "j"], ids=["stream", "job"])
async def test_what_the_gateway_refuses_is_told_with_its_reason(tmp_path: Path, job: str) -> None:
    async with served(tmp_path) as (_, address):
        with pytest.raises(EchoplaneError, match="style") as caught:
            await there(address, tmp_path, job).make(replace(WISH, styles=("loud",)))
    assert caught.value.reason is Reason.REQUEST_MALFORMED


async def test_a_gateway_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(EchoplaneError, match="no gateway"):
        await there("127.0.0.1:1", tmp_path).make(WISH)


async def test_a_job_that_is_cancelled_meanwhile_ends_with_an_error(tmp_path: Path) -> None:
    painter = Painter()
    async with served(tmp_path, painter) as (desk, address):

        def cancel(number: int) -> None:
            if number == 1:
                ledger = desk.service.open_ledger()
                ledger.cancel(ledger.newest(1)[0].job_id)

        painter.before = cancel
        with pytest.raises(EchoplaneError, match="JOB_STATE_CANCELLED"):
            await there(address, tmp_path, "j").make(replace(WISH, per_view=50))


async def test_a_caller_who_does_not_read_keeps_nobody_waiting_for_ever(tmp_path: Path) -> None:
    narrow = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384)]  # else a client takes it all unread
    async with (
        served(tmp_path, timeout_s=1.0) as (_, address),
        grpc.aio.insecure_channel(address, narrow) as idly,
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub = synthesis_pb2_grpc.SynthesisServiceStub(channel)
        idle = synthesis_pb2_grpc.SynthesisServiceStub(idly).GenerateBatch(
            synthesis_pb2.GenerateBatchRequest(per_view=25)
        )
        await idle.read()
        async with asyncio.timeout(20.0):
            polite = [image async for image in stub.GenerateBatch(synthesis_pb2.GenerateBatchRequest(per_view=1))]
        assert len(polite) == 4
        idle.cancel()


@pytest.mark.parametrize("job", ["", "j"], ids=["stream", "job"])
async def test_a_gateway_without_a_synthesizer_is_told_as_one(tmp_path: Path, job: str) -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        with pytest.raises(EchoplaneError, match="export a synthesizer"):
            await there(f"127.0.0.1:{port}", tmp_path, job).make(WISH)
    finally:
        await server.stop(0)
