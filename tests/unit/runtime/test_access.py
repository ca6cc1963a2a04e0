"""Every call of the proto files is refused to everyone but a listed site with its present certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
import trustme
import yaml
from echoplane.v1 import study_pb2, synthesis_pb2, view_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from services.client import TRIAL_KEY as CLIENTS_TRIAL_KEY
from services.runtime.access import TRIAL_KEY, AccessInterceptor, current_caller
from services.runtime.rpc import ErrorInterceptor
from services.runtime.sites import Sites
from tests.certificates import DAY, Identity, issue

FILES: tuple[Any, ...] = (view_pb2.DESCRIPTOR, synthesis_pb2.DESCRIPTOR, study_pb2.DESCRIPTOR)
OURS: tuple[Any, ...] = tuple(
    method for file in FILES for service in file.services_by_name.values() for method in service.methods
)
HEALTH: Any = health_pb2.DESCRIPTOR.services_by_name["Health"].methods_by_name["Check"]


@dataclass(frozen=True)
class House:
    """A server behind the check, whose every method answers with the site and trial it saw."""

    port: int
    authority: trustme.CA
    withdrawn: Identity

    async def call(self, method: Any, identity: Identity | None, trial: str = "example") -> bytes:
        """Call a method with an empty message; give the bytes of the first answer."""
        root = self.authority.cert_pem.bytes()
        pair = (None, None) if identity is None else (identity.key_pem, identity.pem)
        credentials = grpc.ssl_channel_credentials(root, *pair)
        metadata = ((TRIAL_KEY, trial),) if trial else ()
        async with grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials) as untyped:
            channel: Any = untyped
            path = path_of(method)
            if method.client_streaming:
                return bytes(await channel.stream_unary(path)(iter([b""]), metadata=metadata, timeout=10))
            if method.server_streaming:
                async for answer in channel.unary_stream(path)(b"", metadata=metadata, timeout=10):
                    return bytes(answer)
            return bytes(await channel.unary_unary(path)(b"", metadata=metadata, timeout=10))


def path_of(method: Any) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


class TellingHandlers(grpc.GenericRpcHandler):
    """Answers every method of the proto files with who called."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = next((m for m in (*OURS, HEALTH) if path_of(m) == handler_call_details.method), None)
        if method is None:
            return None

        async def answer(request: Any, context: Any) -> bytes:
            caller = current_caller()
            return f"{caller.site} {caller.trial}".encode() if caller else b"somebody"

        async def stream(request: Any, context: Any) -> AsyncIterator[bytes]:
            yield await answer(request, context)

        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(answer)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(answer)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    authority = trustme.CA()
    withdrawn = issue(authority, "north")
    everything, path = [method.name for method in OURS], tmp_path / "sites.yaml"
    listed = {
        "north": {"trials": {"example": everything}, "denied_fingerprints": [withdrawn.fingerprint]},
        "reader": {"trials": {"example": []}},
        "busy": {"trials": {"example": everything}, "quota": {"requests_per_minute": 2}},
    }
    path.write_text(yaml.safe_dump({"sites": listed}))
    server = grpc.aio.server(interceptors=[ErrorInterceptor(), AccessInterceptor(Sites.load(path, everything))])
    server.add_generic_rpc_handlers((TellingHandlers(),))
    own = authority.issue_cert("127.0.0.1")
    pair = own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()
    credentials = grpc.ssl_server_credentials([pair], authority.cert_pem.bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield House(port, authority, withdrawn)
    await server.stop(None)


def detail(error: grpc.aio.AioRpcError, message: Message) -> Message:
    """Unpack what of a kind the status carries into a message of that kind."""
    trailing = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(bytes(trailing["grpc-status-details-bin"]))
    assert any(packed.Unpack(message) for packed in status.details if packed.Is(message.DESCRIPTOR))
    return message


def reason_of(error: grpc.aio.AioRpcError) -> str:
    info = error_details_pb2.ErrorInfo()
    detail(error, info)
    return str(info.reason)


@pytest.mark.parametrize("method", OURS, ids=[method.name for method in OURS])
async def test_every_call_is_refused_to_everyone_but_a_listed_site(house: House, method: Any) -> None:
    assert await house.call(method, issue(house.authority, "north")) == b"north example"
    for stranger in (
        None,
        issue(trustme.CA(), "north"),
        issue(house.authority, "north", ends=-DAY),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await house.call(method, stranger)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE  # TLS lets nobody through
    for identity, trial, code, reason in (
        (issue(house.authority, "south"), "example", grpc.StatusCode.PERMISSION_DENIED, "SITE_DENIED"),
        (issue(house.authority, "North!"), "example", grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
        (house.withdrawn, "example", grpc.StatusCode.PERMISSION_DENIED, "CERTIFICATE_DENIED"),
        (issue(house.authority, "north"), "other", grpc.StatusCode.PERMISSION_DENIED, "TRIAL_DENIED"),
        (issue(house.authority, "reader"), "example", grpc.StatusCode.PERMISSION_DENIED, "METHOD_DENIED"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await house.call(method, identity, trial)
        assert (caught.value.code(), reason_of(caught.value)) == (code, reason)


def test_the_client_names_the_trial_where_it_is_looked_for() -> None:
    assert CLIENTS_TRIAL_KEY == TRIAL_KEY


async def test_a_site_with_one_trial_need_not_name_it(house: House) -> None:
    assert await house.call(OURS[0], issue(house.authority, "north"), trial="") == b"north example"


async def test_health_is_told_to_every_listed_site_and_nobody_else(house: House) -> None:
    assert await house.call(HEALTH, issue(house.authority, "reader"), trial="") == b"somebody"
    for identity in (issue(house.authority, "south"), house.withdrawn):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await house.call(HEALTH, identity)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_used_up_quota_says_when_to_come_again_and_is_each_site_s_own(house: House) -> None:
    busy = issue(house.authority, "busy")
    for _ in range(2):
        await house.call(OURS[0], busy)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.call(OURS[0], busy)
    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA")
    retry = error_details_pb2.RetryInfo()
    detail(caught.value, retry)
    assert 0 < retry.retry_delay.ToTimedelta().total_seconds() <= 30
    assert await house.call(OURS[0], issue(house.authority, "north")) == b"north example"
