"""Few files are told one by one, many by what was found; and how far it is meanwhile."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from services.answers import Answer
from services.archive.progress import LINE_PERIOD_S, following
from services.archive.summary import SHOWN_SINGLY, Summary
from tests.unit.archive.answering import accepted, failed, rejected


def summary_of(*answers: Answer) -> Summary:
    summary = Summary()
    for answer in answers:
        summary.add(answer.line)
    return summary


def shown(summary: Summary) -> str:
    console = Console(file=io.StringIO(), width=120)
    summary.show(console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_few_files_are_told_one_by_one_in_the_order_of_their_names() -> None:
    text = shown(summary_of(rejected("b.dcm"), accepted("a.dcm"), rejected("[red].dcm")))
    assert text.index("a.dcm") < text.index("b.dcm")
    assert "[red].dcm, b.dcm: About STILL." in text


def test_many_files_are_counted_by_view_and_by_finding_with_an_example_each() -> None:
    both = rejected("both.dcm", "STILL", "DARK")
    many = [accepted(f"{n}.dcm") for n in range(SHOWN_SINGLY)]
    text = shown(summary_of(both, rejected("still.dcm"), failed(), failed("x.txt", "FORMAT_UNKNOWN"), *many))
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in text.splitlines() if row.startswith("│")]
    rows = {first: others for first, *others in cells}
    assert rows["ACCEPTED"] == ["", str(SHOWN_SINGLY), "", "", "", "", "", str(SHOWN_SINGLY)]
    assert rows["STILL"] == ["REJECTED", "2", "still.dcm"]
    assert rows["DARK"] == ["REJECTED", "1", "both.dcm"]
    assert rows["HEADER_DAMAGED"][0] == "ERROR"
    assert rows["FORMAT_UNKNOWN"][0] == "NOT_A_CINE"
    assert "STILL: About STILL." in text
    assert "7.dcm" not in text


@pytest.mark.parametrize(
    ("answers", "has_failed"),
    [
        ([accepted(), rejected()], False),
        ([accepted(), failed("report.pdf", "FORMAT_UNKNOWN")], False),
        ([accepted(), failed("SR.dcm", "PIXELS_MISSING")], False),
        ([failed("report.pdf", "FORMAT_UNKNOWN")], True),
        ([accepted(), failed("cine.dcm", "FORMAT_UNKNOWN")], True),
        ([accepted(), failed("IM1", "HEADER_DAMAGED")], True),
        ([accepted(), failed("empty", "EMPTY")], True),
    ],
)
def test_a_run_fails_where_a_cine_has_no_answer_or_nothing_is_a_cine(answers: list[Answer], has_failed: bool) -> None:
    assert summary_of(*answers).has_failed is has_failed


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def follow(console: Console, summary: Summary, clock: Clock, seconds_each: float) -> str:
    with following(console, 100, summary, clock) as advance:
        for _ in range(50):
            clock.now_s += seconds_each
            summary.add(accepted().line)
            advance()
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_log_gets_a_plain_line_now_and_then() -> None:
    text = follow(Console(file=io.StringIO()), Summary(), Clock(), LINE_PERIOD_S / 10)
    assert text.splitlines()[0] == "10 of 100: 10 accepted, 0.3 files/s, about 270 s left"
    assert len(text.splitlines()) == 5


def test_a_short_run_says_nothing_to_a_log() -> None:
    assert follow(Console(file=io.StringIO()), Summary(), Clock(), LINE_PERIOD_S / 100) == ""


def test_a_terminal_gets_a_bar_with_counts() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    text = follow(console, Summary(), Clock(), 0.1)
    assert "50/100" in text
    assert "50 accepted, 10.0 files/s" in text
