"""An exported generator on a real Triton server: the same images, to the byte, for callers that come together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.models.onnx_backend import OnnxBackend
from services.models.priority import BackgroundBackend, Gate
from services.models.spec import ECHO_SYNTHESIZER
from services.models.triton_backend import connect_triton
from services.synthesis.generate import Made, Studio
from services.synthesis.plan import Order, count_per_view, order_of, plan
from tests.integration.triton.conftest import Serve
from tests.integration.triton.twins import make_twin
from training.diffusion.config import DiffusionConfig, load_preset
from training.export.triton_process import TritonProcess

ORDER = order_of(count_per_view(6, load_preset("smoke", DiffusionConfig).styles), 3)


@pytest.fixture(scope="module")
def server(serve: Serve, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    repository = tmp_path_factory.mktemp("repository")
    make_twin(repository, source=student)
    with serve(repository) as running:
        yield running


async def made_of(studio: Studio, order: Order) -> dict[int, Made]:
    batches = studio.make(plan(order), order.seed, order.format)
    return {made.unit.index: made async for batch in batches for made in batch}


async def test_both_backends_make_the_same_bytes_and_name_the_same_weights(
    server: TritonProcess, student: Path
) -> None:
    embedded = OnnxBackend(student.parent, ECHO_SYNTHESIZER)
    remote = await connect_triton(f"127.0.0.1:{server.grpc_port}", ECHO_SYNTHESIZER)
    try:
        assert remote.identity == replace(embedded.identity, backend="triton")
        here = await made_of(Studio(embedded, None, None, 20.0), ORDER)
        gate = Gate()
        studios = [Studio(BackgroundBackend(remote, gate), None, None, 20.0) for _ in range(2)]
        for there in await asyncio.gather(*(made_of(studio, ORDER) for studio in studios)):
            assert there == here
    finally:
        await embedded.close()
        await remote.close()
