"""A gateway that goes and comes back while the page is open."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.acquisition.console.words import AWAY
from tests.browser.consoles import gateway_with_studies, running_console
from tests.browser.steps import SETTLED, WAIT_MS, line, open_study
from tests.builders import dicom_bytes, fan_frames, tiny_repository

pytestmark = pytest.mark.timeout(180, func_only=True)


def test_while_the_gateway_is_away_the_page_says_so_and_it_comes_back_by_itself(page: Page, tmp_path: Path) -> None:
    """A file that is dropped meanwhile waits, and is sent once."""
    models = tiny_repository(tmp_path / "models")
    cine = tmp_path / "cine.dcm"
    cine.write_bytes(dicom_bytes(fan_frames()))
    alarm, lamp = page.get_by_role("alert").filter(has_text=AWAY), page.locator("#gateway")
    with gateway_with_studies(tmp_path, models) as first:
        port = first.address.rpartition(":")[2]
        with running_console(tmp_path, first.address) as console:
            open_study(page, console, "S03-001")
            expect(lamp).to_have_text("Gateway ready")
            first.process.terminate()
            expect(alarm).to_be_visible(timeout=WAIT_MS)
            page.locator("#files").set_input_files(cine)
            expect(line(page, 1)).to_contain_text("Waiting")
            first.process.wait(60)
            with gateway_with_studies(tmp_path, models, {"PORT": port}):
                expect(lamp).to_have_text("Gateway ready", timeout=WAIT_MS)
                expect(alarm).to_be_hidden()
                expect(line(page, 1)).to_have_attribute("data-state", SETTLED, timeout=WAIT_MS)
                assert "trouble" not in (line(page, 1).get_attribute("data-state") or "")


def test_a_console_that_is_gone_is_told_apart_from_a_gateway_that_is(page: Page, tmp_path: Path) -> None:
    with running_console(tmp_path, "127.0.0.1:1") as console:
        page.goto(console.url)
        expect(page.get_by_role("alert").filter(has_text=AWAY)).to_be_visible(timeout=WAIT_MS)
        console.process.terminate()
        assert console.process.wait(30) == 0
        expect(
            page.get_by_role("alert").filter(has_text="The console on this computer does not answer")
        ).to_be_visible()
