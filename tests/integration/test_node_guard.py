"""Idle, slow and absurd peers cost the DICOM node next to nothing."""

from __future__ import annotations

import resource
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.nodes import Node, echoscu, running_node, storescu, wait_for
from tests.unit.acquisition.cases import source_bytes

pytestmark = pytest.mark.alone

IDLE, TRIES = 1_000, 5
REQUEST = struct.pack(">BxLHH16s16s32x", 1, 68, 1, 0, b"ECHOPLANE".ljust(16), b"CART".ljust(16))
"""An association request up to its first item."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    settings = {"IDLE_TIMEOUT_S": "1", "REQUEST_TIMEOUT_S": "1", "ASSOCIATION_TIMEOUT_S": "3", "MAX_ASSOCIATIONS": "4"}
    with running_node(tmp_path_factory.mktemp("node"), settings) as running:
        yield running


@contextmanager
def connected(node: Node, sent: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as peer:
        peer.sendall(sent)
        yield peer


def rest_of(peer: socket.socket) -> bytes:
    """Read until the node closes."""
    told = b""
    with suppress(ConnectionResetError):
        while more := peer.recv(4096):
            told += more
    return told


def test_with_a_thousand_idle_sockets_it_answers_within_a_second(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + 512), hard))
    with running_node(tmp_path, {"REQUEST_TIMEOUT_S": "60"}) as node, ExitStack() as idle:
        for _ in range(IDLE):
            idle.enter_context(connected(node))
        assert_quick(node)
        for _ in range(IDLE // 4):
            idle.enter_context(connected(node, REQUEST[:-1]))
        assert_quick(node)


def assert_quick(node: Node) -> None:
    """Ask for an echo, from the start of dcmtk to its end within a second; others use the machine, so a few times."""
    took_s = []
    for _ in range(TRIES):
        begun_s = time.monotonic()
        assert echoscu(node)
        took_s.append(time.monotonic() - begun_s)
    assert min(took_s) < 1.0


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">BxL", 1, 2**32 - 1),
        REQUEST[:50],
        struct.pack(">BxL", 4, 100) + bytes(100),
        struct.pack(">BxL", 1, 4) + bytes(4),
    ],
    ids=["nothing", "HTTP", "an absurd length", "half a request", "data at once", "a short request"],
)
def test_whoever_asks_for_nothing_is_let_go(node: Node, sent: bytes) -> None:
    begun_s = time.monotonic()
    with connected(node, sent) as peer:
        told = rest_of(peer)
    assert told[:1] in (b"", b"\x07")
    assert time.monotonic() - begun_s < 3.0
    assert echoscu(node)


def associated(node: Node) -> socket.socket:
    """Have an association for C-ECHO, and give its bare socket."""
    item = struct.pack(">BxH", 0x10, 21) + b"1.2.840.10008.3.1.1.1"
    syntaxes = (
        struct.pack(">BxH", 0x30, 17) + b"1.2.840.10008.1.1" + struct.pack(">BxH", 0x40, 17) + b"1.2.840.10008.1.2"
    )
    context = struct.pack(">BxHBxxx", 0x20, 4 + len(syntaxes), 1) + syntaxes
    user = struct.pack(">BxHL", 0x51, 4, 16384) + struct.pack(">BxH", 0x52, 5) + b"1.2.3"
    items = item + context + struct.pack(">BxH", 0x50, len(user)) + user
    peer = socket.create_connection(("127.0.0.1", node.port), timeout=10)
    peer.sendall(REQUEST[:2] + struct.pack(">L", 68 + len(items)) + REQUEST[6:] + items)
    assert peer.recv(4096)[:1] == b"\x02"
    return peer


@pytest.mark.parametrize(
    "sent", [b"", struct.pack(">BxL", 4, 2**31), struct.pack(">BxL", 4, 131_073), b"\x04\0\0\0\0\x10" + bytes(3)]
)
def test_an_association_that_stalls_or_says_absurd_lengths_ends(node: Node, sent: bytes) -> None:
    with associated(node) as peer:
        peer.sendall(sent)
        begun_s = time.monotonic()
        assert rest_of(peer)[:1] in (b"", b"\x07")
        assert time.monotonic() - begun_s < 2.5


def test_one_that_drips_ends_too(node: Node) -> None:
    begun_s = time.monotonic()
    with associated(node) as peer, suppress(ConnectionError):
        while time.monotonic() - begun_s < 10.0:
            peer.sendall(b"\x04\0\0\0\0\x01\0")  # whole, but says nothing
            time.sleep(0.3)
    assert time.monotonic() - begun_s < 6.0


def test_so_many_associations_and_no_more(node: Node) -> None:
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(associated(node))
        assert not echoscu(node)
    assert wait_for(lambda: echoscu(node), 5.0)


def test_an_object_over_the_limit_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cine.dcm"
    path.write_bytes(source_bytes(count=400))
    settings = {"MAX_OBJECT_BYTES": "50000", "MAX_PDU_BYTES": "4096", "IDLE_TIMEOUT_S": "2"}
    with running_node(tmp_path, settings) as node:
        assert storescu(node, path).returncode != 0
        assert list((node.inbox / "incoming").iterdir()), "pynetdicom leaves nothing any more"
        assert echoscu(node)
        assert node.objects() == []
        wait_for(lambda: not list((node.inbox / "incoming").iterdir()), 10.0)
