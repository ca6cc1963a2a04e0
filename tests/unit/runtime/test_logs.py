"""Every log line is one JSON object, whoever wrote it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from services.runtime.logs import configure_logs


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_has_event_level_time_and_what_is_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    structlog.contextvars.bind_contextvars(request_id="r1")
    structlog.get_logger().info("predict_view", outcome="accepted", duration_s=0.5)
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "predict_view",
        "level": "info",
        "request_id": "r1",
        "outcome": "accepted",
        "duration_s": 0.5,
    }


def test_libraries_log_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    logging.getLogger("some.library").warning("%s of %d", "two\nlines", 2)
    (line,) = lines(capsys)
    assert (line["event"], line["level"]) == ("two\nlines of 2", "warning")


def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    try:
        raise ValueError("why")
    except ValueError:
        structlog.get_logger().exception("unexpected_error")
    (line,) = lines(capsys)
    assert "ValueError: why" in line["exception"]


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_lines_below_the_level_are_left_out(level: str, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)("event")
    assert len(lines(capsys)) == count
