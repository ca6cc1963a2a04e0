"""The guard of this folder guards."""

from __future__ import annotations

import socket

import pytest

from tests.unit.conftest import SocketInUnitTestError


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, ("127.0.0.1", 9)), (socket.AF_INET6, ("::1", 9)), (socket.AF_UNIX, "x")]
)
def test_a_unit_test_cannot_connect_bind_or_send(family: socket.AddressFamily, address: tuple[str, int] | str) -> None:
    for use in ("connect", "bind"):
        with socket.socket(family) as sock, pytest.raises(SocketInUnitTestError, match=use):
            getattr(sock, use)(address)


def test_a_unit_test_cannot_resolve_a_name() -> None:
    with pytest.raises(SocketInUnitTestError):
        socket.getaddrinfo("localhost", 80)


def test_this_test_is_marked_by_its_folder(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("unit")
    assert not request.node.get_closest_marker("integration")
