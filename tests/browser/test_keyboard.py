"""The page without a mouse, and for those who do not see it: roles, names, order, and what is said aloud."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cines import StudyFiles
from tests.browser.consoles import Console
from tests.browser.steps import WAIT_MS, focused, has_outline, line, open_study, send

pytestmark = pytest.mark.timeout(180, func_only=True)

CHOOSING = """
- banner:
  - heading "Echoplane" [level=1]
  - tablist "What to do":
    - tab "Study" [selected]
    - tab "Synthetic images"
  - status: Gateway ready
- main:
  - tabpanel "Study":
    - form "Which study?":
      - heading "Which study?" [level=2]
      - text: Subject code
      - textbox "Subject code"
      - group "Visit":
        - radio "baseline" [checked]
        - radio "month-6"
        - radio "month-12"
      - button "Begin"
    - region "Or pick one that has cines"
- contentinfo:
  - paragraph:
    - strong: Not a medical device.
"""

WORKING = """
- region "S02-001 · baseline":
  - heading "S02-001 · baseline" [level=2]
  - button "Change study"
  - status: /Still needed/
  - list "Required views":
    - listitem: /A4C Apical four-chamber 0 of 2 Missing/
    - listitem: /A2C Apical two-chamber 0 of 2 Missing/
    - listitem: /PLAX Parasternal long axis 0 of 1 Missing/
    - listitem: /PSAX Parasternal short axis 0 of 1 Missing/
- region "Cines":
  - button /Drop cines here or press Enter to choose files/
"""


def test_the_page_reads_well_without_being_seen(page: Page, console: Console) -> None:
    page.goto(console.url)
    expect(page.get_by_label("baseline")).to_be_visible()
    expect(page.locator("body")).to_match_aria_snapshot(CHOOSING)
    open_study(page, console, "S02-001")
    expect(page.get_by_role("tabpanel")).to_match_aria_snapshot(WORKING)


def test_a_study_is_begun_sent_and_left_by_keys_alone(page: Page, console: Console, files: StudyFiles) -> None:
    page.on("filechooser", lambda chooser: None)  # told early, or Chromium opens one of its own before it hears of it
    page.goto(console.url)
    expect(page.get_by_label("baseline")).to_be_visible()
    page.keyboard.press("Tab")
    assert (focused(page), has_outline(page)) == ("Study", True)
    page.keyboard.press("Tab")
    assert (focused(page), has_outline(page)) == ("Subject code", True)
    page.keyboard.type("s02-002")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert (focused(page), has_outline(page)) == ("month-6", True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="S02-002 · month-6")).to_be_visible()
    assert focused(page).startswith("Drop cines here")
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    chosen.value.set_files(files.colour)
    expect(line(page, 1)).to_have_attribute("data-state", "rejected", timeout=WAIT_MS)
    expect(page.locator("#spoken")).to_contain_text("Cine 1: Rejected")
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=WAIT_MS)
    for name in ("Pause", "Cine 1"):
        page.keyboard.press("Tab")
        assert focused(page).startswith(name)
        assert has_outline(page)
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    assert focused(page) == "Change study"
    page.keyboard.press("Enter")
    expect(page.get_by_label("Subject code")).to_be_focused()


def test_tabs_go_by_arrow_keys_and_are_one_stop(page: Page, console: Console) -> None:
    page.goto(console.url)
    study, images = page.get_by_role("tab", name="Study"), page.get_by_role("tab", name="Synthetic images")
    study.focus()
    for key, tab, other in (
        ("ArrowRight", images, study),
        ("ArrowRight", study, images),
        ("ArrowLeft", images, study),
        ("Home", study, images),
        ("End", images, study),
    ):
        page.keyboard.press(key)
        expect(tab).to_be_focused()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(other).to_have_attribute("tabindex", "-1")
        expect(page.get_by_role("tabpanel")).to_have_count(1)
    page.keyboard.press("Shift+Tab")
    expect(study).not_to_be_focused()


def test_a_film_says_what_it_is_to_those_who_do_not_see_it(page: Page, console: Console, files: StudyFiles) -> None:
    open_study(page, console, "S02-003")
    send(page, [files.colour])
    expect(page.get_by_role("img", name="Colour box is on: repeat in B-mode.")).to_be_visible()


CONTRASTS = """() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const ground = (at) => {
    const colour = getComputedStyle(at).backgroundColor;
    return colour.endsWith(", 0)") ? ground(at.parentElement) : colour;
  };
  const found = {};
  for (const at of document.querySelectorAll("body *")) {
    const own = [...at.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !at.checkVisibility() || at.matches(":disabled *, :disabled, .unseen, option")) continue;
    const [one, two] = [light(getComputedStyle(at).color), light(ground(at))].sort((a, b) => b - a);
    found[`${at.tagName} ${at.textContent.trim().slice(0, 30)}`] = (one + 0.05) / (two + 0.05);
  }
  return found;
}"""


def test_all_text_is_high_in_contrast_and_large(page: Page, console: Console, files: StudyFiles) -> None:
    """WCAG 2.2, criterion 1.4.6 (AAA): 7 to 1."""
    open_study(page, console, "S02-004")
    send(page, [files.colour, files.damaged])
    contrasts: dict[str, float] = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert {text: ratio for text, ratio in contrasts.items() if ratio < 7} == {}
    smallest = "() => Math.min(...[...document.querySelectorAll('body *')].filter((at) => at.checkVisibility())"
    assert page.evaluate(smallest + ".map((at) => parseFloat(getComputedStyle(at).fontSize)))") >= 16
