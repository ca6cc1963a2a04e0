"""Default deny: every call is held to the sites file before anything of it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc
from echoplane.v1 import study_pb2, synthesis_pb2, view_pb2

from services.cine.errors import EchoplaneError
from services.runtime.quotas import Quota
from services.runtime.rpc import OURS, abort, to_status
from services.runtime.sites import Certificate, Sites

TRIAL_KEY = "echoplane-trial"
"""Metadata that names the trial of a call; a site with one trial may leave it out."""

METHODS = tuple(
    method.name
    for file in (view_pb2, synthesis_pb2, study_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)
"""All that a site may be allowed."""

_HEALTH = "/grpc.health.v1.Health/"


@dataclass(frozen=True)
class Caller:
    """Who calls, for which trial, and what the site has left."""

    site: str
    trial: str
    quota: Quota


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller | None:
    """Tell who calls; None in the demo profile, where nobody is asked."""
    return _caller.get()


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Lets a call through when its certificate names a site that may make it, within its quota.

    The chain of the certificate was verified by TLS. Health may be asked by every listed site.
    """

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._quotas = {name: Quota(site.quota) for name, site in sites.sites.items()}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Put the check before the method."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata or ()
        trial = next((str(value) for key, value in metadata if key == TRIAL_KEY), "")

        def admit(context: Any) -> None:
            _caller.set(self._admit(method, trial, Certificate.of_call(context.auth_context())))

        return _checked(handler, admit) if method.startswith(OURS) else _checked_health(handler, admit)

    def _admit(self, method: str, trial: str, certificate: Certificate) -> Caller | None:
        site = self._sites.identify(certificate)
        if method.startswith(_HEALTH):
            return None
        chosen = self._sites.allow(site, trial, method.rpartition("/")[2])
        quota = self._quotas[site]
        quota.requests.take(1)
        return Caller(site, chosen, quota)


def _checked(handler: grpc.RpcMethodHandler[Any, Any], admit: Callable[[Any], None]) -> grpc.RpcMethodHandler[Any, Any]:
    """Put `admit` before a handler's behaviour, which keeps its kind and its messages."""
    parse, pack = handler.request_deserializer, handler.response_serializer
    one: Any = handler.stream_unary or handler.unary_unary
    streamed: Any = handler.unary_stream

    async def answer(request: Any, context: Any) -> Any:
        admit(context)
        return await one(request, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        admit(context)
        async for response in streamed(request, context):
            yield response

    if streamed is not None:
        return grpc.unary_stream_rpc_method_handler(stream, parse, pack)
    make = grpc.stream_unary_rpc_method_handler if handler.stream_unary else grpc.unary_unary_rpc_method_handler
    return make(answer, parse, pack)


def _checked_health(
    handler: grpc.RpcMethodHandler[Any, Any], admit: Callable[[Any], None]
) -> grpc.RpcMethodHandler[Any, Any]:
    """Do the same for grpcio's health service, both of whose methods are coroutines."""
    behaviour: Any = handler.unary_unary or handler.unary_stream

    async def answer(request: Any, context: Any) -> Any:
        try:
            admit(context)
        except EchoplaneError as error:
            await abort(context, to_status(error))
        return await behaviour(request, context)

    make = grpc.unary_unary_rpc_method_handler if handler.unary_unary else grpc.unary_stream_rpc_method_handler
    return make(answer, handler.request_deserializer, handler.response_serializer)
