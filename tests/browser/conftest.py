"""One gateway, one console, one Chromium for all tests of the page; a new window each, that talks to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from echoplane.v1 import study_pb2
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, ViewportSize, expect

from deploy.demo.gateway import Gateway
from services.acquisition.console.shown import show_answer
from services.acquisition.protocol import read_protocol
from services.client import Client
from tests.browser.cines import StudyFiles, write_study
from tests.browser.consoles import PROTOCOL, ROOT, Console, chromium, gateway_with_studies, running_console
from tests.builders import tiny_repository
from tests.unit.models.tiny_synthesizer import write_synthesizer

WAIT_MS = 60_000.0
SIZE = ViewportSize(width=1440, height=900)

expect.set_options(timeout=WAIT_MS)  # its own five seconds are too few for a busy machine


@pytest.fixture(scope="package")
def files(tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    return write_study(tmp_path_factory.mktemp("cines"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The shipped weights, and no generator."""
    with gateway_with_studies(tmp_path_factory.mktemp("gateway"), ROOT / "model_repository") as gateway:
        yield gateway


@pytest.fixture(scope="package")
def answers(gateway: Gateway, files: StudyFiles) -> dict[Path, dict[str, Any]]:
    """What the gateway says of each file without the console, as the page should show it."""
    required = read_protocol(PROTOCOL).required_views
    wire = [
        study_pb2.RequiredView(view=f"VIEW_{each.view}", least_confidence=each.least_confidence) for each in required
    ]

    async def ask() -> dict[Path, dict[str, Any]]:
        async with Client(gateway.address) as client:
            return {path: show_answer(await client.predict_view(path.read_bytes()), wire) for path in files.all}

    with ThreadPoolExecutor(1) as thread:  # playwright has an event loop on this one
        return thread.submit(lambda: asyncio.run(ask())).result()


@pytest.fixture(scope="package")
def console(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with running_console(tmp_path_factory.mktemp("console"), gateway.address) as console:
        yield console


@pytest.fixture(scope="package")
def generating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console before tiny weights that have learned nothing, a generator among them."""
    folder = tmp_path_factory.mktemp("generating")
    repository = tiny_repository(folder)
    write_synthesizer(repository)
    with gateway_with_studies(folder, repository) as gateway, running_console(folder, gateway.address) as console:
        yield console


class Watched:
    """What the pages of a browser's session have done beside what they show."""

    def __init__(self, session: BrowserContext) -> None:
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        session.on("request", self._requested)
        session.on("console", self._said)
        session.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _requested(self, request: Request) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1":
            self.elsewhere.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if (
            message.type in ("error", "warning") and "ERR_CONNECTION_REFUSED" not in message.text
        ):  # the console has gone
            self.complaints.append(message.text)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new window, which talks to nobody else and has nothing to complain of."""
    session = browser.new_context(viewport=SIZE)
    session.set_default_timeout(WAIT_MS)
    watched = Watched(session)
    yield session.new_page()
    session.close()
    assert watched.elsewhere == []
    assert watched.complaints == []
