"""What `echoplane synthesize --server` does, against a service on loopback in this process."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from echoplane.v1 import synthesis_pb2, synthesis_pb2_grpc
from rich.console import Console

from services.cine.errors import EchoplaneError, Reason
from services.runtime.rpc import ErrorInterceptor
from services.synthesis.plan import ImageFormat
from services.synthesis.wishes import Wish
from services.synthesis_from_gateway import There
from tests.unit.gateway.test_synthesis_service import Desk, desk_in
from tests.unit.synthesis.making import STYLES, Painter

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
    return There(address, None, job, str(folder / "here"), Console(file=io.StringIO()))


async def test_a_stream_and_a_job_are_the_same_batch_and_copies_are_told_as_replaced(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, address):
        streamed = json.loads(Path(await there(address, tmp_path).make(WISH)).read_text())
        kept = json.loads(Path(await there(address, tmp_path, "j").make(WISH)).read_text())
    assert streamed["images"] == kept["images"]
    assert streamed["copy_filter"]["replaced"] == kept["copy_filter"]["replaced"]
    assert streamed["warnings"] == []
    assert streamed["total"] == 12


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
