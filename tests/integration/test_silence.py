"""A network that stops without a word: client and gateway both find out, and nobody's place stays taken."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from deploy.demo.gateway import running_gateway
from services.client import CallError
from services.sync_client import SyncClient
from tests.builders import dicom_bytes, fan_frames
from tests.integration.nodes import wait_for
from tests.integration.test_gateway import metrics

WITHIN_S = 45.0
"""Twenty seconds until one asks, ten for an answer; the rest is for a busy machine."""


@contextmanager
def link(target: str, silent: threading.Event) -> Iterator[str]:
    """Pass one connection on to a target until it is to be silent; then keep it, and lose all that comes."""
    threads, (host, port) = list[threading.Thread](), target.split(":")

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not silent.is_set():
                    sink.sendall(data)

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def attend() -> None:
            ends = listener.accept()[0], socket.create_connection((host, int(port)))
            for source, sink in (ends, ends[::-1]):
                threads.append(threading.Thread(target=copy, args=(stack.enter_context(source), sink), daemon=True))
                threads[-1].start()

        attending = threading.Thread(target=attend, daemon=True)
        attending.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        attending.join()
    for thread in threads:
        thread.join(5)


def test_when_the_network_goes_silent_both_ends_let_go(tmp_path: Path) -> None:
    silent, since_s, data = threading.Event(), [0.0], dicom_bytes(fan_frames(count=200))

    def fall_silent_half_way(done: int, total: int) -> None:
        if done > total // 2 and not silent.is_set():
            silent.set()
            since_s[0] = time.monotonic()

    with running_gateway(tmp_path / "log") as gateway, link(gateway.address, silent) as address:
        with SyncClient(address, retry=None) as client, pytest.raises(CallError) as caught:
            client.predict_view(data, timeout_s=110, progress=fall_silent_half_way)
        assert caught.value.code == "UNAVAILABLE"
        assert time.monotonic() - since_s[0] < WITHIN_S
        wait_for(lambda: 'queue_depth_requests{method="PredictView"} 0.0' in metrics(gateway), WITHIN_S)
