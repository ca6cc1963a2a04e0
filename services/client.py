"""A client of the gateway, for the command line, the demo and whoever wants one in Python."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc
from echoplane.v1 import view_pb2, view_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

CHUNK_BYTES = 256 * 1024
"""A quarter of what one message may carry."""

_NOBODY_THERE = (
    "Found no gateway that answers at that address; expected one. "
    "Start it (`make serve`), check host and port, and give its authority (--ca) where it uses TLS."
)
_DETAILS_KEY = "grpc-status-details-bin"


class CallError(Exception):
    """A call that ended in a status.

    Attributes:
        code: gRPC status code, by name.
        reason: of the server's google.rpc.ErrorInfo, or empty.
        retry_after_s: of its RetryInfo, or None.
    """

    def __init__(self, code: str, reason: str, message: str, retry_after_s: float | None) -> None:
        super().__init__(f"{code} {reason}: {message}" if reason else f"{code}: {message}")
        self.code, self.reason, self.message, self.retry_after_s = code, reason, message, retry_after_s


@dataclass(frozen=True)
class Tls:
    """PEM bytes of a TLS connection; certificate and key for mutual TLS."""

    authority: bytes
    certificate: bytes | None = None
    key: bytes | None = None


class Client:
    """Calls the gateway.

    Args:
        address: host:port.
        tls: how to encrypt; None speaks plain text, for loopback.
    """

    def __init__(self, address: str, tls: Tls | None = None) -> None:
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address)
        else:
            credentials = grpc.ssl_channel_credentials(tls.authority, tls.key, tls.certificate)
            self._channel = grpc.aio.secure_channel(address, credentials)
        self._stub: view_pb2_grpc.ViewServiceAsyncStub = view_pb2_grpc.ViewServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def predict_view(
        self, data: bytes, header: view_pb2.CineHeader | None = None, timeout_s: float = 60.0
    ) -> view_pb2.PredictViewResponse:
        """Name the view of one cine.

        Args:
            data: the whole file.
            header: what to say about it; empty by default.
            timeout_s: how long the answer may take, s.

        Raises:
            CallError: the call ended in a status.
        """
        try:
            return await self._stub.PredictView(_messages(data, header or view_pb2.CineHeader()), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise _call_error(error) from error


async def _messages(data: bytes, header: view_pb2.CineHeader) -> AsyncIterator[view_pb2.PredictViewRequest]:
    yield view_pb2.PredictViewRequest(header=header)
    for start in range(0, len(data), CHUNK_BYTES):
        yield view_pb2.PredictViewRequest(chunk=data[start : start + CHUNK_BYTES])


def _call_error(error: grpc.aio.AioRpcError) -> CallError:
    reason, retry_after_s = "", None
    for key, value in error.trailing_metadata() or ():
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                reason = info.reason
            elif detail.Unpack(retry):
                retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    message = error.details() or ""
    if error.code() is grpc.StatusCode.UNAVAILABLE and not reason:
        message = _NOBODY_THERE
    return CallError(error.code().name, reason, message, retry_after_s)
