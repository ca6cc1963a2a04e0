"""The verb `echoplane inbox` as a user sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.acquisition.inbox import Entry, Inbox, InboxLimits
from services.cine.errors import ConfigError
from services.inbox import inbox as verb


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with closing(Inbox(tmp_path, InboxLimits(least_free_bytes=0))) as opened:
        yield opened


def keep(inbox: Inbox, number: int) -> Entry:
    part = inbox.incoming / "part"
    part.write_bytes(str(number).encode())
    return inbox.keep(part, f"1.2.826.7.{number}", "", 1_700_000_000.0)


def failed(inbox: Inbox, number: int) -> Entry:
    entry = keep(inbox, number)
    inbox.failed(entry, "PIXELS_MISSING", 1_700_000_060.0)
    return entry


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(verb, [*arguments, "--inbox", str(folder)])


def test_it_counts_what_waits_and_lists_what_failed(inbox: Inbox, tmp_path: Path) -> None:
    inbox.postponed(keep(inbox, 1), "UNAVAILABLE", 0.0)
    entry = failed(inbox, 2)
    said = run(tmp_path).output
    for words in (
        "RECEIVED",
        "Waiting because of UNAVAILABLE: 1",
        "The oldest that waits",
        "PIXELS_MISSING",
        str(entry.number),
    ):
        assert words in said
    assert "1.2.826.7" not in said


def test_json_holds_the_same(inbox: Inbox, tmp_path: Path) -> None:
    keep(inbox, 1)
    entry = failed(inbox, 2)
    told = json.loads(run(tmp_path, "--json").stdout)
    assert told["counts"] == {"RECEIVED": 1, "ANSWERED": 0, "CLEANED": 0, "REPORTED": 0, "FAILED": 1}
    assert told["oldest_waiting_s"] > 0
    assert [(each["number"], each["reason"]) for each in told["failed"]] == [(entry.number, "PIXELS_MISSING")]


def test_an_empty_inbox_is_told_too(inbox: Inbox, tmp_path: Path) -> None:
    assert json.loads(run(tmp_path, "--json").stdout)["oldest_waiting_s"] is None
    assert "oldest" not in run(tmp_path).output


def test_a_failed_one_is_tried_again_by_its_number(inbox: Inbox, tmp_path: Path) -> None:
    one, two = failed(inbox, 1), failed(inbox, 2)
    done = run(tmp_path, "retry", str(one.number), "999", "--json")
    assert json.loads(done.stdout) == {"retried": [one.number], "not_failed": [999]}
    assert done.exit_code == 1
    done = run(tmp_path, "retry", "--all")
    assert done.exit_code == 0
    assert f"1 tried again: {two.number}" in done.output
    assert not inbox.counts()["FAILED"]


@pytest.mark.parametrize("arguments", [["retry"], ["retry", "1", "--all"]])
def test_it_must_be_said_which(inbox: Inbox, tmp_path: Path, arguments: list[str]) -> None:
    assert isinstance(run(tmp_path, *arguments).exception, ConfigError)


def test_where_there_is_no_inbox_it_says_so(tmp_path: Path) -> None:
    assert "no inbox" in str(run(tmp_path / "elsewhere").exception)


def test_help_teaches_both() -> None:
    for words in (["--help"], ["retry", "--help"]):
        said = CliRunner().invoke(verb, words).output
        assert "echoplane inbox" in said
        assert "--all" in said
