"""Takes the pictures of the console that the README shows: `python -m tests.browser.screenshots`.

A real gateway with the repository's weights, a real console, simulated cines. Where the repository has a generator the
last picture shows a batch of it, else what the page says without one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.cines import StudyFiles, write_study
from tests.browser.consoles import ROOT, chromium, gateway_with_studies, running_console
from tests.browser.steps import WAIT_MS, line, open_study, send

PLACE = ROOT / "deploy" / "console"
MOST_BYTES = 150_000
_SIZE = ViewportSize(width=1440, height=900)
_BEAT_MS = 1_200
"""A part of a beat, so that no picture shows a first frame."""


def main() -> int:
    """Take all pictures anew; 0 when each is small enough to keep."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_study(folder)
        with (
            gateway_with_studies(folder, ROOT / "model_repository") as gateway,
            running_console(folder, gateway.address) as console,
            chromium() as browser,
        ):
            page = browser.new_page(viewport=_SIZE)
            open_study(page, console, "S01-001")
            take_all(page, files)
    too_large = [path.name for path in PLACE.glob("*.jpg") if path.stat().st_size > MOST_BYTES]
    print(f"Pictures: {PLACE.relative_to(ROOT)}" + (f"; over {MOST_BYTES} bytes: {too_large}" if too_large else ""))
    return 1 if too_large else 0


def take_all(page: Page, files: StudyFiles) -> None:
    """Go through a study that has just begun, and take a picture of each thing to be seen."""
    send(page, files.all)
    expect(page.locator("#film")).to_be_visible(timeout=WAIT_MS)
    _take(page, "rejected")
    line(page, 2).click()
    expect(page.locator("#film")).to_be_visible(timeout=WAIT_MS)
    _take(page, "study")
    page.get_by_role("button", name="Change study").click()
    expect(page.get_by_role("button", name="S01-001 · baseline")).to_be_visible(timeout=WAIT_MS)
    _take(page, "choose")
    page.get_by_role("tab", name="Synthetic images").click()
    make = page.get_by_role("button", name="Make images")
    if make.is_enabled():
        make.click()
        expect(page.locator("#batch-spoken")).to_contain_text("images are made", timeout=WAIT_MS)
    _take(page, "images")


def _take(page: Page, name: str) -> None:
    PLACE.mkdir(exist_ok=True)
    page.mouse.move(0, 0)
    page.wait_for_timeout(_BEAT_MS)
    page.screenshot(path=PLACE / f"{name}.jpg", type="jpeg", quality=70, full_page=True)


if __name__ == "__main__":
    sys.exit(main())
