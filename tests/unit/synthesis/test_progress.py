"""A line now and then where nobody watches a bar."""

from __future__ import annotations

import io

from rich.console import Console

from services.synthesis.progress import LINE_PERIOD_S, images_following


def test_a_log_gets_a_line_a_period_with_count_and_pace() -> None:
    now_s, text = [0.0], io.StringIO()
    with images_following(Console(file=text), 1000, 100, lambda: now_s[0]) as advance:
        for _ in range(5):
            now_s[0] += LINE_PERIOD_S / 2
            advance(30)
    assert text.getvalue().splitlines() == ["160 of 1000 images, 2.0 a second", "220 of 1000 images, 2.0 a second"]


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80)
    with images_following(console, 10) as advance:
        advance(10)
    assert "10/10" in text.getvalue()
