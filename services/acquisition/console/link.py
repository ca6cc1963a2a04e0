"""The console's way to the gateway, and what it knows of it: is it there, what does it serve, which weights answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from echoplane.v1 import study_pb2, synthesis_pb2, view_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.acquisition.console.settings import ConsoleSettings
from services.acquisition.console.words import AWAY, REASONS, SHUT_OUT, trouble
from services.acquisition.gateway_tls import gateway_tls
from services.cine.errors import Reason
from services.client import CallError, Client

_SERVING = health_pb2.HealthCheckResponse.SERVING
_STUDIES = study_pb2.DESCRIPTOR.services_by_name["StudyService"].full_name
_SYNTHESIS = synthesis_pb2.DESCRIPTOR.services_by_name["SynthesisService"].full_name
_PERIOD_S = 2.0
_TIMEOUT_S = 3.0
_BACKOFF = [("grpc.initial_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 1000)]
"""gRPC's own waits up to two minutes before it tries again."""


@dataclass(frozen=True)
class GatewayState:
    """What is known of the gateway.

    Attributes:
        is_there: it answers, and its model is ready.
        words: what is wrong, empty where nothing is.
        has_studies: it keeps studies.
        protocol: what its trial asks of them; None while nobody has told.
        has_generator: it makes images.
        trained_on: of the weights that answered last, empty before.
        model_sha256: of them.
    """

    is_there: bool = False
    words: str = AWAY
    has_studies: bool = False
    protocol: study_pb2.TrialProtocol | None = field(default=None, repr=False)
    has_generator: bool = False
    trained_on: str = ""
    model_sha256: str = ""


class Link:
    """Opens connections, and follows how the gateway is; to be used on one event loop.

    Raises:
        ConfigError: a PEM file cannot be read.
    """

    def __init__(self, settings: ConsoleSettings) -> None:
        self._address, self._trial = settings.gateway_address, settings.trial
        self._tls = gateway_tls(settings)
        self._changed, self._answered = asyncio.Event(), asyncio.Event()
        self.state = GatewayState()

    def client(self) -> Client:
        """Open a connection of its own for one call: one that was lost tries again too late."""
        return Client(self._address, self._tls, self._trial, retry=None)  # the page itself asks again, and says so

    async def states(self) -> AsyncIterator[GatewayState]:
        """Give how the gateway is, then each change."""
        while True:
            changed, state = self._changed, self.state
            yield state
            if state == self.state:
                await changed.wait()

    def answered(self, model: view_pb2.Model) -> None:
        """Keep which weights answered, and wake who waits for an answer."""
        self._answered.set()
        self._answered = asyncio.Event()
        self._set(replace(self.state, trained_on=model.trained_on, model_sha256=model.sha256))

    async def next_answer(self) -> None:
        """Wait until the gateway has answered a cine of this console."""
        await self._answered.wait()

    async def follow(self) -> None:
        """Ask the gateway how it is, for ever."""
        async with self._channel() as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its types know no asyncio
            while True:
                seen = await self._look(stub)
                own = self.state  # an answer may have come meanwhile
                self._set(replace(seen, trained_on=own.trained_on, model_sha256=own.model_sha256))
                await asyncio.sleep(_PERIOD_S)

    async def _look(self, stub: Any) -> GatewayState:
        known = self.state
        try:
            if not await _is_serving(stub, ""):
                return replace(known, is_there=False, words=REASONS[Reason.MODEL_UNAVAILABLE])
            studies, generator = await _is_serving(stub, _STUDIES), await _is_serving(stub, _SYNTHESIS)
        except grpc.aio.AioRpcError as error:
            is_denied = error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
            away = AWAY if self._tls is None else SHUT_OUT
            return replace(known, is_there=False, words=REASONS[Reason.SITE_DENIED] if is_denied else away)
        seen = replace(known, is_there=True, words="", has_studies=studies, has_generator=generator)
        is_known = known.is_there and known.protocol is not None
        return await self._with_protocol(seen) if studies and not is_known else seen

    async def _with_protocol(self, state: GatewayState) -> GatewayState:
        """Ask for the trial's protocol, which stays for as long as the gateway does."""
        try:
            async with self.client() as client:
                return replace(state, protocol=await client.get_trial_protocol(timeout_s=_TIMEOUT_S))
        except CallError as error:
            return replace(state, protocol=None, words=trouble(error).words)

    def _set(self, state: GatewayState) -> None:
        if state != self.state:
            self.state = state
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    def _channel(self) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(self._address, _BACKOFF)
        tls = self._tls
        credentials = grpc.ssl_channel_credentials(tls.authority, tls.key, tls.certificate)
        return grpc.aio.secure_channel(self._address, credentials, _BACKOFF)


async def _is_serving(stub: Any, service: str) -> bool:
    """Ask for one service; the whole gateway is the empty one."""
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:  # it has no such service
            return False
        raise
    return bool(answer.status == _SERVING)
