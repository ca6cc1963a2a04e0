"""A storm of requests at SynthesisService, sound and unsound: each gets an answer or a typed refusal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from echoplane.v1 import synthesis_pb2
from google.protobuf.message import Message

from deploy.demo.gateway import Gateway, running_gateway
from services.cine.errors import Reason
from tests.builders import tiny_repository
from tests.fuzz.calls import Answer, ask_all, cases, methods_of, weather
from tests.fuzz.scribbling import TEXTS
from tests.unit.models.tiny_synthesizer import STYLES, write_synthesizer

SERVICE = synthesis_pb2.DESCRIPTOR.services_by_name["SynthesisService"]
METHODS = methods_of(SERVICE)
REFUSALS = {
    "INVALID_ARGUMENT": {Reason.REQUEST_MALFORMED, Reason.LIMIT_IMAGES, Reason.REQUEST_ID_TAKEN},
    "NOT_FOUND": {Reason.JOB_UNKNOWN},
    "RESOURCE_EXHAUSTED": {Reason.QUEUE_FULL},
}


def sound(name: str, rng: np.random.Generator) -> Message:
    """Give a request that asks for little and means something; jobs share a few names."""
    if name in ("GenerateBatch", "CreateSynthesisJob"):
        number = int(rng.integers(1, 4))
        return METHODS[name](per_view=number, seed=number, request_id=f"storm-{number}")
    return METHODS[name]()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("synthesis_storm")
    models = tiny_repository(place / "models")
    write_synthesizer(models)
    settings = {
        "MODEL_REPOSITORY": str(models),
        "SYNTHESIS_OUTPUT": str(place / "out"),
        "SYNTHESIS_LEDGER": str(place / "jobs.sqlite"),
    }
    with running_gateway(place / "log", settings) as running:
        yield running


async def generated(channel: Any, data: bytes) -> str:
    """Take a whole batch; say where images are missing."""
    path, read = f"/{SERVICE.full_name}/GenerateBatch", synthesis_pb2.GenerateBatchResponse.FromString
    images = [image async for image in channel.unary_stream(path, None, read)(data, timeout=60.0)]
    whole = [image.index for image in images] == list(range(images[0].total))
    return "" if whole else f"{len(images)} of {images[0].total} images"


@pytest.mark.timeout(300)
def test_every_request_gets_an_answer_or_a_typed_refusal(gateway: Gateway) -> None:
    async def rage(seed: int) -> list[Answer]:
        waiting = list(cases(METHODS, sound, (*TEXTS, *STYLES), [seed, 211]))
        return await ask_all(gateway, SERVICE, waiting, {"GenerateBatch": generated})

    told = Counter((name, code) for name, code, _ in weather(gateway, rage, REFUSALS))
    assert all(told[name, "OK"] for name in ("GenerateBatch", "CreateSynthesisJob", "ListSynthesisJobs")), told
    log = Path(gateway.log).read_text()
    for word in ("Traceback", '"level": "error"', "etc/passwd"):
        assert word not in log
