"""A unit test talks to nothing: whoever connects, binds or resolves a name inside one fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

FORBIDDEN = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"})


class SocketInUnitTestError(Exception):
    """A unit test used the network, or a socket of another process."""


class _Guard:
    is_on = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.is_on and event in FORBIDDEN:
            raise SocketInUnitTestError(f"{event} in a unit test; move the test to tests/integration")


_guard = _Guard()
sys.addaudithook(_guard)  # cannot be taken back; hence the switch


@pytest.fixture(autouse=True)
def no_sockets() -> Iterator[None]:
    """Refuse sockets for as long as a unit test runs."""
    _guard.is_on = True
    yield
    _guard.is_on = False
