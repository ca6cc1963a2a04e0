"""A storm of requests at StudyService, sound and unsound: each gets an answer or a typed refusal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from echoplane.v1 import study_pb2, view_pb2
from google.protobuf.message import Message

from deploy.demo.gateway import Gateway, running_gateway
from services.cine.errors import Reason
from services.client import Client
from tests.builders import dicom_bytes, fan_frames, tiny_repository
from tests.fuzz.calls import Answer, ask_all, cases, methods_of, weather
from tests.fuzz.scribbling import TEXTS
from tests.unit.acquisition.studying import KEY, NAME, STUDY, UID

SERVICE = study_pb2.DESCRIPTOR.services_by_name["StudyService"]
METHODS = methods_of(SERVICE)
REFUSALS = {
    "INVALID_ARGUMENT": {Reason.REQUEST_MALFORMED, Reason.STUDY_MISMATCH},
    "NOT_FOUND": {Reason.STUDY_UNKNOWN},
    "RESOURCE_EXHAUSTED": {Reason.QUEUE_FULL},
}
CODES = ("S01-001", "S01-002", "S01-00\u0661", "Lundqvist")
WORDS = (*TEXTS, NAME.trial, NAME.visit, *CODES, UID, STUDY.study, "0" * 64, "1", "9" * 18, "-1")


def sound(name: str, rng: np.random.Generator) -> Message:
    """Give a request that means something: of the one study that there is."""
    if name == "NameStudy":
        names = [{"trial": NAME.trial, "subject_code": code, "visit": NAME.visit} for code in rng.choice(CODES[:2], 2)]
        return METHODS[name](study_id=UID, name=names[0], replaces=names[1] if rng.random() < 0.7 else None)
    return METHODS[name](**{"study": STUDY.study} if "Review" in name else {})


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


async def watched(channel: Any, data: bytes) -> str:
    """Take the first review of a watch."""
    stream = channel.unary_stream(f"/{SERVICE.full_name}/WatchStudyReview", None, lambda answer: answer)
    async for _ in stream(data, timeout=20.0):
        break
    return ""


@pytest.mark.timeout(300)
def test_every_request_gets_an_answer_or_a_typed_refusal(gateway: Gateway) -> None:
    async def rage(seed: int) -> list[Answer]:
        async with Client(gateway.address) as client:
            await client.predict_view(dicom_bytes(fan_frames()), view_pb2.CineHeader(study_id=UID, trial=NAME.trial))
        waiting = list(cases(METHODS, sound, WORDS, [seed, 212]))
        return await ask_all(gateway, SERVICE, waiting, {"WatchStudyReview": watched})

    answers = weather(gateway, rage, REFUSALS)
    told = Counter((name, code) for name, code, _ in answers)
    assert all(told[name, "OK"] for name in METHODS), told
    assert {reason for _, _, reason in answers} >= REFUSALS["INVALID_ARGUMENT"] | REFUSALS["NOT_FOUND"]
    log = Path(gateway.log).read_text()
    for word in ("Traceback", '"level": "error"', "etc/passwd", "Lundqvist", UID, STUDY.study):
        assert word not in log
