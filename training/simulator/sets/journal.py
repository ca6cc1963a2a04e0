"""What is done of a set of cines on disk: it is bound to what was ordered, and outlives a kill at any moment."""

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.cine.errors import ConfigError

ORDER_NAME, MANIFEST_NAME, PARTIAL_NAME = "order.json", "manifest.csv", "manifest.partial.csv"
HALF_DONE = ".half-"  # how the name of a file begins that is not whole yet
FRESH_FOLDER = "Give the settings of order.json again, or write to a new --out folder."


def format_row(values: Iterable[object]) -> str:
    """Give one line of the manifest, without its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


class Journal:
    """The manifest of a set while it grows: one line a cine, in order; use `open_journal`.

    Attributes:
        folder: of the set.
        known: how many cines a run before this one has finished.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self.folder, self.known = folder, 0
        self._head = format_row(columns) + "\n"
        self._path = folder / PARTIAL_NAME

    def recall(self, paths: Iterable[str]) -> None:
        """Find what an earlier run has noted; what is not whole, or not of these files in this order, is dropped."""
        finished = self.folder / MANIFEST_NAME
        if finished.exists():
            finished.replace(self._path)
        self._path.touch()
        with self._path.open("r+b") as file:
            if file.readline() != self._head.encode():
                file.seek(0)
                file.write(self._head.encode())
                file.truncate()
                return
            kept = file.tell()
            for line, path in zip(file, paths, strict=False):
                if not (line.startswith(f"{path},".encode()) and line.endswith(b"\n")):
                    break
                kept += len(line)
                self.known += 1
            file.truncate(kept)

    def lines(self) -> Iterator[str]:
        """Give the lines an earlier run has noted, one after the other."""
        with self._path.open(encoding="utf-8", newline="") as file:
            next(file)
            for _, line in zip(range(self.known), file, strict=False):
                yield line.rstrip("\n")

    def note(self, lines: Iterable[str]) -> Iterator[str]:
        """Add lines as they come, and pass them on."""
        with self._path.open("a", encoding="utf-8", newline="") as file:
            for line in lines:
                file.write(line + "\n")
                file.flush()
                yield line

    def finish(self) -> Path:
        """Call the manifest complete."""
        return self._path.rename(self.folder / MANIFEST_NAME)


@contextmanager
def open_journal(folder: Path, terms: Mapping[str, Any], columns: Sequence[str]) -> Iterator[Journal]:
    """Open the journal of a set, alone, and clear away what a killed run left half done.

    Args:
        folder: made when missing.
        terms: what the set is bound to, plain JSON values.
        columns: of the manifest.

    Raises:
        ConfigError: the folder holds a set of other terms, or files of an unknown one, or another run writes to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        _bind(folder, terms)
        for path in folder.glob(f"{HALF_DONE}*"):
            path.unlink()
        yield Journal(folder, columns)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder; the system lets go of it when this process ends, however it does."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConfigError(
            found="another run that writes to this folder", expected="none", advice="Wait until it has ended."
        ) from error
    finally:
        os.close(held)


def _bind(folder: Path, terms: Mapping[str, Any]) -> None:
    """Write down what the set is bound to, or hold it to what was written down."""
    path = folder / ORDER_NAME
    if not path.exists():
        if (folder / MANIFEST_NAME).exists():
            raise ConfigError(
                found=f"a {MANIFEST_NAME} without the {ORDER_NAME} that it belongs to",
                expected="an empty folder, or a set begun by this command",
                advice="Write to a new --out folder.",
            )
        half_done = folder / f"{HALF_DONE}{ORDER_NAME}"
        half_done.write_text(json.dumps(terms, indent=1) + "\n", encoding="utf-8")
        half_done.replace(path)
        return
    try:
        bound = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        bound = None
    if not isinstance(bound, dict):
        raise ConfigError(found=f"an {ORDER_NAME} that is not JSON", expected="that of a set", advice=FRESH_FOLDER)
    wanted = json.loads(json.dumps(terms))
    other = sorted(name for name in {*bound, *wanted} if bound.get(name) != wanted.get(name))
    if other:
        raise ConfigError(
            found=f"a set begun with another {', '.join(other)}", expected="the same", advice=FRESH_FOLDER
        )
