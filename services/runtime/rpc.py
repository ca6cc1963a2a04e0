"""Errors become gRPC status here and nowhere else; calls are admitted a method at a time."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from services.cine import errors

DOMAIN = "echoplane"
"""The `domain` of every google.rpc.ErrorInfo."""

DRAIN_S = 0.5
"""How long a refused caller may go on sending before it hears of it."""

_DETAILS_KEY = "grpc-status-details-bin"
OURS = "/echoplane."
"""Paths of our own methods begin so."""

_CODES: tuple[tuple[type[errors.EchoplaneError], grpc.StatusCode], ...] = (
    (errors.InputError, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.CapacityError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.UnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
    (errors.AccessDeniedError, grpc.StatusCode.PERMISSION_DENIED),
    (errors.DeadlineError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.ModelTimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.ModelUnavailableError, grpc.StatusCode.UNAVAILABLE),
    (errors.ReaderUnavailableError, grpc.StatusCode.UNAVAILABLE),
    (errors.ModelContractError, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.StorageError, grpc.StatusCode.UNAVAILABLE),
    (errors.JobUnknownError, grpc.StatusCode.NOT_FOUND),
    (errors.StudyUnknownError, grpc.StatusCode.NOT_FOUND),
    (errors.TrialUnknownError, grpc.StatusCode.NOT_FOUND),
)

_log = structlog.get_logger()


def status_code(error: errors.EchoplaneError) -> grpc.StatusCode:
    """Give the gRPC status code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def to_status(error: errors.EchoplaneError) -> status_pb2.Status:
    """Give the rich status of an error: one ErrorInfo, and RetryInfo where trying again makes sense."""
    status = status_pb2.Status(code=status_code(error).value[0], message=str(error))
    status.details.append(_packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)))
    if isinstance(error, errors.CapacityError):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Turns whatever a method of ours raises into a status; what it does not know is logged and becomes INTERNAL."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the behaviour of our own methods; leave those of others (health, reflection) as they are."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(OURS):
            return handler
        parse = _typed(handler.request_deserializer)
        if handler.stream_unary is not None:
            guarded = _guarded_upload(handler.stream_unary, method)
            return grpc.stream_unary_rpc_method_handler(guarded, parse, handler.response_serializer)
        # one request: gRPC itself would take one that does not parse for a bug of ours, so it is parsed inside
        if handler.unary_unary is not None:
            asked = _guarded_question(handler.unary_unary, parse, method)
            return grpc.unary_unary_rpc_method_handler(asked, None, handler.response_serializer)
        streamed = _guarded_stream(handler.unary_stream, parse, method)
        return grpc.unary_stream_rpc_method_handler(streamed, None, handler.response_serializer)


def _guarded_upload(behaviour: Any, method: str) -> Any:
    async def guarded(requests: Any, context: Any) -> Any:
        try:
            return await behaviour(requests, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            status = _told(error, method)
        await _drain(context)
        return await abort(context, status)

    return guarded


def _guarded_question(behaviour: Any, parse: Callable[[bytes], Any], method: str) -> Any:
    async def guarded(request: bytes, context: Any) -> Any:
        try:
            return await behaviour(parse(request), context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            status = _told(error, method)
        return await abort(context, status)

    return guarded


def _guarded_stream(behaviour: Any, parse: Callable[[bytes], Any], method: str) -> Any:
    async def guarded(request: bytes, context: Any) -> AsyncIterator[Any]:
        try:
            async with aclosing(behaviour(parse(request), context)) as responses:
                async for response in responses:
                    yield response
            return
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            status = _told(error, method)
        await abort(context, status)

    return guarded


def _told(error: Exception, method: str) -> status_pb2.Status:
    """Give the status of an error, and let go of what its frames hold until the next garbage collection: the cine."""
    if isinstance(error, errors.EchoplaneError):
        status = to_status(error)
    else:
        _log.error("unexpected_error", method=method, exc_info=error)
        status = status_pb2.Status(code=grpc.StatusCode.INTERNAL.value[0], message="internal error")
    traceback.clear_frames(error.__traceback__)
    return status


async def _drain(context: Any) -> None:
    """Let the caller finish sending, for a moment; more of its messages may be malformed.

    A client on grpc.aio takes a status that comes while it writes for an internal error (grpc/grpc issue 36066).
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while True:
                with suppress(errors.RequestInvalidError):
                    if await context.read() is grpc.aio.EOF:
                        return


def _typed(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Let a message that does not parse be the caller's fault, not ours."""

    def parse(data: bytes) -> Any:
        try:
            return data if deserialize is None else deserialize(data)
        except DecodeError as error:
            raise errors.RequestInvalidError(
                errors.Reason.REQUEST_MALFORMED,
                found="a message that does not parse",
                expected="the messages of proto/echoplane, their strings in UTF-8",
                advice="Generate the client from the proto files of this version.",
            ) from error

    return parse


async def abort(context: grpc.aio.ServicerContext[Any, Any], status: status_pb2.Status) -> NoReturn:
    """End a call with a rich status."""
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    await context.abort(code, status.message, ((_DETAILS_KEY, status.SerializeToString()),))


class Admission:
    """Lets so many calls of one method in, and so many of those run; the rest hear at once that the queue is full.

    Args:
        running: how many may work at the same time.
        queued: how many more may wait, their requests arriving meanwhile.
        max_bytes: of all requests that are in, together.
        on_change: told how many are waiting whenever that changes.
    """

    def __init__(self, running: int, queued: int, max_bytes: int, on_change: Callable[[int], None]) -> None:
        self._most, self._running, self._max_bytes = running + queued, running, max_bytes
        self._slots = asyncio.Semaphore(running)
        self._inside = self._working = self._bytes = 0
        self._on_change = on_change

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Hold a place in the queue.

        Raises:
            CapacityError: there is none.
        """
        if self._inside >= self._most:
            raise _full(f"{self._inside} requests")
        self._inside += 1
        self._changed()
        try:
            yield
        finally:
            self._inside -= 1
            self._changed()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Wait for a place to work."""
        async with self._slots:
            self._working += 1
            self._changed()
            try:
                yield
            finally:
                self._working -= 1
                self._changed()

    def take_bytes(self, size_bytes: int) -> None:
        """Count bytes of a request that is in; give them back with a negative number.

        Raises:
            CapacityError: all requests together would hold too many.
        """
        if size_bytes > 0 and self._bytes + size_bytes > self._max_bytes:
            raise _full(f"{self._bytes} bytes")
        self._bytes += size_bytes

    def _changed(self) -> None:
        self._on_change(self._inside - self._working)


def _full(found: str) -> errors.CapacityError:
    return errors.CapacityError(
        found=f"a queue full with {found}", expected="room for one more", advice="Wait as long as RetryInfo says."
    )
