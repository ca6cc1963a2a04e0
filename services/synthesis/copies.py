"""Copies of training images: who tells them, and where what must not leave the server is written down."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from services.cine.cine import FloatArray, IntArray
from services.cine.errors import StorageError
from services.models.copy_index import INDEX_FILE
from services.models.echo_synthesizer import Draw


class Judged(Protocol):
    """What is said of one image: whether it is a copy, and why; the second is for the server's own record only."""

    @property
    def is_copy(self) -> bool:
        """Whether it is one."""

    @property
    def record(self) -> Any:
        """Why: a dataclass of plain values."""


class CopyFilter(Protocol):
    """Tells copies of training images."""

    def judge(self, images: FloatArray, views: IntArray, styles: IntArray) -> Sequence[Judged]:
        """Say of each image whether it is a copy, each independent of the others.

        Args:
            images: [B, 1, 112, 112] in [-1, 1].
            views: what was asked for, [B], as the generator counts them.
            styles: the same.
        """


@dataclass(frozen=True)
class CopyCheck:
    """A copy filter in service.

    Attributes:
        filter: tells copies.
        index: names what it knows of the training images: the SHA-256 of its file.
        model_sha256: of the generator's weights that it belongs to.
        keep: writes down why, for the server alone.
    """

    filter: CopyFilter
    index: str
    model_sha256: str
    keep: Callable[[Sequence[Draw], Sequence[Judged]], None] = lambda draws, judged: None


class PrivateRecord:
    """A file of JSON lines, an image each, readable by its owner only: a distance hints at who was trained on.

    Args:
        path: of the file; it is made, or added to.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()

    def keep(self, draws: Sequence[Draw], judged: Sequence[Judged]) -> None:
        """Write down why each image is a copy or none.

        Raises:
            StorageError: it cannot be written.
        """
        lines = "".join(
            json.dumps(dataclasses.asdict(draw) | {"is_copy": each.is_copy} | dataclasses.asdict(each.record)) + "\n"
            for draw, each in zip(draws, judged, strict=True)
        )
        try:
            with self._lock:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(lines)
        except OSError as error:
            raise StorageError(
                found=f"a record of copies that cannot be written ({error.strerror})",
                expected="room, and the right to",
                advice="Make room, or leave the record out.",
            ) from error


@dataclass(frozen=True)
class CopyFiles:
    """The files of a copy filter.

    Attributes:
        index: of the training images; None: `INDEX_FILE` of the generator's folder, where there is one.
        record: where reasons are written down, or None.
    """

    index: Path | None = None
    record: Path | None = None

    def resolved(self) -> CopyFiles:
        """Give the same files for a process that works in another folder."""
        return CopyFiles(self.index and self.index.resolve(), self.record and self.record.resolve())


def open_copy_check(files: CopyFiles, folder: Path, model_sha256: str) -> CopyCheck | None:
    """Open the copy filter of a generator; None where there is no index.

    Args:
        files: what it reads and writes.
        folder: of the generator, in the model repository.
        model_sha256: of its weights.

    Raises:
        ConfigError: the index that was named is not there, or cannot be read.
        ModelContractError: it belongs to other weights.
    """
    path = files.index or folder / INDEX_FILE
    if files.index is None and not path.is_file():
        return None
    from services.models.copy_filter import CopyFilter as Filter  # only a generator with an index pays for it
    from services.models.copy_index import load_index

    judge = Filter(load_index(path, model_sha256))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    check = CopyCheck(judge, digest, model_sha256)
    return check if files.record is None else dataclasses.replace(check, keep=PrivateRecord(files.record).keep)
