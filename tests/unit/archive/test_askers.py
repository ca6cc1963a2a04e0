"""Who is asked: a gateway that is gone ends the run, and so does a lost reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from echoplane.v1 import view_pb2

from services.archive.askers import AskHere, AskServer
from services.cine.errors import CineUnreadableError, ModelUnavailableError, ReaderUnavailableError, Reason
from services.cine.intake import IntakeOptions
from services.client import CallError

FULL = CallError("RESOURCE_EXHAUSTED", "QUEUE_FULL", "full", 1.0)
AWAY = CallError("UNAVAILABLE", "", "nobody there", None)
BAD = CallError("INVALID_ARGUMENT", "EMPTY", "empty", None)
TOO_LARGE = CallError("RESOURCE_EXHAUSTED", "", "message larger than max", None)


class Gateway:
    """Answers, or ends each call in an error."""

    def __init__(self, error: CallError | None = None) -> None:
        self.error = error
        self.headers: list[Any] = []

    async def predict_view(self, data: bytes, header: Any = None, timeout_s: float = 0) -> view_pb2.PredictViewResponse:
        self.headers.append(header)
        if self.error is not None:
            raise self.error
        return view_pb2.PredictViewResponse(verdict="VERDICT_ACCEPTED", model={"sha256": "ab12"})


async def ask(gateway: Gateway) -> Any:
    return await AskServer(gateway).ask(Path("a"), "a", b"cine", IntakeOptions(max_frames=4))  # type: ignore[arg-type]


async def test_a_file_is_asked_about_with_its_options() -> None:
    gateway = Gateway()
    assert (await ask(gateway)).verdict == "ACCEPTED"
    assert gateway.headers[-1].max_frames == 4


async def test_a_gateway_that_stays_away_ends_the_run_and_not_only_the_file() -> None:
    with pytest.raises(ModelUnavailableError, match=r"UNAVAILABLE.*nobody there.*--csv"):
        await ask(Gateway(AWAY))


@pytest.mark.parametrize("error", [FULL, BAD, TOO_LARGE])
async def test_any_other_error_is_the_files(error: CallError) -> None:
    answer = await ask(Gateway(error))
    assert (answer.verdict, answer.reason) == ("ERROR", error.reason or error.code)


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
