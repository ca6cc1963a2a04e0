"""The documents name what is there."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACEHOLDER = re.compile(r"\| *[A-Z]+(?:_[A-Z]+)+ *\||^[A-Z]{4,}$", re.MULTILINE)
"""A bare word in capitals where a figure belongs: alone in a table's cell, or alone on a line."""

PAGES = [
    page
    for page in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") or part in ("out", "runs") for part in page.relative_to(ROOT).parts)
]
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "DECISIONS.md", "CHANGELOG.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_document_names_is_there(page: Path) -> None:
    named = re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", page.read_text())
    assert [path for path, _ in named if not (ROOT / path).is_file()] == []
    lacking = [test for path, test in named if test and f"def {test}(" not in (ROOT / path).read_text()]
    assert lacking == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_a_document_names_is_in_the_makefile(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)`", (ROOT / name).read_text(), re.MULTILINE))
    assert {first or second for first, second in named} - targets == set()


def test_every_verb_the_readme_shows_is_installed() -> None:
    named = set(re.findall(r"bin/echoplane ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named - {verb.name for verb in entry_points(group="echoplane.commands")} == set()


def test_the_architecture_draws_every_module_of_the_services() -> None:
    drawn = set(re.findall(r"[a-z_]+", (ROOT / "ARCHITECTURE.md").read_text()))
    modules = {p.stem for p in (ROOT / "services").rglob("*.py") if not p.stem.startswith("__")}
    assert modules - drawn == set()


def test_the_first_screen_of_the_readme_says_what_must_be_said() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:25])
    for words in ("make demo", "make test", "answers.jpg", "simulated data only", "not a medical device", "no further"):
        assert words in first_screen


def test_no_document_holds_a_placeholder() -> None:
    found = {page.name: PLACEHOLDER.findall(page.read_text()) for page in PAGES}
    assert not any(found.values()), found
