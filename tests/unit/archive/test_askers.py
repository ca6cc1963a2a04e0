"""Who is asked: a gateway without room is waited for, one that is gone ends the run, and so does a lost reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from echoplane.v1 import view_pb2

from services.archive.askers import AWAY_PATIENCE_S, QUEUE_PATIENCE_S, AskHere, AskServer
from services.cine.errors import CineUnreadableError, ModelUnavailableError, ReaderUnavailableError, Reason
from services.cine.intake import IntakeOptions
from services.client import CallError

FULL = CallError("RESOURCE_EXHAUSTED", "QUEUE_FULL", "full", 1.0)
AWAY = CallError("UNAVAILABLE", "", "nobody there", None)
BAD = CallError("INVALID_ARGUMENT", "EMPTY", "empty", None)
TOO_LARGE = CallError("RESOURCE_EXHAUSTED", "", "message larger than max", None)


class Gateway:
    """Answers with errors first, the last of them for ever where `is_lost`."""

    def __init__(self, *errors: CallError, is_lost: bool = False) -> None:
        self.errors, self.is_lost = list(errors), is_lost
        self.pauses: list[float] = []
        self.headers: list[Any] = []

    async def predict_view(self, data: bytes, header: Any = None) -> view_pb2.PredictViewResponse:
        self.headers.append(header)
        if self.errors:
            raise self.errors[0] if self.is_lost and len(self.errors) == 1 else self.errors.pop(0)
        return view_pb2.PredictViewResponse(verdict="VERDICT_ACCEPTED", model={"sha256": "ab12"})

    async def sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)


async def ask(gateway: Gateway) -> Any:
    asker = AskServer(gateway, gateway.sleep)  # type: ignore[arg-type]
    return await asker.ask(Path("a"), "a", b"cine", IntakeOptions(max_frames=4))


async def test_a_full_queue_is_waited_for_at_least_as_long_as_it_says() -> None:
    gateway = Gateway(FULL, FULL, FULL, FULL, FULL)
    assert (await ask(gateway)).verdict == "ACCEPTED"
    assert all(pause >= 1.0 for pause in gateway.pauses)
    assert gateway.pauses[-1] > gateway.pauses[0]
    assert gateway.headers[-1].max_frames == 4


async def test_a_queue_that_stays_full_is_an_error_of_the_file() -> None:
    gateway = Gateway(FULL, is_lost=True)
    answer = await ask(gateway)
    assert (answer.verdict, answer.reason) == ("ERROR", "QUEUE_FULL")
    assert QUEUE_PATIENCE_S / 2 < sum(gateway.pauses) <= QUEUE_PATIENCE_S


async def test_a_gateway_that_is_away_for_a_moment_is_waited_for() -> None:
    assert (await ask(Gateway(AWAY, AWAY, FULL, AWAY))).verdict == "ACCEPTED"


async def test_a_gateway_that_stays_away_ends_the_run_and_not_only_the_file() -> None:
    gateway = Gateway(*[FULL] * 12, AWAY, is_lost=True)
    with pytest.raises(ModelUnavailableError, match=r"UNAVAILABLE.*nobody there.*--csv"):
        await ask(gateway)
    assert AWAY_PATIENCE_S / 2 < sum(gateway.pauses[12:]) <= AWAY_PATIENCE_S


@pytest.mark.parametrize("error", [BAD, TOO_LARGE])
async def test_what_waiting_does_not_help_is_told_at_once(error: CallError) -> None:
    gateway = Gateway(error)
    answer = await ask(gateway)
    assert answer.reason == (error.reason or error.code)
    assert gateway.pauses == []


async def test_a_gateway_tells_its_model_or_is_not_used() -> None:
    assert await AskServer(Gateway()).model() == "ab12"  # type: ignore[arg-type]
    with pytest.raises(ModelUnavailableError):
        await AskServer(Gateway(AWAY)).model()  # type: ignore[arg-type]


class Assessor:
    """Loses its reader with every call for a cine; with every call at all where it is broken."""

    def __init__(self, is_broken: bool = False) -> None:
        self.is_broken, self.calls = is_broken, 0

    async def assess(self, data: bytes, options: IntakeOptions) -> Any:
        self.calls += 1
        if data or self.is_broken:
            raise ReaderUnavailableError
        raise CineUnreadableError(Reason.EMPTY, found="a", expected="b", advice="c")


async def test_a_file_that_loses_every_reader_is_given_up() -> None:
    assessor = Assessor()
    answer = await AskHere(assessor, pause_s=0.0).ask(Path("a"), "a", b"cine", IntakeOptions())  # type: ignore[arg-type]
    assert (answer.reason, assessor.calls) == ("READER_UNAVAILABLE", 4)


async def test_a_reader_that_never_starts_ends_the_run() -> None:
    with pytest.raises(ReaderUnavailableError):
        await AskHere(Assessor(True), pause_s=0.0).ask(Path("a"), "a", b"cine", IntakeOptions())  # type: ignore[arg-type]
