"""Who is let in: this page under its own name, and nobody else; and what the page may do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from services.acquisition.console.borders import HEADERS, Borders
from services.acquisition.console.pages import STATIC

PORT = 8080
OWN = f"http://127.0.0.1:{PORT}"
HOSTILE = ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:9999", f"127.0.0.1.evil.example:{PORT}", ""]


@pytest.fixture
def client() -> Iterator[TestClient]:
    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse("in")

    app = Borders(Starlette(routes=[Route("/", answer, methods=["GET", "POST", "DELETE"])]), PORT)
    with TestClient(app, base_url=OWN) as inside:
        yield inside


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_page_is_served_under_its_own_names(client: TestClient, name: str) -> None:
    assert client.get("/", headers={"host": f"{name}:{PORT}"}).text == "in"


@pytest.mark.parametrize("host", HOSTILE)
def test_under_another_name_nothing_is_served(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://evil.example",
        "http://127.0.0.1:9999",
        f"https://127.0.0.1:{PORT}",
        f"http://localhost:{PORT}",
    ],
)
def test_another_page_changes_nothing(client: TestClient, method: str, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert client.request(method, "/", headers=headers).status_code == 403


def test_the_page_itself_may_ask_for_something(client: TestClient) -> None:
    assert client.post("/", headers={"origin": OWN}).text == "in"


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_every_answer_says_what_the_page_may_do(client: TestClient, path: str) -> None:
    for headers in ({}, {"host": "evil.example"}):
        answer = client.get(path, headers=headers)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"] == "no-store"


def test_the_policy_leaves_no_way_out() -> None:
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_no_part_of_the_page_names_another_host_or_writes_markup(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    for word in ("http:", "https:", "//cdn", "innerHTML", "eval(", "onclick=", "style=", "@import", "url("):
        assert word not in text, word
