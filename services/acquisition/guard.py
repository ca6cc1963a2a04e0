"""Stands before the DICOM node: a peer comes through when it has asked for an association and may have one.

pynetdicom gives every connection two threads before it has sent a byte, believes every length up to 4 GiB, and waits
with select(), which knows no descriptor above 1023. So connections are taken here, on one event loop: a thousand silent
ones cost a descriptor each, the oldest of them goes when there are too many, and what comes through is a stream of
whole PDUs, each of an allowed length.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import structlog
from prometheus_client import CollectorRegistry

from services.acquisition.metrics import NodeMetrics
from services.acquisition.upper_layer import (
    ABORT,
    CALLED_TITLE,
    CALLING_TITLE,
    TOO_MANY,
    Pdu,
    Rejection,
    UpperLayerError,
    read_pdu,
    titles,
)
from services.cine.errors import ConfigError, EchoplaneError

Admit = Callable[[ssl.SSLObject | None, str], str]
"""Names the site of a peer by its TLS connection and calling title; an EchoplaneError refuses it."""

HandOver = Callable[[socket.socket, str], None]
"""Serves DICOM on a socket, for a site; returns at once."""

_BACKLOG = 1024
_COPY_BYTES = 64 * 1024
_FAREWELL_S = 1.0
"""How long a peer may take to read the last of it, and to end TLS in good order; nobody counts its descriptor then."""

_NO_DESCRIPTORS_S = 0.1
"""How long to wait when the system gives no more of them."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class GuardLimits:
    """What peers may take.

    Attributes:
        max_waiting: connections that have not asked for an association yet.
        max_associations: at the same time.
        max_pdu_bytes: of one P-DATA-TF.
        max_object_bytes: that a peer may send before it is answered.
        request_timeout_s: for TLS and the association request, s.
        idle_timeout_s: until the next whole PDU, s.
        association_timeout_s: of a whole association, s.
    """

    max_waiting: int = 256
    max_associations: int = 8
    max_pdu_bytes: int = 128 * 1024
    max_object_bytes: int = 256 * 2**20
    request_timeout_s: float = 10.0
    idle_timeout_s: float = 60.0
    association_timeout_s: float = 3_600.0


@dataclass
class _Peer:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    unanswered_bytes: int = 0


class _RefusedError(Exception):
    def __init__(self, rejection: Rejection, reason: str) -> None:
        self.rejection, self.reason = rejection, reason


@dataclass
class Guard:
    """Takes connections, and hands those over that come through.

    Attributes:
        title: that peers must call.
        admit: tells who a peer is.
        hand_over: serves it.
        limits: what peers may take.
        tls: None speaks plain text, for loopback.
        metrics: counts who came through.
    """

    title: str
    admit: Admit
    hand_over: HandOver
    limits: GuardLimits
    tls: ssl.SSLContext | None = None
    metrics: NodeMetrics = field(default_factory=lambda: NodeMetrics(CollectorRegistry()))
    _listener: socket.socket | None = field(default=None, init=False)
    _accepting: asyncio.Task[None] | None = field(default=None, init=False)
    _waiting: dict[asyncio.Task[None], None] = field(default_factory=dict, init=False)
    _associated: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def open(self, host: str, port: int) -> int:
        """Listen; give the port, which for 0 is a free one.

        Raises:
            ConfigError: the address is taken.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise ConfigError(
                found=f"{host}:{port} taken", expected="a free port", advice="Set ECHOPLANE_NODE_PORT to another."
            ) from error
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(self._listener))
        return int(self._listener.getsockname()[1])

    async def close(self, drain_s: float) -> None:
        """Listen no more, let associations end by themselves for so long, s, then end them."""
        if self._accepting is not None and self._listener is not None:
            await _ended([self._accepting])
            self._listener.close()
        await _ended(list(self._waiting))
        if self._associated:
            await asyncio.wait(self._associated, timeout=drain_s)
        await _ended(list(self._associated))

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:
                _log.warning("no_descriptors")
                await asyncio.sleep(_NO_DESCRIPTORS_S)
                continue
            if len(self._waiting) >= self.limits.max_waiting:
                oldest = next(iter(self._waiting))
                del self._waiting[oldest]
                oldest.cancel()
            task = asyncio.create_task(self._attend(connection))
            self._waiting[task] = None
            task.add_done_callback(self._forget)
            await asyncio.sleep(0)  # else a burst is taken whole before the oldest of it can go

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._waiting.pop(task, None)
        self._associated.discard(task)

    async def _attend(self, connection: socket.socket) -> None:
        """Take one peer from its connection to its end; whatever it does ends here."""
        try:
            async with asyncio.timeout(self.limits.request_timeout_s):
                peer = await self._greet(connection)
        except (OSError, TimeoutError):  # TLS failed, or the peer has gone; ssl.SSLError is an OSError
            connection.close()
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        try:
            async with asyncio.timeout(self.limits.request_timeout_s):
                request = await read_pdu(peer.reader, self.limits.max_pdu_bytes)
            site = self._let_in(peer, request)
            self.metrics.accepted()
            async with asyncio.timeout(self.limits.association_timeout_s):
                await self._relay(peer, request, site)
        except _RefusedError as refused:
            _log.warning("association_refused", reason=refused.reason)
            self.metrics.refused(refused.reason)
            peer.writer.write(refused.rejection.to_bytes())
        except (UpperLayerError, TimeoutError):
            _log.info("association_aborted")
            peer.writer.write(ABORT)
        except (OSError, EOFError):  # the peer has gone
            pass
        finally:
            peer.writer.close()  # which waits for a peer that does not read
            asyncio.get_running_loop().call_later(_FAREWELL_S, peer.writer.transport.abort)

    async def _greet(self, connection: socket.socket) -> _Peer:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_COPY_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        farewell_s = None if self.tls is None else _FAREWELL_S
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self.tls, ssl_shutdown_timeout=farewell_s
        )
        return _Peer(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def _let_in(self, peer: _Peer, request: Pdu) -> str:
        """Give the site of a peer that may have an association."""
        called, calling = titles(request)
        if called != self.title:
            raise _RefusedError(CALLED_TITLE, "CALLED_TITLE")
        try:
            site = self.admit(peer.writer.get_extra_info("ssl_object"), calling)
        except EchoplaneError as error:
            raise _RefusedError(CALLING_TITLE, error.reason) from error
        if len(self._associated) >= self.limits.max_associations:
            raise _RefusedError(TOO_MANY, "TOO_MANY")
        return site

    async def _relay(self, peer: _Peer, request: Pdu, site: str) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._waiting.pop(task, None)
        self._associated.add(task)
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        ways = [asyncio.create_task(self._up(peer, writer)), asyncio.create_task(self._down(peer, reader))]
        try:
            self.hand_over(theirs, site)
            writer.write(request.data)
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            await _ended(ways)
            writer.close()

    async def _up(self, peer: _Peer, writer: asyncio.StreamWriter) -> None:
        """Pass on what the peer sends, a whole PDU at a time."""
        while True:
            async with asyncio.timeout(self.limits.idle_timeout_s):
                pdu = await read_pdu(peer.reader, self.limits.max_pdu_bytes)
            peer.unanswered_bytes += len(pdu.data)
            if peer.unanswered_bytes > self.limits.max_object_bytes:
                _log.warning("object_too_large", most_bytes=self.limits.max_object_bytes)
                raise UpperLayerError
            writer.write(pdu.data)
            await writer.drain()

    async def _down(self, peer: _Peer, reader: asyncio.StreamReader) -> None:
        """Pass on what the node answers; a request that it never answers has felled its thread."""
        async with asyncio.timeout(self.limits.request_timeout_s):
            data = await reader.read(_COPY_BYTES)
        while data:
            peer.unanswered_bytes = 0
            peer.writer.write(data)
            await peer.writer.drain()
            data = await reader.read(_COPY_BYTES)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they are over."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
