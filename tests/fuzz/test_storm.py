"""A short storm at a real gateway, every bomb in it: what `python -m tests.fuzz.storm` does at length."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.gateway import Gateway, running_gateway
from services.cine.errors import Reason
from tests.fuzz.bombs import BOMBS
from tests.fuzz.storm import Storm, cases, rage, verdicts

pytestmark = pytest.mark.alone

CASES, TURNS = 500, 9
"""Turns enough for nearly every case to be sent beside a neighbour; the last few come two at a time."""

PROMISES = ("answers that are not typed", "p99 of an answer", "gateway grows by", "warm parent grows by")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("storm") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def storm(gateway: Gateway) -> Storm:
    return asyncio.run(rage(gateway, cases(seed=0, first=0, number=CASES), blocks=TURNS, told=lambda: None))


@pytest.mark.timeout(300)
def test_every_hostile_case_was_answered(storm: Storm) -> None:
    assert len(storm.answers) == CASES + len(BOMBS)
    assert len(BOMBS) >= 60


@pytest.mark.parametrize("promise", [*PROMISES, "processes of the start", "neighbour's p99"])
def test_a_promise_holds_through_the_storm(storm: Storm, promise: str) -> None:
    found = {what: verdict for what, verdict in verdicts(storm).items() if what.startswith(promise)}
    assert found, promise
    broken = storm.named(lambda answer: bool(answer.fault))
    assert all(holds for _, holds in found.values()), (found, broken)


def test_a_storm_meets_many_kinds_of_refusal_and_answers_too(storm: Storm) -> None:
    reasons = {answer.reason for answer in storm.answers.values()}
    assert {"VERDICT_ACCEPTED", "VERDICT_REJECTED", Reason.REQUEST_MALFORMED, Reason.PIXELS_DAMAGED} <= reasons
    assert {reason for reason in reasons if reason.startswith("LIMIT_")} >= {"LIMIT_DEPTH", "LIMIT_INFLATION"}


def test_the_log_repeats_nothing_that_was_sent(storm: Storm, gateway: Gateway) -> None:
    text = Path(gateway.log).read_text()
    assert text.count('"predict_view"') >= len(storm.answers)
    assert '"level": "error"' not in text
    assert "Traceback" not in text
    for secret in ("etc/passwd", "many few some", "\\u202e", "%s%n"):
        assert secret not in text
