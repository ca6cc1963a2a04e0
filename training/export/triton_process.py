"""Run one Triton server for as long as it takes to ask it something: the judge of what may go live, and a test's peer.

Standard library and numpy only, because it also runs inside Triton's own container.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cine.errors import ModelUnavailableError

FloatArray = NDArray[np.float32]

_DATATYPES = {"float32": "FP32", "int64": "INT64"}

START_TIMEOUT_S = 180.0
"""A server that has not loaded and warmed its models by then does not come: TensorRT engines take tens of seconds."""

STOP_TIMEOUT_S = 40.0
"""Beyond the server's own limit for requests in flight (`--exit-timeout-secs`)."""

_HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class TritonProcess:
    """A running server on loopback.

    Attributes:
        process: the server.
        http_port, grpc_port: where it listens.
    """

    process: subprocess.Popen[bytes]
    http_port: int
    grpc_port: int

    def is_ready(self) -> bool:
        """Say whether every model is loaded and warm."""
        try:
            return self._ask("GET", "/v2/health/ready")[0] == http.HTTPStatus.OK
        except OSError:
            return False

    def config(self, model: str) -> dict[str, Any]:
        """Give a model's configuration as the server reads it."""
        return dict(json.loads(self._expect("GET", f"/v2/models/{model}/config")[1]))

    def infer(self, model: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
        """Run a model once over HTTP with Triton's binary tensor extension.

        Args:
            model: its name.
            inputs: float32 or int64 by tensor name, batch first.

        Returns:
            Every output, by name.

        Raises:
            ModelUnavailableError: the server refused.
        """
        header, body = pack(inputs)
        headers, answer = self._expect("POST", f"/v2/models/{model}/infer", body, {_HEADER_LENGTH: str(len(header))})
        return _unpack(answer, int(headers[_HEADER_LENGTH]))

    def stop(self) -> int:
        """Ask it to end, wait, and give its exit code; a server that does not end is killed."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _expect(
        self, verb: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[http.client.HTTPMessage, bytes]:
        status, answered, answer = self._ask(verb, path, body, headers)
        if status != http.HTTPStatus.OK:
            raise ModelUnavailableError(
                found=f"a model server that answers {status} to {path}: {answer[:300].decode(errors='replace')}",
                expected="an answer",
                advice="Read the server's log.",
            )
        return answered, answer

    def _ask(
        self, verb: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        try:
            connection.request(verb, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


@contextmanager
def run_triton(
    command: Sequence[str], repository: Path, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[TritonProcess]:
    """Start a server on free loopback ports, wait until it is ready, and stop it at the end.

    Args:
        command: the program with options beyond repository and ports.
        repository: the model repository.
        log: where its output goes.
        environment: of the process; this one's by default.

    Raises:
        ModelUnavailableError: it ended or was not ready in time; the message holds the end of its log.
    """
    http_port, grpc_port = _free_ports(2)
    options = [
        f"--model-repository={repository}",
        "--http-address=127.0.0.1",
        f"--http-port={http_port}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc_port}",
        "--allow-metrics=false",
        "--exit-timeout-secs=10",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the caller's own server
            [*command, *options], env=dict(environment or os.environ), stdout=output, stderr=subprocess.STDOUT
        )
    server = TritonProcess(process, http_port, grpc_port)
    try:
        _wait(server, log)
        yield server
    finally:
        server.stop()


def _wait(server: TritonProcess, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.is_ready():
        if server.process.poll() is not None or time.monotonic() > deadline:
            end = log.read_text(errors="replace")[-1500:]
            raise ModelUnavailableError(
                found=f"a model server that did not get ready; its log ends with:\n{end}",
                expected=f"it ready within {START_TIMEOUT_S:.0f} s",
                advice=f"Read {log}.",
            )
        time.sleep(0.05)


def pack(inputs: Mapping[str, NDArray[Any]]) -> tuple[bytes, bytes]:
    """Write a request in Triton's binary tensor extension: its header, and the header with the tensors behind it.

    Raises:
        KeyError: an input is neither float32 nor int64.
    """
    tensors = [
        {
            "name": name,
            "shape": array.shape,
            "datatype": _DATATYPES[array.dtype.name],
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in inputs.items()
    ]
    header = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    return header, header + b"".join(np.ascontiguousarray(array).tobytes() for array in inputs.values())


def _unpack(answer: bytes, header_length: int) -> dict[str, FloatArray]:
    outputs, offset = {}, header_length
    for output in json.loads(answer[:header_length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        values = np.frombuffer(answer[offset : offset + size], np.float32)
        outputs[output["name"]] = values.reshape(output["shape"])
        offset += size
    return outputs


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
