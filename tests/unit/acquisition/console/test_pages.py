"""The console's addresses, asked as the page asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from services.acquisition.console.films import Films
from services.acquisition.console.pages import STATIC, Console, make_app
from services.acquisition.console.uploads import Uploads
from services.cine.film import Film
from services.runtime.rpc import Admission
from tests.unit.acquisition.console.linking import Answers, LinkedTo
from tests.unit.acquisition.console.test_films import film, unreadable
from tests.unit.acquisition.console.test_uploads import LIMITS

OWN = "http://127.0.0.1:8080"
HEADERS = {"origin": OWN}


def read(data: bytes) -> Film:
    return unreadable(data) if data == b"damaged" else film()


@pytest.fixture
def page() -> Iterator[TestClient]:
    link, films = LinkedTo(Answers()), Films(read, 4)
    uploads = Uploads(link, films, Admission(1, 4, 2000, lambda waiting: None), LIMITS, 5.0)
    with TestClient(make_app(Console(link, films, uploads, asyncio.Event()), 8080), base_url=OWN) as client:
        yield client


def send(page: TestClient, data: bytes, query: str = "?subject_code=S01-001&visit=baseline") -> dict[str, object]:
    answer: dict[str, object] = page.post(f"/api/cines{query}", content=data, headers=HEADERS).json()
    return answer


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/console.js", "text/javascript"),
        ("/console.css", "text/css"),
        ("/favicon.svg", "image/svg"),
    ],
)
def test_the_page_and_its_parts_are_served_as_what_they_are(page: TestClient, path: str, kind: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)


def test_the_page_holds_no_script_and_names_only_parts_that_are_there(page: TestClient) -> None:
    html = page.get("/").text
    assert "<script>" not in html
    for part in ("console.js", "console.css", "favicon.svg"):
        assert part in html
        assert (STATIC / part).is_file()


def test_a_file_gets_its_answer_and_its_film_frame_by_frame(page: TestClient) -> None:
    told = send(page, b"whole")
    facts = page.get(f"/api/films/{told['film']}").json()
    frames = page.get(f"/api/films/{told['film']}/frames").content
    assert len(frames) == sum(facts["frame_bytes"])
    assert frames.startswith(b"\xff\xd8\xff")
    assert len(facts["times_ms"]) == len(facts["frame_bytes"]) == 3


def test_a_file_over_the_limit_is_refused_in_words(page: TestClient) -> None:
    told = send(page, b"x" * (LIMITS.max_bytes + 1))
    assert told["trouble"]["reason"] == "LIMIT_BYTES"  # type: ignore[index]
    assert page.get("/api/limits").json()["max_bytes"] == LIMITS.max_bytes


def test_a_film_that_cannot_be_made_or_is_gone_says_so(page: TestClient) -> None:
    damaged = send(page, b"damaged")["film"]
    assert "damaged" in page.get(f"/api/films/{damaged}").json()["words"]
    assert page.get(f"/api/films/{damaged}/frames").status_code == 404
    assert "send it again" in page.get("/api/films/nothing").json()["words"]
    assert page.get("/api/films/nothing/frames").status_code == 404


@pytest.mark.parametrize("address", ["/api/study", "/api/batches"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"study": 1}', b'"' + b"x" * 20_000 + b'"'])
def test_what_is_no_wish_is_refused(page: TestClient, address: str, body: bytes) -> None:
    assert page.post(address, content=body, headers=HEADERS).status_code == 400


def test_a_study_is_chosen_by_its_name(page: TestClient) -> None:
    wanted = {"study": "", "subject_code": " s01-001 ", "visit": "baseline"}
    assert page.post("/api/study", json=wanted, headers=HEADERS).json()["subject_code"] == "S01-001"


@pytest.mark.parametrize("address", ["/api/cines", "/api/study", "/api/batches"])
def test_another_page_sends_nothing(page: TestClient, address: str) -> None:
    assert page.post(address, content=b"x", headers={"origin": "https://evil.example"}).status_code == 403
    assert page.get(address).status_code == 404
