"""Prove a gateway image from inside: start it as its entry point does, wait for its health, send it a cine, stop it.

    python3 check.py python3 -m services.gateway

Prints one JSON object; exit code 0 when the gateway got healthy, answered and ended cleanly.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

from pydicom.data import get_testdata_file

START_TIMEOUT_S = 60.0
PROBE = [sys.executable, "probe.py"]


def main(command: list[str]) -> int:
    """Run the check; give the exit code."""
    ports = {f"ECHOPLANE_GATEWAY_{name}": str(free_port()) for name in ("PORT", "METRICS_PORT")}
    environment = {**os.environ, **ports, "ECHOPLANE_GATEWAY_HOST": "127.0.0.1"}  # elsewhere it asks who calls
    gateway = subprocess.Popen(command, env=environment)  # noqa: S603 - the image's own entry point
    try:
        is_healthy = wait_until_healthy(gateway, environment)
        answer = ask(ports["ECHOPLANE_GATEWAY_PORT"]) if is_healthy else {}
    finally:
        gateway.terminate()
        exit_code = gateway.wait(60)
    print(json.dumps({"uid": os.getuid(), "healthy": is_healthy, "exit_code": exit_code, "answer": answer}))
    return 0 if is_healthy and answer.get("verdict") and exit_code == 0 and os.getuid() != 0 else 1


def wait_until_healthy(gateway: subprocess.Popen[bytes], environment: dict[str, str]) -> bool:
    """Run the image's own probe until it is content."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while gateway.poll() is None and time.monotonic() < deadline:
        asked = subprocess.run(PROBE, env=environment, stderr=subprocess.DEVNULL, check=False)  # noqa: S603 - fixed
        if asked.returncode == 0:
            return True
        time.sleep(0.1)
    return False


def ask(port: str) -> dict[str, Any]:
    """Send the true cardiac cine that pydicom brings; give the answer."""
    cine = str(get_testdata_file("examples_ybr_color.dcm", download=False))
    command = ["echoplane", "predict", cine, "--server", f"127.0.0.1:{port}", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - fixed
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
