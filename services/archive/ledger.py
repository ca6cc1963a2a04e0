"""The CSV of an archive's answers, one row a file: written as they come, and taken up again where a run ended."""

from __future__ import annotations

import csv
import fcntl
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from echoplane.v1 import view_pb2

from services.answers import ABSTAINED, Answer, Line, in_words, readable
from services.archive.files import FileState, FoundFile, look
from services.cine.errors import ConfigError, Reason
from services.cine.views import ANSWERED_VIEWS

_P_COLUMNS = tuple(f"p_{view.lower()}" for view in ANSWERED_VIEWS)
COLUMNS = (
    *("file", "size_bytes", "modified", "verdict", "view", "confidence", "abstain_below", *_P_COLUMNS),
    *("findings", "reason", "message", "format", "rows", "columns", "frames", "duration_ms", "timing_source"),
    *("row_spacing_mm", "column_spacing_mm", "model_sha256", "trained_on", "options"),
)
"""`findings` holds codes joined by `;`, `file` is relative to the folder that was asked for, `modified` is UTC."""

_PASSING = frozenset(
    {
        *(Reason.QUEUE_FULL, Reason.READER_UNAVAILABLE, Reason.DEADLINE, Reason.REQUEST_MALFORMED, Reason.CONFIG),
        *(Reason.MODEL_UNAVAILABLE, Reason.MODEL_TIMEOUT, Reason.MODEL_CONTRACT),
        *(Reason.QUOTA, Reason.UNAUTHENTICATED, Reason.SITE_DENIED, Reason.CERTIFICATE_DENIED),
        *(Reason.TRIAL_DENIED, Reason.METHOD_DENIED),
        *(Reason.LIMIT_TIME, Reason.LIMIT_MEMORY),  # may be the machine's fault
    }
)
_LASTING = frozenset(Reason) - _PASSING
"""Errors of the bytes themselves; a file with any other is asked about again."""

_FORMULA = ("=", "+", "-", "@")
_HEADER = ",".join(COLUMNS)


@dataclass(frozen=True)
class Terms:
    """What an answer rests on beside the file; a row of other terms is asked again.

    Attributes:
        model_sha256: of the weights.
        options: how the cine was read.
    """

    model_sha256: str
    options: str


class Ledger:
    """Holds the CSV open, for this run alone.

    Args:
        path: of the CSV.
        terms: of this run.
        is_fresh: whether rows that are there are thrown away.

    Raises:
        ConfigError: it is no CSV of ours, another run writes it, or it cannot be written.
    """

    def __init__(self, path: Path, terms: Terms, is_fresh: bool = False) -> None:
        self._path, self._terms = path.resolve(), terms
        with _writing(path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _locked(self._path)
            _check_ours(path, self._file)
            if is_fresh:
                self._file.truncate(0)
            if not os.fstat(self._file.fileno()).st_size:
                self._write(_HEADER + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def take_up(self, files: list[FoundFile], told: Callable[[Line], None]) -> list[FoundFile]:
        """Keep the rows that still hold, and give the files that have none.

        Rows of files that were not asked for stay; a last row that was torn is dropped with those that no longer hold.

        Args:
            files: of this run.
            told: hears what a kept row of theirs says.
        """
        waiting = {cell_name(file.name): file for file in files}
        names = frozenset(waiting)
        part = self._path.with_name(f".{self._path.name}.part")
        with _writing(self._path), part.open("w", encoding="utf-8", newline="") as kept:
            kept.write(_HEADER + "\n")
            has_dropped = False
            for text, row in self._rows():
                is_asked_for = row is not None and row["file"] in names
                line = self._line_that_holds(row, waiting) if row is not None and is_asked_for else None
                if row is None or (is_asked_for and line is None):
                    has_dropped = True
                    continue
                kept.write(text)
                if line is not None:
                    del waiting[row["file"]]
                    told(line)
            kept.flush()
            if has_dropped:
                self._replace(part)
            else:
                part.unlink()
        return list(waiting.values())

    def add(self, answer: Answer, state: FileState | None) -> None:
        """Write the row of an answer, at once.

        Raises:
            ConfigError: it cannot be written; nothing after it would be either.
        """
        row = _row(answer, state, self._terms)
        with _writing(self._path):
            self._write(_csv_text([row.get(column, "") for column in COLUMNS]))

    def _rows(self) -> Iterator[tuple[str, dict[str, str] | None]]:
        """Give each row's text and its cells; None for cells that are not all there."""
        self._file.seek(0)
        next(self._file)
        for text in self._file:
            cells = next(csv.reader([text.replace("\0", "")]), [])
            is_whole = text.endswith("\n") and len(cells) == len(COLUMNS)
            yield text, dict(zip(COLUMNS, cells, strict=True)) if is_whole else None

    def _line_that_holds(self, row: Mapping[str, str], waiting: Mapping[str, FoundFile]) -> Line | None:
        """Give what a row says if asking again would say the same; None for a second row of one file too."""
        file = waiting.get(row["file"])
        if file is None or (row["reason"] and row["reason"] not in _LASTING):
            return None
        try:
            state = look(file.path)
            terms = (str(state.size_bytes), _moment(state), self._terms.model_sha256, self._terms.options)
            is_same = (row["size_bytes"], row["modified"], row["model_sha256"], row["options"]) == terms
            return _line(row) if is_same else None
        except (OSError, ValueError):
            return None

    def _replace(self, part: Path) -> None:
        part.chmod(self._path.stat().st_mode & 0o777)
        part.replace(self._path)
        self._file.close()
        self._file = _locked(self._path)

    def _write(self, text: str) -> None:
        self._file.seek(0, os.SEEK_END)
        self._file.write(text)
        self._file.flush()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while writing into an error that names the file."""
    try:
        yield
    except OSError as error:
        raise _unusable(path, f"it cannot be written ({error.strerror})") from error


def cell_name(name: str) -> str:
    """Write a file's name for a cell: in one line, and so that no spreadsheet takes it for a formula."""
    text = readable(name)
    return f"./{text}" if text.startswith(_FORMULA) else text


def _locked(path: Path) -> TextIO:
    file = path.open("a+", encoding="utf-8", errors="replace", newline="")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise _unusable(path, "another run is writing it") from error
    except OSError:
        pass  # a file system without locks
    return file


def _check_ours(path: Path, file: TextIO) -> None:
    file.seek(0)
    first = file.readline(len(_HEADER) + 2)
    if first and first.rstrip("\r\n") != _HEADER and not _HEADER.startswith(first):
        file.close()
        raise _unusable(path, "it holds something else, or rows of another version")
    if first and not first.endswith("\n"):
        file.truncate(0)  # torn in its very first line


def _unusable(path: Path, found: str) -> ConfigError:
    return ConfigError(
        found=f"{path}: {found}", expected="a CSV of our own or a new file", advice="Name another file (--csv)."
    )


def _row(answer: Answer, state: FileState | None, terms: Terms) -> dict[str, Any]:
    row: dict[str, Any] = {
        "file": cell_name(answer.name),
        "verdict": answer.verdict,
        "view": answer.view,
        "message": readable(answer.why),
        "model_sha256": terms.model_sha256,
        "options": terms.options,
    }
    if state is not None:
        row |= {"size_bytes": state.size_bytes, "modified": _moment(state)}
    if answer.response is None:
        return row | {"reason": answer.reason}
    return row | {"findings": ";".join(answer.codes)} | _cine_cells(answer.response) | _model_cells(answer.response)


def _cine_cells(response: view_pb2.PredictViewResponse) -> dict[str, Any]:
    cine = response.cine
    return {
        "format": view_pb2.CineFormat.Name(cine.format).removeprefix("CINE_FORMAT_"),
        "rows": cine.rows,
        "columns": cine.columns,
        "frames": cine.frame_count,
        "duration_ms": round(cine.duration_ms, 3),
        "timing_source": view_pb2.TimingSource.Name(cine.timing_source).removeprefix("TIMING_SOURCE_"),
        "row_spacing_mm": f"{cine.row_spacing_mm:.6g}" if cine.row_spacing_mm else "",
        "column_spacing_mm": f"{cine.column_spacing_mm:.6g}" if cine.column_spacing_mm else "",
    }


def _model_cells(response: view_pb2.PredictViewResponse) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "model_sha256": response.model.sha256,
        "trained_on": readable(response.model.trained_on),
    }
    if not response.probabilities:
        return cells
    for each in response.probabilities:
        cells["p_" + view_pb2.View.Name(each.view).removeprefix("VIEW_").lower()] = f"{each.probability:.4f}"
    return cells | {
        "confidence": f"{response.confidence:.4f}",
        "abstain_below": f"{response.model.abstain_below:.4f}",
    }


def _line(row: Mapping[str, str]) -> Line:
    """Give what the screen shows of a row."""
    codes = tuple(code for code in (row["findings"] or row["reason"]).split(";") if code)
    confidence = "-"
    if row["confidence"]:
        needed = float(row["abstain_below"]) if row["view"] == ABSTAINED else None
        confidence = in_words(float(row["confidence"]), needed)
    return Line(row["file"], row["verdict"], row["view"], confidence, codes, row["message"])


def _moment(state: FileState) -> str:
    """Write when a file was last changed, UTC, to the microsecond; as a number where that is in no calendar."""
    try:
        return datetime.fromtimestamp(state.modified_ns / 1e9, UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return str(state.modified_ns)


def _csv_text(cells: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
