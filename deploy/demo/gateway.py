"""Starts a gateway on free ports of loopback: for the demonstration, the tests and the bench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
_POLL_S = 0.02


class GatewayDidNotStartError(RuntimeError):
    """The gateway ended, or said nothing, before it served; the message is its log."""


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs.

    Attributes:
        address: host:port of its gRPC.
        metrics_url: where Prometheus would scrape it.
        process: itself.
        log: where its log lines go.
    """

    address: str
    metrics_url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def running_gateway(log: Path, settings: Mapping[str, str] | None = None) -> Iterator[Gateway]:
    """Start a gateway, and stop it with SIGTERM at the end.

    Args:
        log: file for its log lines; overwritten.
        settings: names of settings without their prefix, in capitals, and their values.

    Raises:
        GatewayDidNotStartError: it did not come up.
        subprocess.TimeoutExpired: it did not stop.
    """
    given = {"PORT": "0", "METRICS_PORT": "0"} | dict(settings or {})
    environment = dict(os.environ) | {f"ECHOPLANE_GATEWAY_{name}": value for name, value in given.items()}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        command = [sys.executable, "-m", "services.gateway"]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=sink)  # noqa: S603 - ours
    try:
        ports = _wait_for_ports(process, log)
        metrics_url = f"http://127.0.0.1:{ports['metrics_port']}/metrics"
        yield Gateway(f"127.0.0.1:{ports['port']}", metrics_url, process, log)
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


def _wait_for_ports(process: subprocess.Popen[bytes], log: Path) -> dict[str, int]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if line.startswith("{") and line.endswith("}") and '"serving"' in line:
                return dict(json.loads(line))
        if process.poll() is not None:
            break
        time.sleep(_POLL_S)
    raise GatewayDidNotStartError(log.read_text() or "it said nothing")
