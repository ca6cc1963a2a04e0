"""A study through the page: four simulated cines and one with a colour box."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from services.acquisition.console.words import FINDINGS
from services.cine.validation.findings import FindingCode
from tests.browser.cines import StudyFiles
from tests.browser.consoles import Console
from tests.browser.steps import WAIT_MS, line, open_study, required, send, sent

pytestmark = pytest.mark.timeout(180, func_only=True)  # five cines are simulated before

Answers = dict[Path, dict[str, Any]]

ASKED = {"A4C": 2, "A2C": 2, "PLAX": 1, "PSAX": 1}
"""By deploy/trials/example.yaml."""

COLOUR = "Colour box is on: repeat in B-mode."


def test_a_study_before_its_first_cine_misses_all_that_the_trial_asks(page: Page, console: Console) -> None:
    open_study(page, console, "S01-001")
    for view, count in ASKED.items():
        expect(required(page, view)).to_contain_text(f"0 of {count}")
        expect(required(page, view)).to_contain_text("Missing")


def test_each_cine_ticks_what_its_answer_says(
    page: Page, console: Console, files: StudyFiles, answers: Answers
) -> None:
    """Four views, then the colour box; what counts is what the gateway answers, whichever weights it has."""
    open_study(page, console, "S01-002")
    send(page, files.all)
    counted = Counter(answer["view"] for answer in answers.values() if answer["state"] == "counts")
    assert sum(counted.values()) >= 1
    for view, asked in ASKED.items():
        have = min(counted[view], asked)
        expect(required(page, view)).to_contain_text(f"{have} of {asked}", timeout=WAIT_MS)
        expect(required(page, view)).to_have_attribute(
            "data-state", "done" if have == asked else "begun" if have else "missing"
        )
    expect(sent(page)).to_have_count(5)
    for number, path in enumerate(files.all, start=1):
        expect(line(page, number)).to_have_attribute("data-state", answers[path]["state"])
        expect(line(page, number)).to_contain_text(answers[path]["view"])


def test_a_colour_box_says_what_to_do(page: Page, console: Console, files: StudyFiles) -> None:
    assert FINDINGS[FindingCode.COLOUR_DOPPLER] == COLOUR
    open_study(page, console, "S01-003")
    send(page, [files.colour])
    shown = page.get_by_role("article", name="Cine on the screen")
    expect(shown).to_contain_text("Rejected")
    expect(shown).to_contain_text(COLOUR)
    expect(page.get_by_role("list").filter(has_text="1 ×")).to_contain_text(COLOUR)


def test_the_cine_plays_with_its_outline_and_can_be_stopped(page: Page, console: Console, files: StudyFiles) -> None:
    open_study(page, console, "S01-004")
    send(page, [files.views[1]])
    film = page.locator("#film")
    expect(film).to_be_visible()
    assert len(frames_shown(page, 40)) > 5
    page.get_by_role("button", name="Pause").click()
    assert len(frames_shown(page, 10)) == 1
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    seen_px = page.evaluate(PIXELS)
    assert seen_px["coloured"] > 500  # the outline
    assert seen_px["greys"] > 20_000  # the echo
    assert seen_px["corner"] == [0, 0, 0]


def frames_shown(page: Page, looks: int) -> set[str | None]:
    """Look at the film so often, 50 ms apart, and give the frames that were seen."""
    seen = set()
    for _ in range(looks):
        page.wait_for_timeout(50)
        seen.add(page.locator("#film").get_attribute("data-frame"))
    return seen


PIXELS = """() => {
  const canvas = document.getElementById("film");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let coloured = 0, greys = 0;
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = [data[at], data[at + 1], data[at + 2]];
    if (Math.max(red, green, blue) - Math.min(red, green, blue) > 60) coloured += 1;
    else if (red > 30 && red === green && green === blue) greys += 1;
  }
  return { coloured, greys, corner: [...data.slice(0, 3)] };
}"""


def test_who_wants_no_motion_gets_none_unasked(page: Page, console: Console, files: StudyFiles) -> None:
    page.emulate_media(reduced_motion="reduce")
    open_study(page, console, "S01-005")
    send(page, [files.views[1]])
    film = page.locator("#film")
    expect(film).to_be_visible()
    assert frames_shown(page, 10) == {"0"}
    page.get_by_role("button", name="Play").click()
    expect(film).not_to_have_attribute("data-frame", "0")


def test_a_damaged_file_is_told_in_words_and_is_no_part_of_the_study(
    page: Page, console: Console, files: StudyFiles
) -> None:
    open_study(page, console, "S01-006")
    send(page, [files.damaged])
    expect(page.get_by_role("article")).to_contain_text("The file is damaged: export it from the scanner again.")
    for view, count in ASKED.items():
        expect(required(page, view)).to_contain_text(f"0 of {count}")


def test_a_study_that_another_window_fills_turns_green_here(
    page: Page, console: Console, files: StudyFiles, answers: Answers
) -> None:
    open_study(page, console, "S01-007", "month-6")
    other = page.context.new_page()
    open_study(other, console, "S01-007", "month-6")
    send(other, files.views)
    for path in files.views:
        if (answer := answers[path])["state"] == "counts":
            expect(required(page, answer["view"])).to_contain_text("1 of", timeout=WAIT_MS)


def test_a_study_of_the_list_is_opened_again(page: Page, console: Console, files: StudyFiles, answers: Answers) -> None:
    open_study(page, console, "S01-008")
    send(page, files.views[1:2])
    page.get_by_role("button", name="Change study").click()
    page.get_by_role("button", name="S01-008 · baseline").click()
    expect(page.get_by_role("heading", name="S01-008 · baseline")).to_be_visible()
    if (answer := answers[files.views[1]])["state"] == "counts":
        expect(required(page, answer["view"])).to_contain_text("1 of")
    expect(sent(page)).to_have_count(0)


def test_a_code_of_another_shape_is_refused_and_says_what_they_look_like(page: Page, console: Console) -> None:
    page.goto(console.url)
    page.get_by_label("Subject code").fill("Lundqvist")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("alert").filter(has_text="they look like S00-000")).to_be_visible()
    expect(page.get_by_label("Subject code")).to_be_focused()
    assert "Lundqvist" not in console.log.read_text()
