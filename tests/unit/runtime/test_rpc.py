"""Errors become status with details; calls are let in up to a number and a size."""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cine import errors
from services.cine.errors import Reason
from services.runtime.rpc import DOMAIN, DRAIN_S, Admission, ErrorInterceptor, status_code, to_status

PARTS: dict[str, Any] = {"found": "a pear", "expected": "an apple", "advice": "Try again."}
OWN_REASON: tuple[tuple[type[errors.EchoplaneError], Reason, grpc.StatusCode], ...] = (
    (errors.CapacityError, Reason.QUEUE_FULL, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.DeadlineError, Reason.DEADLINE, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.ModelUnavailableError, Reason.MODEL_UNAVAILABLE, grpc.StatusCode.UNAVAILABLE),
    (errors.ModelTimeoutError, Reason.MODEL_TIMEOUT, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.ModelContractError, Reason.MODEL_CONTRACT, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.ConfigError, Reason.CONFIG, grpc.StatusCode.INTERNAL),
    (errors.StorageError, Reason.STORAGE, grpc.StatusCode.UNAVAILABLE),
    (errors.UnauthenticatedError, Reason.UNAUTHENTICATED, grpc.StatusCode.UNAUTHENTICATED),
)
DENIALS = (Reason.SITE_DENIED, Reason.CERTIFICATE_DENIED, Reason.TRIAL_DENIED, Reason.METHOD_DENIED)
GIVEN_REASON = (
    errors.CineUnreadableError,
    errors.CineUnsupportedError,
    errors.LimitExceededError,
    errors.RequestInvalidError,
)


def every_error() -> list[tuple[errors.EchoplaneError, Reason, grpc.StatusCode]]:
    """One of each class, and of each class that is given its reason one of each reason."""
    own = [(kind(**PARTS), reason, code) for kind, reason, code in OWN_REASON]
    quota = errors.CapacityError(**PARTS, reason=Reason.QUOTA)
    fixed: list[tuple[errors.EchoplaneError, Reason, grpc.StatusCode]] = [
        (errors.ReaderUnavailableError(), Reason.READER_UNAVAILABLE, grpc.StatusCode.UNAVAILABLE),
        (errors.JobUnknownError(), Reason.JOB_UNKNOWN, grpc.StatusCode.NOT_FOUND),
        (errors.StudyUnknownError(), Reason.STUDY_UNKNOWN, grpc.StatusCode.NOT_FOUND),
        (errors.TrialUnknownError(), Reason.TRIAL_UNKNOWN, grpc.StatusCode.NOT_FOUND),
        (quota, Reason.QUOTA, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ]
    fixed += [(errors.AccessDeniedError(r, **PARTS), r, grpc.StatusCode.PERMISSION_DENIED) for r in DENIALS]
    left = set(Reason) - {reason for _, reason, _ in [*own, *fixed]}
    given = [(kind(r, **PARTS), r, grpc.StatusCode.INVALID_ARGUMENT) for kind in GIVEN_REASON for r in sorted(left)]
    return [*own, *fixed, *given]


def detail(error: errors.EchoplaneError, kind: type[Message]) -> Message | None:
    found = [packed for packed in to_status(error).details if packed.Is(kind.DESCRIPTOR)]
    assert len(found) <= 1
    if not found:
        return None
    message = kind()
    found[0].Unpack(message)
    return message


@pytest.mark.parametrize(("error", "reason", "code"), every_error())
def test_status_has_code_reason_domain_and_message(
    error: errors.EchoplaneError, reason: Reason, code: grpc.StatusCode
) -> None:
    status = to_status(error)
    info = detail(error, error_details_pb2.ErrorInfo)
    assert status.code == code.value[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == (reason.value, DOMAIN)
    assert re.fullmatch(r"Found .+; expected .+\. .+\.", status.message)


def test_every_reason_reaches_the_wire() -> None:
    assert {reason for _, reason, _ in every_error()} == set(Reason)


def test_only_what_the_caller_can_fix_is_an_invalid_argument() -> None:
    for error, _, code in every_error():
        assert isinstance(error, errors.InputError) == (code is grpc.StatusCode.INVALID_ARGUMENT)


def test_only_unavailable_may_be_retried_blindly() -> None:
    for error, _, code in every_error():
        if code is grpc.StatusCode.UNAVAILABLE:
            assert error.retryable


@pytest.mark.parametrize("retry_after_s", [0.25, 1.0, 90.0])
def test_a_full_queue_says_when_to_come_again(retry_after_s: float) -> None:
    error = errors.CapacityError(**PARTS, retry_after_s=retry_after_s)
    info = detail(error, error_details_pb2.RetryInfo)
    assert isinstance(info, error_details_pb2.RetryInfo)
    assert info.retry_delay.ToTimedelta().total_seconds() == retry_after_s


def test_nothing_else_carries_a_delay() -> None:
    for error, _, _ in every_error():
        if not isinstance(error, errors.CapacityError):
            assert detail(error, error_details_pb2.RetryInfo) is None


def test_an_error_without_a_code_of_its_own_is_internal() -> None:
    assert status_code(errors.EchoplaneError(Reason.CONFIG, **PARTS)) is grpc.StatusCode.INTERNAL


# ---- admission ------------------------------------------------------------------------------------------------------


class Hall:
    """Callers that come in, work and leave; it counts what Admission must bound."""

    def __init__(self, running: int, queued: int) -> None:
        self.told: list[int] = []
        self.admission = Admission(running, queued, max_bytes=100, on_change=self.told.append)
        self.inside = self.working = self.most_inside = self.most_working = self.refused = 0

    async def call(self, pauses: int) -> None:
        try:
            async with self.admission.admitted():
                await self._work(pauses)
        except errors.CapacityError:
            self.refused += 1

    async def _work(self, pauses: int) -> None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            async with self.admission.working():
                self.working += 1
                self.most_working = max(self.most_working, self.working)
                for _ in range(pauses):
                    await asyncio.sleep(0)
                self.working -= 1
        finally:
            self.inside -= 1


@settings(max_examples=40)
@given(st.integers(1, 4), st.integers(0, 5), st.lists(st.integers(1, 5), min_size=1, max_size=20))
def test_no_more_run_or_wait_than_may_and_the_rest_are_refused(running: int, queued: int, pauses: list[int]) -> None:
    hall = Hall(running, queued)

    async def rush() -> None:
        await asyncio.gather(*(hall.call(pause) for pause in pauses))

    asyncio.run(rush())
    assert hall.most_working <= running
    assert hall.most_inside <= running + queued
    assert hall.refused == max(0, len(pauses) - running - queued)
    assert hall.told[-1] == 0
    assert all(0 <= waiting <= running + queued for waiting in hall.told)


async def test_on_change_tells_how_many_wait() -> None:
    hall = Hall(running=1, queued=3)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(hall.admission.admitted())
        await stack.enter_async_context(hall.admission.working())
    assert hall.told == [1, 2, 3, 2, 3, 2, 1, 0]


async def test_a_cancelled_call_gives_its_place_back() -> None:
    hall = Hall(running=1, queued=0)
    call = asyncio.create_task(hall.call(10_000))
    await asyncio.sleep(0)
    await hall.call(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await hall.call(0)
    assert hall.refused == 1


@given(st.lists(st.integers(1, 60), max_size=12))
def test_bytes_are_counted_up_to_the_limit_and_given_back(sizes: list[int]) -> None:
    admission, held = Hall(1, 0).admission, 0
    for size in sizes:
        if held + size <= 100:
            admission.take_bytes(size)
            held += size
        else:
            with pytest.raises(errors.CapacityError):
                admission.take_bytes(size)
    admission.take_bytes(-held)
    admission.take_bytes(100)


# ---- the last border ------------------------------------------------------------------------------------------------


class Call:
    """Stands for the server's side of one call: it keeps how the call was aborted."""

    code: grpc.StatusCode
    message: str
    metadata: tuple[tuple[str, bytes], ...]

    def __init__(self, sending: Sending | None = None) -> None:
        self._sending = sending or Sending()

    async def read(self) -> object:
        return await self._sending.read()

    async def abort(self, code: grpc.StatusCode, message: str, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.code, self.message, self.metadata = code, message, metadata
        raise grpc.aio.AbortError


async def intercept(handler: Any, method: str = "/echoplane.v1.ViewService/PredictView") -> Any:
    """Pass a method's handler through the interceptor."""

    async def continuation(details: object) -> Any:
        return handler

    details: Any = SimpleNamespace(method=method)
    return await ErrorInterceptor().intercept_service(continuation, details)


class Sending:
    """Stands for what a caller sends: so many messages, some that do not parse, and an end or none."""

    def __init__(self, count: int = 0, stays_open: bool = False, malformed: int = 0) -> None:
        self.count, self.stays_open, self.malformed, self.taken = count, stays_open, malformed, 0

    async def read(self) -> object:
        if self.taken < self.count:
            self.taken += 1
            if self.taken > self.count - self.malformed:
                raise INVALID
        elif self.stays_open:
            await asyncio.Event().wait()
        else:
            return grpc.aio.EOF
        return self.taken


async def run_guarded(error: BaseException | None, sending: Sending | None = None) -> tuple[Call, object]:
    """Let a method behind the interceptor raise an error, or answer."""

    async def behaviour(requests: object, context: object) -> str:
        if error is not None:
            raise error
        return "answer"

    handler: Any = grpc.stream_unary_rpc_method_handler(behaviour)
    guarded = await intercept(handler)
    call = Call(sending)
    try:
        return call, await guarded.stream_unary(None, call)
    except grpc.aio.AbortError:
        return call, None


async def test_a_known_error_aborts_the_call_with_its_status() -> None:
    error = errors.LimitExceededError(Reason.LIMIT_BYTES, **PARTS)
    call, _ = await run_guarded(error)
    assert call.code is grpc.StatusCode.INVALID_ARGUMENT
    assert call.message == str(error)
    assert call.metadata == (("grpc-status-details-bin", to_status(error).SerializeToString()),)


async def test_an_unknown_error_is_logged_and_told_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    call, _ = await run_guarded(ZeroDivisionError("text from the input"))
    assert call.code is grpc.StatusCode.INTERNAL
    assert call.message == "internal error"
    assert "unexpected_error" in capsys.readouterr().out


async def test_an_answer_passes_and_so_does_an_end_that_was_already_told() -> None:
    assert (await run_guarded(None))[1] == "answer"
    call, _ = await run_guarded(grpc.aio.AbortError())
    assert not hasattr(call, "code")


INVALID = errors.RequestInvalidError(Reason.REQUEST_MALFORMED, **PARTS)


@pytest.mark.parametrize(
    "sending", [Sending(9), Sending(9, malformed=5), Sending(9, stays_open=True)], ids=["closes", "breaks", "stays"]
)
async def test_a_refused_caller_may_finish_sending_for_a_moment(sending: Sending) -> None:
    before = asyncio.get_running_loop().time()
    call, _ = await run_guarded(errors.LimitExceededError(Reason.LIMIT_BYTES, **PARTS), sending)
    assert call.code is grpc.StatusCode.INVALID_ARGUMENT
    assert sending.taken == 9
    assert asyncio.get_running_loop().time() - before < DRAIN_S + 0.3


async def test_an_error_lets_go_of_the_cine_at_once() -> None:
    class Cine:
        pass

    error, held = errors.LimitExceededError(Reason.LIMIT_BYTES, **PARTS), []

    async def behaviour(requests: object, context: object) -> None:
        cine = Cine()
        held.append(weakref.ref(cine))
        raise error

    guarded = await intercept(grpc.stream_unary_rpc_method_handler(behaviour))
    with pytest.raises(grpc.aio.AbortError):
        await guarded.stream_unary(None, Call())
    assert error.__traceback__ is not None
    assert held[0]() is None


async def test_a_cancelled_call_is_not_told_as_an_error() -> None:
    with pytest.raises(asyncio.CancelledError):
        await run_guarded(asyncio.CancelledError())


@pytest.mark.parametrize("handler", [None, grpc.unary_unary_rpc_method_handler(lambda request, context: request)])
async def test_methods_of_others_are_left_alone(handler: object) -> None:
    assert await intercept(handler, "/grpc.health.v1.Health/Check") is handler


async def ask_one(error: BaseException | None, is_stream: bool, data: bytes = b"\x0a\x01a") -> tuple[Call, list[str]]:
    """Send one request to a method behind the interceptor that answers twice, or once, then raises an error if any."""

    async def question(request: error_details_pb2.ErrorInfo, context: object) -> str:
        if error is not None:
            raise error
        return request.reason

    async def stream(request: error_details_pb2.ErrorInfo, context: object) -> AsyncIterator[str]:
        yield request.reason
        yield await question(request, context)

    parse, call, answers = error_details_pb2.ErrorInfo.FromString, Call(), []
    make: Any = grpc.unary_stream_rpc_method_handler if is_stream else grpc.unary_unary_rpc_method_handler
    guarded = await intercept(make(stream if is_stream else question, parse, None))
    assert guarded.request_deserializer is None
    try:
        if is_stream:
            async for answer in guarded.unary_stream(data, call):
                answers.append(answer)  # noqa: PERF401 - those that came before the error count
        else:
            answers.append(await guarded.unary_unary(data, call))
    except grpc.aio.AbortError:
        pass
    return call, answers


@pytest.mark.parametrize("is_stream", [False, True], ids=["one answer", "many"])
async def test_a_method_of_one_request_is_guarded_alike(is_stream: bool, capsys: pytest.CaptureFixture[str]) -> None:
    before = ["a"] if is_stream else []
    assert (await ask_one(None, is_stream))[1] == [*before, "a"]
    known, answers = await ask_one(errors.JobUnknownError(), is_stream)
    assert (known.code, answers) == (grpc.StatusCode.NOT_FOUND, before)
    assert known.metadata[0][0] == "grpc-status-details-bin"
    unknown, _ = await ask_one(ZeroDivisionError("text from the input"), is_stream)
    assert (unknown.code, unknown.message) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "unexpected_error" in capsys.readouterr().out
    told, _ = await ask_one(grpc.aio.AbortError(), is_stream)
    assert not hasattr(told, "code")
    malformed, answers = await ask_one(None, is_stream, b"\xff\xff")
    assert (malformed.code, answers) == (grpc.StatusCode.INVALID_ARGUMENT, [])
    with pytest.raises(asyncio.CancelledError):
        await ask_one(asyncio.CancelledError(), is_stream)


async def test_a_message_that_does_not_parse_is_the_callers_fault() -> None:
    handler: Any = grpc.stream_unary_rpc_method_handler(
        lambda requests, context: None, error_details_pb2.ErrorInfo.FromString, None
    )
    guarded = await intercept(handler)
    assert guarded.request_deserializer(b"\x0a\x01a").reason == "a"
    for data in (b"\xff\xff", b"\x0a\x50abc", b"\x0a\x01\xff"):
        with pytest.raises(errors.RequestInvalidError):
            guarded.request_deserializer(data)
