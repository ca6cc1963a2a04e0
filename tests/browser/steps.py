"""What the person at the scanner does on the page, by what is read on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.consoles import Console

WAIT_MS = 90_000.0
SETTLED = re.compile("counts|usable|unsure|rejected|trouble")


def open_study(page: Page, console: Console, subject_code: str, visit: str = "baseline") -> None:
    """Open the page and begin a study."""
    page.goto(console.url)
    page.get_by_label("Subject code").fill(subject_code)
    page.get_by_label(visit, exact=True).check()
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name=f"{subject_code} · {visit}")).to_be_visible()


def send(page: Page, paths: Sequence[Path]) -> None:
    """Send files one after the other, each once the one before has got its answer."""
    before = sent(page).count()
    for number, path in enumerate(paths, start=before + 1):
        page.locator("#files").set_input_files(path)
        expect(line(page, number)).to_have_attribute("data-state", SETTLED, timeout=WAIT_MS)


def line(page: Page, number: int) -> Locator:
    """Find the line of a cine that was sent, by its number."""
    return sent(page).filter(has_text=f"Cine {number}")


def sent(page: Page) -> Locator:
    """Find the lines of the cines that were sent, the newest first."""
    return page.get_by_role("list", name="Sent so far").get_by_role("button")


def required(page: Page, view: str) -> Locator:
    """Find the line of a required view."""
    return page.get_by_role("list", name="Required views").get_by_role("listitem").filter(has_text=view)


def focused(page: Page) -> str:
    """Say what has the focus: its name as it is read out, or its text."""
    name: str = page.evaluate(
        "() => { const at = document.activeElement;"
        " return at.getAttribute('aria-label') ?? at.labels?.[0]?.textContent.trim() ?? at.textContent.trim(); }"
    )
    return name


def has_outline(page: Page) -> bool:
    """Say whether the focus is seen."""
    seen: bool = page.evaluate(
        "() => { const at = document.activeElement; const frame = at.matches('[type=radio]') ? at.parentElement : at;"
        " return parseFloat(getComputedStyle(frame).outlineWidth) >= 3; }"
    )
    return seen
