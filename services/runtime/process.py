"""How a process of a site starts, serves its metrics and ends; the exit code says who must act."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from services.cine.errors import ConfigError, EchoplaneError
from services.runtime.logs import configure_logs
from services.runtime.settings import ProcessSettings

STOPPED, CANNOT_START, WRONG_SETTING = 0, 1, 2


_Settings = TypeVar("_Settings", bound=ProcessSettings)


def run_process(load: Callable[[], _Settings], serve: Callable[[_Settings], Coroutine[Any, Any, None]]) -> int:
    """Read the settings, send logs to stderr as JSON, and serve until told to stop.

    Args:
        load: reads the settings.
        serve: ends when the process shall.

    Returns:
        The exit code: 0 stopped cleanly, 1 something that it needs is not there, 2 a setting is wrong, which a plain
        line says.
    """
    try:
        settings = load()
        configure_logs(settings.log_level)
        asyncio.run(serve(settings))
    except ConfigError as error:
        print(f"echoplane: {error}", file=sys.stderr)
        return WRONG_SETTING
    except EchoplaneError as error:
        structlog.get_logger().error("cannot_start", reason=error.reason, message=str(error))
        return CANNOT_START
    return STOPPED


async def told_to_stop() -> None:
    """Wait for SIGTERM or SIGINT."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()


def start_metrics(host: str, port: int, registry: CollectorRegistry, setting: str) -> WSGIServer:
    """Serve what is counted to Prometheus, from a thread of its own.

    Args:
        host: address to serve on.
        port: there; 0 takes a free one.
        registry: what is counted.
        setting: variable that holds the port, for the error.

    Raises:
        ConfigError: the port is taken.
    """
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise ConfigError(
            found=f"{host}:{port} taken", expected="a free port", advice=f"Set {setting} to another."
        ) from error
    return server
