"""A storm of requests at SynthesisService, sound and unsound: each gets an answer or a typed refusal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from echoplane.v1 import synthesis_pb2
from google.protobuf.message import Message

from deploy.demo.gateway import Gateway, running_gateway
from services.cine.errors import Reason
from tests.builders import tiny_repository
from tests.fuzz.asking import memory_mib, reason_of
from tests.fuzz.scribbling import TEXTS, damaged, scribble
from tests.unit.models.tiny_synthesizer import STYLES, write_synthesizer

CASES = 400
WAVE = 12
SERVICE = synthesis_pb2.DESCRIPTOR.services_by_name["SynthesisService"]
METHODS = {method.name: method.input_type._concrete_class for method in SERVICE.methods}
REFUSALS = {
    "INVALID_ARGUMENT": {Reason.REQUEST_MALFORMED, Reason.LIMIT_IMAGES, Reason.REQUEST_ID_TAKEN},
    "NOT_FOUND": {Reason.JOB_UNKNOWN},
    "RESOURCE_EXHAUSTED": {Reason.QUEUE_FULL},
}
WORDS = (*TEXTS, *STYLES)
GROWTH_MIB = 40.0
"""Of a gateway that has answered everything once."""


def sound(name: str, rng: np.random.Generator) -> Message:
    """Give a request that asks for little and means something; jobs share a few names."""
    if name in ("GenerateBatch", "CreateSynthesisJob"):
        number = int(rng.integers(1, 4))
        return METHODS[name](per_view=number, seed=number, request_id=f"storm-{number}")
    return METHODS[name]()


def cases(seed: int) -> Iterator[tuple[str, bytes]]:
    """Give methods and what they are sent: scribbled messages, some cut, some with bytes changed, some noise."""
    rng = np.random.default_rng([seed, 211])
    names = list(METHODS)
    for _ in range(CASES):
        name = str(rng.choice(names))
        message = sound(name, rng) if rng.random() < 0.4 else scribble(METHODS[name](), rng, WORDS)
        yield name, damaged(message.SerializeToString(), rng)


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


async def rage(gateway: Gateway, seed: int) -> list[tuple[str, str, str]]:
    """Send every case, some at once; gives method, code and reason, or what is wrong with an answer."""
    async with grpc.aio.insecure_channel(gateway.address) as channel:

        async def ask(name: str, data: bytes) -> tuple[str, str, str]:
            path = f"/{SERVICE.full_name}/{name}"
            try:
                if name == "GenerateBatch":
                    stream: Any = channel.unary_stream(path, None, synthesis_pb2.GenerateBatchResponse.FromString)
                    images = [image async for image in stream(data, timeout=60.0)]
                    whole = [image.index for image in images] == list(range(images[0].total))
                    return name, "OK", "" if whole else f"{len(images)} of {images[0].total} images"
                call: Any = channel.unary_unary(path, None, lambda answer: answer)
                await call(data, timeout=60.0)
            except grpc.aio.AioRpcError as error:
                return name, error.code().name, reason_of(error) or str(error.details())
            return name, "OK", ""

        answers = []
        waiting = list(cases(seed))
        for start in range(0, len(waiting), WAVE):
            answers += await asyncio.gather(*(ask(*case) for case in waiting[start : start + WAVE]))
        return answers


@pytest.mark.timeout(300)
def test_every_request_gets_an_answer_or_a_typed_refusal(gateway: Gateway) -> None:
    answers = asyncio.run(rage(gateway, seed=0))
    before = memory_mib(gateway.process.pid)
    answers += asyncio.run(rage(gateway, seed=1))
    assert len(answers) == 2 * CASES
    strange = [
        answer
        for answer in answers
        if (answer[1], answer[2]) != ("OK", "") and answer[2] not in REFUSALS.get(answer[1], ())
    ]
    assert not strange
    told = Counter((name, code) for name, code, _ in answers)
    assert all(told[name, "OK"] for name in ("GenerateBatch", "CreateSynthesisJob", "ListSynthesisJobs")), told
    assert memory_mib(gateway.process.pid) - before < GROWTH_MIB
    log = Path(gateway.log).read_text()
    assert "Traceback" not in log
    assert '"level": "error"' not in log
    assert "etc/passwd" not in log
