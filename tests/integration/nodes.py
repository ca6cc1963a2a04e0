"""A DICOM node as a process of its own, and peers that send to it: dcmtk's, and bare sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.02
_T = TypeVar("_T")


@dataclass(frozen=True)
class Node:
    """A node that runs.

    Attributes:
        port: of its DICOM, on loopback.
        inbox: its folder.
        process: itself.
        log: where its log lines go.
        metrics_port: where Prometheus would scrape it.
    """

    port: int
    inbox: Path
    process: subprocess.Popen[bytes]
    log: Path
    metrics_port: int

    def metrics(self) -> dict[str, float]:
        """Scrape it; give each sample by its name and labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        return {name: float(value) for name, _, value in samples}

    def events(self) -> list[dict[str, object]]:
        """Read what it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]

    def objects(self) -> list[Path]:
        """List the objects that it keeps."""
        return [path for path in (self.inbox / "objects").glob("*.dcm") if not path.name.endswith(".sr.dcm")]

    def reports(self) -> list[Path]:
        """List the reports that it keeps."""
        return sorted((self.inbox / "objects").glob("*.sr.dcm"))


@contextmanager
def running_node(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Node]:
    """Start a node with its inbox in a folder, and stop it with SIGTERM at the end if it still runs.

    It keeps identities unless it is told otherwise, so that peers know objects again by their UIDs.

    Args:
        folder: of inbox and log; may hold those of an earlier run.
        settings: names of settings without their prefix, in capitals, and their values.
    """
    given = {"PORT": "0", "METRICS_PORT": "0", "INBOX": str(folder / "inbox"), "LEAST_FREE_BYTES": str(2**31)}
    given |= {"IDENTITY": "kept"} | dict(settings or {})
    environment = dict(os.environ) | {f"ECHOPLANE_NODE_{name}": value for name, value in given.items()}
    log = folder / "node.log"
    with log.open("wb") as sink:
        command = [sys.executable, "-m", "services.acquisition"]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=sink)
    try:
        serving = _serving(process, log)
        yield Node(int(serving["port"]), folder / "inbox", process, log, int(serving["metrics_port"]))
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


def _serving(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """Wait until it serves, and give the log line that says so."""

    def told() -> dict[str, Any] | None:
        for line in log.read_text().splitlines():
            if line.endswith("}") and '"node_serving"' in line:
                return dict(json.loads(line))
        assert process.poll() is None, log.read_text()
        return None

    return wait_for(told, START_TIMEOUT_S)


def wait_for(condition: Callable[[], _T | None], timeout_s: float) -> _T:
    """Wait until a condition gives something that is true, and give that."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if found := condition():
            return found
        time.sleep(_POLL_S)
    raise AssertionError(f"not within {timeout_s} s")


def storescu(node: Node, *arguments: str | Path, title: str = "CART") -> subprocess.CompletedProcess[str]:
    """Send files by dcmtk; its debug output tells the status of each."""
    command = ["storescu", "-d", "-aet", title, "-aec", "ECHOPLANE", "127.0.0.1", str(node.port), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, errors="replace")


def echoscu(node: Node, *arguments: str, title: str = "CART", called: str = "ECHOPLANE") -> bool:
    """Ask for an echo by dcmtk."""
    command = ["echoscu", "-to", "5", "-ta", "5", "-aet", title, "-aec", called, *arguments]
    done = subprocess.run([*command, "127.0.0.1", str(node.port)], capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def free_port() -> int:
    """Give a port of loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
