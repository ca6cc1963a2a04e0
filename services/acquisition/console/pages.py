"""The console's addresses: the page and its parts, and what the page asks for."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from services.acquisition.console.batches import batch_lines, read_wish
from services.acquisition.console.borders import Borders
from services.acquisition.console.events import events
from services.acquisition.console.films import Films
from services.acquisition.console.link import Link
from services.acquisition.console.naming import choose_study
from services.acquisition.console.subject import Subject
from services.acquisition.console.uploads import Uploads
from services.acquisition.console.words import REASONS
from services.cine.errors import EchoplaneError, Reason

STATIC = Path(__file__).parent / "static"
_MOST_JSON_BYTES = 16 * 1024
_MOST_NAME = 128

mimetypes.add_type("text/javascript", ".js")  # a machine may have it otherwise, and browsers are strict


@dataclass(frozen=True)
class Console:
    """What the addresses are answered with.

    Attributes:
        link: to the gateway.
        films: for the screen.
        uploads: takes files.
        closing: set when the console stops.
    """

    link: Link
    films: Films
    uploads: Uploads
    closing: asyncio.Event

    async def limits(self, _: Request) -> Response:
        """Tell what may be sent."""
        return JSONResponse({"max_bytes": self.uploads.limits.max_bytes, "too_large": REASONS[Reason.LIMIT_BYTES]})

    async def events(self, request: Request) -> Response:
        """Begin to tell what happens."""
        subject = self._subject(request)
        chosen = subject if subject.study or subject.subject_code else None
        return StreamingResponse(events(self.link, chosen, self.closing), media_type="text/event-stream")

    async def study(self, request: Request) -> Response:
        """Say which study a name means, or name one."""
        wanted = await _json(request)
        if not all(isinstance(wanted.get(key), str) for key in ("study", "subject_code", "visit")):
            return _malformed()
        subject = Subject(study=wanted["study"], subject_code=wanted["subject_code"].strip(), visit=wanted["visit"])
        return JSONResponse(await choose_study(self.link, subject))

    async def cine(self, request: Request) -> Response:
        """Take one file."""
        protocol = self.link.state.protocol
        required = () if protocol is None else protocol.required_views
        try:
            return JSONResponse(await self.uploads.take(request.stream(), self._subject(request), required))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it

    async def film(self, request: Request) -> Response:
        """Describe a film: its size, its times, the sector's outline, how long the file of each frame is."""
        try:
            reel = await self.films.get(request.path_params["name"])
        except EchoplaneError as error:
            return JSONResponse({"words": REASONS[error.reason]})
        if reel is None:
            return JSONResponse({"words": "This cine is not kept any more: send it again to see it."})
        return JSONResponse(
            {
                "columns": reel.columns,
                "rows": reel.rows,
                "times_ms": reel.times_ms,
                "outline_px": reel.outline_px,
                "frame_bytes": [len(frame) for frame in reel.frames],
            }
        )

    async def frames(self, request: Request) -> Response:
        """Give the frames of a film, one file after the other."""
        try:
            reel = await self.films.get(request.path_params["name"])
        except EchoplaneError:  # of which `film` has told
            reel = None
        if reel is None:
            return Response(status_code=404)
        return Response(b"".join(reel.frames), media_type="application/octet-stream")

    async def batch(self, request: Request) -> Response:
        """Have a synthetic batch made."""
        try:
            wish = read_wish(await _json(request))
        except ValueError:
            return _malformed()
        return StreamingResponse(batch_lines(self.link, wish), media_type="application/x-ndjson")

    def _subject(self, request: Request) -> Subject:
        named = {key: request.query_params.get(key, "")[:_MOST_NAME] for key in ("study", "subject_code", "visit")}
        protocol = self.link.state.protocol
        return Subject(trial="" if protocol is None else protocol.trial, **named)


def make_app(console: Console, port: int) -> ASGIApp:
    """Put the console behind its borders."""
    routes = [
        Route("/api/limits", console.limits),
        Route("/api/events", console.events),
        Route("/api/study", console.study, methods=["POST"]),
        Route("/api/cines", console.cine, methods=["POST"]),
        Route("/api/films/{name}", console.film),
        Route("/api/films/{name}/frames", console.frames),
        Route("/api/batches", console.batch, methods=["POST"]),
        Mount("/", StaticFiles(directory=STATIC, html=True)),
    ]
    return Borders(Starlette(routes=routes), port)


async def _json(request: Request) -> dict[str, Any]:
    """Read a small object of JSON; anything else is an empty one."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MOST_JSON_BYTES:
            return {}
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _malformed() -> Response:
    return JSONResponse({"words": REASONS[Reason.REQUEST_MALFORMED]}, 400)
