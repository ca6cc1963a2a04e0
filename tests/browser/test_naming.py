"""A study that the scanner has sent without a name: on the list, named by the person at the console."""

from __future__ import annotations

import pytest
from echoplane.v1 import study_pb2, view_pb2
from playwright.sync_api import Locator, Page, expect

from deploy.demo.gateway import Gateway
from services.sync_client import SyncClient
from tests.browser.cines import StudyFiles
from tests.browser.consoles import Console
from tests.browser.steps import WAIT_MS, focused, has_outline, required

pytestmark = pytest.mark.timeout(180, func_only=True)

TRIAL = "EXAMPLE-1"


def arrive(gateway: Gateway, files: StudyFiles, uid: str) -> str:
    """Have a cine with a colour box come of a study that has no name; give what the gateway calls the study."""
    with SyncClient(gateway.address) as client:
        client.predict_view(files.colour, view_pb2.CineHeader(study_id=uid, trial=TRIAL))
        return client.list_studies().studies[0].study


def newest_unnamed(page: Page) -> Locator:
    return page.get_by_role("button", name="Not named yet").first


def tab_to(page: Page, name: str) -> None:
    """Go from one to the next by Tab until something of that name has the focus, and is seen to have it."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused(page).startswith(name):
            assert has_outline(page)
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_a_study_that_has_no_name_is_given_one_by_keys(
    page: Page, console: Console, gateway: Gateway, files: StudyFiles
) -> None:
    page.goto(console.url)
    study = arrive(gateway, files, "1.2.752.7.1")
    expect(newest_unnamed(page)).to_contain_text("1 cine", timeout=WAIT_MS)
    tab_to(page, "Not named yet")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Name this study")).to_be_visible()
    assert focused(page) == "Subject code"
    page.keyboard.type("s07-001")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="S07-001 · month-6")).to_be_visible()
    for view in ("A4C", "A2C", "PLAX", "PSAX"):
        expect(required(page, view)).to_contain_text("Missing")
    expect(page.locator("#rejections")).to_contain_text("Colour box is on", timeout=WAIT_MS)
    with SyncClient(gateway.address) as client:
        [named] = client.list_studies(subject_code="S07-001", visit="month-6").studies
    assert (named.study, named.cines) == (study, 1)


def test_a_name_of_another_shape_is_refused_in_words_and_the_study_stays_unnamed(
    page: Page, console: Console, gateway: Gateway, files: StudyFiles
) -> None:
    study = arrive(gateway, files, "1.2.752.7.2")
    page.goto(console.url)
    newest_unnamed(page).click(timeout=WAIT_MS)
    page.keyboard.type("Lundqvist")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="they look like S00-000")).to_be_visible()
    expect(page.get_by_role("heading", name="Name this study")).to_be_visible()
    assert focused(page) == "Subject code"
    expect(page.get_by_label("Subject code")).to_have_attribute("aria-invalid", "true")
    with SyncClient(gateway.address) as client:
        assert not client.get_study_review(study=study).subject_code
    page.get_by_role("button", name="Another study").click()
    expect(page.get_by_role("heading", name="Which study?")).to_be_visible()
    expect(page.get_by_label("Subject code")).to_have_value("")
    expect(page.get_by_label("Subject code")).to_have_attribute("aria-invalid", "false")


def test_a_study_that_somebody_else_has_named_meanwhile_keeps_that_name(
    page: Page, console: Console, gateway: Gateway, files: StudyFiles
) -> None:
    study = arrive(gateway, files, "1.2.752.7.3")
    page.goto(console.url)
    newest_unnamed(page).click(timeout=WAIT_MS)
    name = study_pb2.StudyName(trial=TRIAL, subject_code="S07-003", visit="baseline")
    with SyncClient(gateway.address) as client:
        client.name_study(study_pb2.NameStudyRequest(study=study, name=name))
    page.keyboard.type("S07-004")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="filed under another subject or visit")).to_be_visible()
    with SyncClient(gateway.address) as client:
        assert client.get_study_review(study=study).subject_code == "S07-003"


def test_the_focus_stays_on_a_study_of_the_list_while_others_arrive(
    page: Page, console: Console, gateway: Gateway, files: StudyFiles
) -> None:
    arrive(gateway, files, "1.2.752.7.4")
    page.goto(console.url)
    newest_unnamed(page).focus(timeout=WAIT_MS)
    before = page.get_by_role("button", name="Not named yet").count()
    arrive(gateway, files, "1.2.752.7.5")
    expect(page.get_by_role("button", name="Not named yet")).to_have_count(before + 1, timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Not named yet").nth(1)).to_be_focused()
