"""Files that are dropped by the mouse: the browser's own drag, with files of the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.cines import StudyFiles
from tests.browser.consoles import Console
from tests.browser.steps import SETTLED, WAIT_MS, line, open_study, sent

pytestmark = pytest.mark.timeout(180, func_only=True)


def drag(page: Page, over: Locator, paths: list[Path], *kinds: str) -> None:
    """Drag files over the middle of an element, and let go where `kinds` says so (Chrome DevTools Protocol, Input)."""
    box = over.bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    browser = page.context.new_cdp_session(page)
    for kind in kinds:
        browser.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})
    browser.detach()


def test_files_that_are_dropped_are_read_each(page: Page, console: Console, files: StudyFiles) -> None:
    open_study(page, console, "S06-001")
    place = page.get_by_role("button", name="Drop cines here")
    drag(page, place, [*files.views[:2]], "dragEnter", "dragOver")
    expect(place).to_have_class("drop over")
    drag(page, place, [*files.views[:2]], "drop")
    expect(place).to_have_class("drop slim")
    for number in (1, 2):
        expect(line(page, number)).to_have_attribute("data-state", SETTLED, timeout=WAIT_MS)
        assert "trouble" not in str(line(page, number).get_attribute("data-state"))
    expect(page.locator("#film")).to_be_visible()


def test_a_file_beside_the_place_is_taken_as_well_and_the_page_stays(
    page: Page, console: Console, files: StudyFiles
) -> None:
    open_study(page, console, "S06-002")
    drag(page, page.get_by_role("list", name="Required views"), [files.colour], "dragEnter", "dragOver", "drop")
    expect(line(page, 1)).to_have_attribute("data-state", "rejected", timeout=WAIT_MS)
    assert page.url == console.url


def test_a_file_that_is_dropped_before_its_study_is_known_is_not_taken_and_the_page_says_so(
    page: Page, console: Console, files: StudyFiles
) -> None:
    page.goto(console.url)
    expect(page.get_by_label("baseline")).to_be_visible()
    drag(page, page.locator("main"), [files.colour], "dragEnter", "dragOver", "drop")
    expect(page.get_by_role("alert").filter(has_text="Say first which study it is")).to_be_visible()
    expect(page.get_by_label("Subject code")).to_be_focused()
    assert page.url == console.url


def test_a_folder_is_no_cine_and_the_page_says_so(page: Page, console: Console, tmp_path: Path) -> None:
    open_study(page, console, "S06-003")
    (tmp_path / "cine.dcm").write_bytes(b"in a folder")
    drag(page, page.locator("#drop"), [tmp_path], "dragEnter", "dragOver", "drop")
    expect(line(page, 1)).to_have_attribute("data-state", "trouble")
    expect(page.get_by_role("article", name="Cine on the screen")).to_contain_text("drop the cines themselves")
    expect(sent(page)).to_have_count(1)
