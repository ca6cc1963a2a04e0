"""Who may ask the console: this machine's own browser, on this page; and what that page may do."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost", "[::1]")
"""What the page may be called in an address bar; under any other name it is somebody's trick (DNS rebinding)."""

CONTENT_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'"
)
"""Everything comes from here: no inline script or style, no other host, no frame (W3C Content Security Policy 3)."""

HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
"""Of every answer."""

_READING = frozenset({"GET", "HEAD"})


class Borders:
    """Refuses requests under another name (421), and requests from another page (403) unless they only read.

    A page of another origin cannot read what a GET gives it, and can change nothing by it.

    Args:
        app: what is behind.
        port: on which the page is served.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts: Sequence[str] = [f"{name}:{port}" for name in NAMES]
        if port == 80:
            self._hosts = [*self._hosts, *NAMES]  # a browser leaves the port of http out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, with our headers on its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_ours(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
                MutableHeaders(scope=message).setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_ours)

    def _refusal(self, method: str, headers: Headers) -> PlainTextResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return PlainTextResponse("Open the console by its own address.", 421)
        origin = headers.getlist("origin")
        if method not in _READING and origin != [f"http://{hosts[0].lower()}"]:
            return PlainTextResponse("Asked from another page.", 403)
        return None
