"""The Triton backend against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.cine.cine import FloatArray
from services.cine.errors import CapacityError, ModelContractError, ModelTimeoutError, ModelUnavailableError
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER
from services.models.triton_backend import TritonBackend, connect_triton
from services.models.view_classifier import predict_view
from tests.integration.triton.conftest import Serve
from tests.integration.triton.twins import REPOSITORY, make_twin
from training.export.triton_process import TritonProcess

TIMEOUT_S = 20.0
TOLERANCE = 1e-4
"""Of a probability, between backends."""


@asynccontextmanager
async def connected(server: TritonProcess, model: str = VIEW_CLASSIFIER.name) -> AsyncIterator[TritonBackend]:
    backend = await connect_triton(f"127.0.0.1:{server.grpc_port}", replace(VIEW_CLASSIFIER, name=model))
    try:
        yield backend
    finally:
        await backend.close()


def random_input(seed: int, frames: int) -> FloatArray:
    return np.random.default_rng(seed).uniform(-1, 1, (frames, *VIEW_CLASSIFIER.inputs[0].shape)).astype(np.float32)


async def test_both_backends_give_the_same_probabilities_also_when_triton_merges_requests(
    triton: TritonProcess,
) -> None:
    inputs = [random_input(seed, frames=1 + seed % 16) for seed in range(50)]
    embedded = OnnxBackend(REPOSITORY, VIEW_CLASSIFIER)
    async with connected(triton) as remote:
        answers = await asyncio.gather(*(predict_view(remote, each, TIMEOUT_S) for each in inputs))
    for answer, each in zip(answers, inputs, strict=True):
        expected = await predict_view(embedded, each, TIMEOUT_S)
        np.testing.assert_allclose(answer.frame_probabilities, expected.frame_probabilities, atol=TOLERANCE)
        np.testing.assert_allclose(answer.probabilities, expected.probabilities, atol=TOLERANCE)
    await embedded.close()


async def test_both_backends_name_the_same_weights(triton: TritonProcess) -> None:
    embedded = OnnxBackend(REPOSITORY, VIEW_CLASSIFIER)
    async with connected(triton) as remote:
        assert remote.identity == replace(embedded.identity, backend="triton")
        assert await remote.is_ready()
    await embedded.close()


async def test_model_for_other_preprocessing_is_refused_at_start(triton: TritonProcess) -> None:
    with pytest.raises(ModelContractError, match="of another version"):
        async with connected(triton, "foreign"):
            pass


async def test_model_that_the_server_does_not_have_is_unavailable(triton: TritonProcess) -> None:
    with pytest.raises(ModelUnavailableError):
        async with connected(triton, "nowhere"):
            pass


async def test_input_of_another_shape_is_a_broken_contract(triton: TritonProcess) -> None:
    async with connected(triton) as backend:
        with pytest.raises(ModelContractError):
            await backend.infer({"frames": np.zeros((1, 1, 64, 64), np.float32)}, TIMEOUT_S)


async def test_late_answer_is_a_timeout(triton: TritonProcess) -> None:
    async with connected(triton, "slow") as backend:
        with pytest.raises(ModelTimeoutError):
            await predict_view(backend, random_input(0, 1), timeout_s=0.2)


async def test_request_that_waits_too_long_in_the_queue_is_a_timeout(triton: TritonProcess) -> None:
    async with connected(triton, "slow") as backend:
        first = asyncio.create_task(predict_view(backend, random_input(0, 64), TIMEOUT_S))
        await asyncio.wait([first], timeout=0.1)
        with pytest.raises(ModelTimeoutError):
            await predict_view(backend, random_input(1, 64), timeout_s=0.3)
        await first


async def test_full_queue_is_lack_of_capacity_and_does_not_disturb_the_others(triton: TritonProcess) -> None:
    async with connected(triton, "narrow") as backend:
        calls = [predict_view(backend, random_input(seed, 64), TIMEOUT_S) for seed in range(8)]
        results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert refused
    assert all(isinstance(error, CapacityError) for error in refused)
    assert len(refused) < len(calls)


async def test_stopped_server_is_not_ready_and_unavailable(serve: Serve, tmp_path: Path) -> None:
    make_twin(tmp_path)
    with serve(tmp_path) as server:
        async with connected(server) as backend:
            assert await backend.is_ready()
            server.stop()
            assert not await backend.is_ready()
            with pytest.raises(ModelUnavailableError):
                await predict_view(backend, random_input(0, 1), TIMEOUT_S)
        with pytest.raises(ModelUnavailableError):
            async with connected(server):
                pass
