"""A storm of requests at StudyService, sound and unsound: each gets an answer or a typed refusal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from echoplane.v1 import study_pb2, view_pb2
from google.protobuf.message import Message

from deploy.demo.gateway import Gateway, running_gateway
from services.cine.errors import Reason
from services.client import Client
from tests.builders import dicom_bytes, fan_frames, tiny_repository
from tests.fuzz.asking import memory_mib, reason_of
from tests.fuzz.scribbling import TEXTS, damaged, scribble
from tests.unit.acquisition.studying import KEY, NAME, STUDY, UID

CASES = 400
WAVE = 12
SERVICE = study_pb2.DESCRIPTOR.services_by_name["StudyService"]
METHODS = {method.name: method.input_type._concrete_class for method in SERVICE.methods}
WATCH = "WatchStudyReview"
REFUSALS = {
    "INVALID_ARGUMENT": {Reason.REQUEST_MALFORMED, Reason.STUDY_MISMATCH},
    "NOT_FOUND": {Reason.STUDY_UNKNOWN},
    "RESOURCE_EXHAUSTED": {Reason.QUEUE_FULL},
}
CODES = ("S01-001", "S01-002", "S01-00\u0661", "Lundqvist")
WORDS = (*TEXTS, NAME.trial, NAME.visit, *CODES, UID, STUDY.study, "0" * 64, "1", "9" * 18, "-1")
GROWTH_MIB = 40.0
"""Of a gateway that has answered everything once."""


def sound(name: str, rng: np.random.Generator) -> Message:
    """Give a request that means something: of the one study that there is."""
    if name == "NameStudy":
        names = [{"trial": NAME.trial, "subject_code": code, "visit": NAME.visit} for code in rng.choice(CODES[:2], 2)]
        return METHODS[name](study_id=UID, name=names[0], replaces=names[1] if rng.random() < 0.7 else None)
    return METHODS[name](**{"study": STUDY.study} if "Review" in name else {})


def cases(seed: int) -> Iterator[tuple[str, bytes]]:
    """Give methods and what they are sent: scribbled messages, some cut, some with bytes changed, some noise."""
    rng = np.random.default_rng([seed, 212])
    names = list(METHODS)
    for _ in range(CASES):
        name = str(rng.choice(names))
        message = sound(name, rng) if rng.random() < 0.4 else scribble(METHODS[name](), rng, WORDS)
        yield name, damaged(message.SerializeToString(), rng)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("study_storm")
    (place / "key").write_bytes(KEY)
    settings = {
        "MODEL_REPOSITORY": str(tiny_repository(place / "models")),
        "TRIAL_PROTOCOL": "deploy/trials/example.yaml",
        "STUDY_KEY_FILE": str(place / "key"),
        "STUDY_DATABASE": str(place / "studies.sqlite"),
    }
    with running_gateway(place / "log", settings) as running:
        yield running


async def rage(gateway: Gateway, seed: int) -> list[tuple[str, str, str]]:
    """Send every case, some at once; gives method, code and reason."""
    async with Client(gateway.address) as client:
        await client.predict_view(dicom_bytes(fan_frames()), view_pb2.CineHeader(study_id=UID, trial=NAME.trial))
    async with grpc.aio.insecure_channel(gateway.address) as channel:

        async def ask(name: str, data: bytes) -> tuple[str, str, str]:
            path = f"/{SERVICE.full_name}/{name}"
            try:
                if name == WATCH:
                    stream: Any = channel.unary_stream(path, None, lambda answer: answer)
                    async for _ in stream(data, timeout=20.0):
                        break
                else:
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
    strange = [each for each in answers if each[1] != "OK" and each[2] not in REFUSALS.get(each[1], ())]
    assert not strange
    told = Counter((name, code) for name, code, _ in answers)
    assert all(told[name, "OK"] for name in METHODS), told
    assert {reason for _, _, reason in answers} >= REFUSALS["INVALID_ARGUMENT"] | REFUSALS["NOT_FOUND"]
    assert memory_mib(gateway.process.pid) - before < GROWTH_MIB
    log = Path(gateway.log).read_text()
    for word in ("Traceback", '"level": "error"', "etc/passwd", "Lundqvist", UID, STUDY.study):
        assert word not in log
