"""The second tab: a synthetic batch."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.consoles import Console

pytestmark = pytest.mark.timeout(180, func_only=True)


def open_images(page: Page, console: Console) -> None:
    page.goto(console.url)
    expect(page.locator("#gateway")).to_have_text("Gateway ready")
    page.get_by_role("tab", name="Synthetic images").click()


def test_where_there_is_no_generator_the_page_says_so_and_what_to_do(page: Page, console: Console) -> None:
    open_images(page, console)
    said = page.get_by_role("status").filter(has_text="serves no generator")
    expect(said).to_contain_text("Ask whoever runs it")
    expect(page.get_by_role("button", name="Make images")).to_be_disabled()


def test_a_batch_is_shown_image_by_image_each_marked_as_synthetic(page: Page, generating: Console) -> None:
    open_images(page, generating)
    wanted = {"A2C": 3, "A4C": 2, "PLAX": 0, "PSAX": 1}
    for view, count in wanted.items():
        page.get_by_label(view).fill(str(count))
    page.get_by_role("button", name="Make images").click()
    images = page.get_by_role("list", name="Synthetic images").get_by_role("listitem")
    expect(images).to_have_count(6, timeout=60_000)
    for view, count in wanted.items():
        expect(images.filter(has_text=view)).to_have_count(count)
    expect(images.filter(has_text="Synthetic")).to_have_count(6)
    expect(page.get_by_role("img", name="Synthetic PSAX image")).to_be_visible()
    expect(page.locator("#batch-told")).to_have_text("6 images are made.")
    expect(page.get_by_role("button", name="Make images")).to_be_focused()


def test_a_batch_can_be_stopped(page: Page, generating: Console) -> None:
    open_images(page, generating)
    for view in ("A2C", "A4C", "PLAX", "PSAX"):
        page.get_by_label(view).fill("64")
    page.get_by_role("button", name="Make images").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#batch-spoken")).to_contain_text("Stopped after")
    assert page.get_by_role("list", name="Synthetic images").get_by_role("listitem").count() < 256
    expect(page.get_by_role("button", name="Make images")).to_be_enabled()
