"""Fifty cines through both backends, and the gateway itself on a real Triton server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.demo.gateway import running_gateway
from services.cine.intake import IntakeOptions, take_in
from services.client import Client
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER
from services.models.triton_backend import connect_triton
from services.models.view_classifier import predict_view
from tests.integration.triton.twins import REPOSITORY
from training.export.triton_process import TritonProcess
from training.simulator.cine import simulate_cine
from training.simulator.sets.writers import write_avi
from training.simulator.styles import STYLES
from training.simulator.views.names import VIEWS

CINES = 50
SPARE = 5  # some sources zoom so far that no sector is left to show the model
TOLERANCE = 1e-4
_TIMES_MS = np.arange(0, 900, 75.0)


def cine_bytes(number: int, folder: Path) -> bytes:
    view, style = VIEWS[number % len(VIEWS)], STYLES[number % len(STYLES)]
    path = folder / f"{number}.avi"
    write_avi(simulate_cine(900_000 + number, view, style, frame_times_ms=_TIMES_MS, size_px=160), path)
    return path.read_bytes()


async def test_both_backends_give_the_same_probabilities_on_fifty_cines(triton: TritonProcess, tmp_path: Path) -> None:
    embedded = OnnxBackend(REPOSITORY, VIEW_CLASSIFIER)
    remote = await connect_triton(f"127.0.0.1:{triton.grpc_port}", VIEW_CLASSIFIER)
    intakes = [take_in(cine_bytes(number, tmp_path), IntakeOptions()) for number in range(CINES + SPARE)]
    seen = [intake for intake in intakes if len(intake.model_input)][:CINES]
    for intake in seen:
        here = await predict_view(embedded, intake.model_input, 20.0)
        there = await predict_view(remote, intake.model_input, 20.0)
        np.testing.assert_allclose(there.probabilities, here.probabilities, atol=TOLERANCE)
        assert there.view == here.view
    assert len(seen) == CINES
    await embedded.close()
    await remote.close()


async def test_the_gateway_answers_the_same_on_either_backend(triton: TritonProcess, tmp_path: Path) -> None:
    data = cine_bytes(1, tmp_path)
    answers = []
    for settings in ({"BACKEND": "triton", "TRITON_ADDRESS": f"127.0.0.1:{triton.grpc_port}"}, {}):
        with running_gateway(tmp_path / "log", settings) as gateway:
            async with Client(gateway.address) as client:
                answers.append(await client.predict_view(data))
    there, here = answers
    assert (there.model.backend, here.model.backend) == ("triton", "onnxruntime")
    assert there.model.sha256 == here.model.sha256
    assert [p.probability for p in there.probabilities] == pytest.approx(
        [p.probability for p in here.probabilities], abs=TOLERANCE
    )
