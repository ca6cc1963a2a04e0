"""Away from a terminal, progress is a line now and then, and always one at the end."""

import pytest

from training.progress import show_progress


def test_last_step_is_always_told(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("rendering", 3) as advance:
        for done in (1, 2, 3):
            advance(done, "cines")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("rendering: 3/3 after")
    assert captured.err.count("\n") == 1
