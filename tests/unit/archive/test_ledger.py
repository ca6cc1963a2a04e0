"""The CSV: a row a file, taken up again where a run ended, and never somebody else's file."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from services.answers import Answer, Line
from services.archive.files import FoundFile, look
from services.archive.ledger import COLUMNS, Ledger, Terms, cell_name
from services.cine.errors import ConfigError
from tests.unit.archive.answering import SHA, accepted, failed, rejected

TERMS = Terms(SHA, "selection=DISSIMILAR")


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    return tmp_path / "out" / "views.csv"


def found(folder: Path, *names: str) -> list[FoundFile]:
    for name in names:
        (folder / name).write_bytes(b"cine")
    return [FoundFile(folder / name, name) for name in names]


def write(sheet: Path, files: list[FoundFile], answers: list[Answer], terms: Terms = TERMS) -> None:
    with Ledger(sheet, terms) as ledger:
        for file, answer in zip(files, answers, strict=True):
            ledger.add(answer, look(file.path))


def take_up(sheet: Path, files: list[FoundFile], terms: Terms = TERMS) -> tuple[list[str], list[Line]]:
    """Names that are still to be asked about, and what the kept rows say."""
    lines: list[Line] = []
    with Ledger(sheet, terms) as ledger:
        return [file.name for file in ledger.take_up(files, lines.append)], lines


def rows(sheet: Path) -> list[dict[str, str]]:
    with sheet.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_says_what_was_read_and_what_was_answered(tmp_path: Path, sheet: Path) -> None:
    write(sheet, found(tmp_path, "a.dcm", "b.dcm"), [accepted(), rejected("b.dcm", "STILL", "DARK")])
    first, second = rows(sheet)
    expected = {
        **{"file": "a.dcm", "size_bytes": "4", "verdict": "ACCEPTED", "view": "A4C", "confidence": "0.9500"},
        **{"p_a4c": "0.9500", "p_a2c": "0.0200", "p_plax": "", "format": "DICOM", "rows": "240", "columns": "320"},
        **{"frames": "30", "duration_ms": "966.667", "timing_source": "FRAME_TIME", "row_spacing_mm": "0.5"},
        **{"column_spacing_mm": "", "model_sha256": SHA, "trained_on": "simulated", "options": TERMS.options},
    }
    assert {column: first[column] for column in expected} == expected
    assert (second["findings"], second["message"]) == ("STILL;DARK", "About STILL. About DARK.")


def test_rows_that_hold_are_not_asked_again_and_say_the_same(tmp_path: Path, sheet: Path) -> None:
    files = found(tmp_path, "a.dcm", "b.dcm", "c.dcm", "d.dcm")
    answers = [accepted(), rejected(), failed(), accepted("d.dcm", 0.6, "VIEW_UNSPECIFIED")]
    write(sheet, files, answers)
    before = sheet.read_bytes()
    assert take_up(sheet, files) == ([], [answer.line for answer in answers])
    assert sheet.read_bytes() == before


def test_a_row_is_asked_again_where_file_model_or_options_changed(tmp_path: Path, sheet: Path) -> None:
    files = found(tmp_path, "a.dcm", "b.dcm", "c.dcm")
    write(sheet, files, [accepted(), rejected(), failed()])
    (tmp_path / "a.dcm").write_bytes(b"a longer cine")
    os.utime(tmp_path / "b.dcm", ns=(0, 10**18))
    assert take_up(sheet, files)[0] == ["a.dcm", "b.dcm"]
    assert [row["file"] for row in rows(sheet)] == ["c.dcm"]
    assert take_up(sheet, files, Terms("other", TERMS.options))[0] == ["a.dcm", "b.dcm", "c.dcm"]


@pytest.mark.parametrize(
    ("reason", "is_kept"),
    [
        ("PIXELS_DAMAGED", True),
        ("FORMAT_UNKNOWN", True),
        ("LIMIT_BYTES", True),
        ("LIMIT_TIME", False),
        ("QUEUE_FULL", False),
        ("FILE", False),
        ("INTERNAL", False),
    ],
)
def test_an_error_is_asked_again_unless_it_is_of_the_bytes(
    tmp_path: Path, sheet: Path, reason: str, is_kept: bool
) -> None:
    files = found(tmp_path, "c.dcm")
    write(sheet, files, [failed("c.dcm", reason)])
    assert take_up(sheet, files)[0] == ([] if is_kept else ["c.dcm"])


@pytest.mark.parametrize("cut", [1, 30, 60])
def test_a_last_row_that_was_torn_is_asked_again(tmp_path: Path, sheet: Path, cut: int) -> None:
    files = found(tmp_path, "a.dcm", "b.dcm")
    write(sheet, files, [accepted(), accepted("b.dcm")])
    sheet.write_bytes(sheet.read_bytes()[:-cut])
    assert take_up(sheet, files)[0] == ["b.dcm"]
    assert [row["file"] for row in rows(sheet)] == ["a.dcm"]


@pytest.mark.parametrize("left", [0, 5])
def test_a_csv_that_was_torn_in_its_first_line_begins_anew(tmp_path: Path, sheet: Path, left: int) -> None:
    files = found(tmp_path, "a.dcm")
    sheet.parent.mkdir()
    sheet.write_text(",".join(COLUMNS)[:left])
    write(sheet, files, [accepted()])
    assert [row["file"] for row in rows(sheet)] == ["a.dcm"]


def test_rows_of_other_folders_stay_and_a_file_has_one_row(tmp_path: Path, sheet: Path) -> None:
    files = found(tmp_path, "a.dcm", "b.dcm")
    write(sheet, [*files, files[1]], [accepted(), accepted("b.dcm"), rejected("b.dcm")])
    assert take_up(sheet, [files[1]])[0] == []
    assert [(row["file"], row["verdict"]) for row in rows(sheet)] == [("a.dcm", "ACCEPTED"), ("b.dcm", "ACCEPTED")]


def test_fresh_begins_anew(tmp_path: Path, sheet: Path) -> None:
    files = found(tmp_path, "a.dcm")
    write(sheet, files, [accepted()])
    Ledger(sheet, TERMS, is_fresh=True).__exit__(None, None, None)
    assert rows(sheet) == []


@pytest.mark.parametrize("is_fresh", [True, False])
def test_a_file_that_is_not_ours_is_never_touched(tmp_path: Path, is_fresh: bool) -> None:
    (tmp_path / "theirs.csv").write_bytes(b"patient,view\n1,A4C\n")
    with pytest.raises(ConfigError, match="something else"):
        Ledger(tmp_path / "theirs.csv", TERMS, is_fresh)
    assert (tmp_path / "theirs.csv").read_bytes() == b"patient,view\n1,A4C\n"


def test_two_runs_do_not_write_one_csv(sheet: Path) -> None:
    with Ledger(sheet, TERMS), pytest.raises(ConfigError, match="another run"):
        Ledger(sheet, TERMS)
    with Ledger(sheet, TERMS):
        pass


def test_a_csv_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/proc/nowhere.csv")):
        with pytest.raises(ConfigError, match="cannot be written"):
            Ledger(path, TERMS)


@pytest.mark.parametrize(
    "name", ["new\nline", "esc\x1b[31m", "latin\udce9", 'quote",', "=cmd|calc", "-x", "back\\n", "é"]
)
def test_any_name_fits_in_one_row_and_is_found_again(tmp_path: Path, sheet: Path, name: str) -> None:
    files = found(tmp_path, name)
    write(sheet, files, [accepted(name)])
    assert len(sheet.read_text(encoding="utf-8").splitlines()) == 2
    assert rows(sheet)[0]["file"][0] not in "=+-@"
    assert take_up(sheet, files)[0] == []


def test_no_two_names_share_a_cell() -> None:
    names = ["a\n", "a\\n", "a\\\\n", "=a", "é", "\udce9", "\\udce9"]
    assert len({cell_name(name) for name in names}) == len(names)
