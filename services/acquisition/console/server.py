"""Puts the console together and serves it until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import structlog
import uvicorn

from services.acquisition.console.films import Films
from services.acquisition.console.link import Link
from services.acquisition.console.pages import Console, make_app
from services.acquisition.console.settings import ConsoleSettings
from services.acquisition.console.uploads import Uploads
from services.cine.budget import ReadLimits
from services.cine.errors import ConfigError
from services.cine.intake import IntakeOptions
from services.runtime.rpc import Admission
from services.runtime.sandbox import Sandbox

_DRAIN_S = 5
_KEEP_ALIVE_S = 30

_log = structlog.get_logger()


async def run(settings: ConsoleSettings) -> None:
    """Serve the page until SIGTERM or SIGINT.

    Raises:
        ConfigError: a setting cannot be met.
    """
    link, closing = Link(settings), asyncio.Event()
    listener = _listen(settings)
    port = listener.getsockname()[1]
    limits = replace(ReadLimits(), max_bytes=settings.max_upload_bytes)
    options = IntakeOptions(limits=limits)
    with listener, Sandbox() as sandbox:
        films = Films(lambda data: sandbox.film(data, options), settings.max_films)
        uploads = Uploads(link, films, _admission(settings), limits, settings.gateway_timeout_s)
        app = make_app(Console(link, films, uploads, closing), port)
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,  # addresses hold subject codes
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_DRAIN_S,
        )
        server = _Server(config)
        following = asyncio.create_task(link.follow())
        stopping = asyncio.create_task(_stop_when_told(server, closing))
        _log.info("console_serving", port=port, profile=settings.profile, url=f"http://{settings.host}:{port}/")
        try:
            await server.serve(sockets=[listener])
        finally:
            for task in (following, stopping):
                task.cancel()
            films.close()
            await asyncio.get_running_loop().shutdown_default_executor()  # a film in hand needs the sandbox
    _log.info("stopped")


class _Server(uvicorn.Server):
    """A server that leaves signals to us: uvicorn's own raises them again once it has stopped."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def _stop_when_told(server: uvicorn.Server, closing: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, closing.set)
    await closing.wait()
    server.should_exit = True


def _listen(settings: ConsoleSettings) -> socket.socket:
    try:
        return socket.create_server(
            (settings.host, settings.port), family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        )
    except OSError as error:
        raise ConfigError(
            found=f"{settings.host}:{settings.port} taken",
            expected="a free port",
            advice="Set ECHOPLANE_CONSOLE_PORT to another.",
        ) from error


def _admission(settings: ConsoleSettings) -> Admission:
    return Admission(settings.max_running, settings.max_queued, settings.max_held_bytes, lambda waiting: None)
