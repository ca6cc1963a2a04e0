"""A SQLite file that several threads and processes hold open: every change one transaction, every failure typed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.cine.errors import StorageError

_BUSY_TIMEOUT_S = 10.0
"""How long a transaction waits for another thread's or process's."""


@dataclass(frozen=True)
class Database:
    """One database, in WAL mode; a connection lasts as long as what is done with it.

    Attributes:
        path: of its file, on a local disk.
        unusable: makes the error of what went wrong, in SQLite's words.
        is_lasting: whether what was written stays through a loss of power, not of the process alone.
    """

    path: Path
    unusable: Callable[[str], StorageError]
    is_lasting: bool = False

    def prepare(self) -> None:
        """Make its folder, and the file if there is none.

        Raises:
            StorageError: it cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.unusable(str(error.strerror)) from error
        with self.opened() as connection:
            connection.execute("PRAGMA journal_mode = WAL")

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Open a connection.

        Raises:
            StorageError: SQLite failed, here or in the block.
        """
        try:
            with closing(sqlite3.connect(self.path, _BUSY_TIMEOUT_S, isolation_level=None)) as connection:
                if self.is_lasting:
                    connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.Error as error:
            raise self.unusable(str(error)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all of the block or nothing, alone.

        Raises:
            StorageError: SQLite failed, here or in the block.
        """
        with self.opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
