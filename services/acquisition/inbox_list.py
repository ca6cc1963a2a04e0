"""The list of an inbox, for who looks at it beside the node that works with it, and has failed objects tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.acquisition.inbox import CAME, LIST, OBJECTS, State, unusable
from services.cine.errors import ConfigError
from services.runtime.database import Database


@dataclass(frozen=True)
class FailedObject:
    """An object that nothing more is done about.

    Attributes:
        number: in order of arrival.
        reason: why it failed.
        received_s, failed_s: when it came and when it failed, seconds since 1970.
    """

    number: int
    reason: str
    received_s: float
    failed_s: float


class InboxList:
    """What has become of the objects of an inbox; needs no lock, so the node may run.

    Args:
        folder: of the inbox.

    Raises:
        ConfigError: there is none.
        StorageError: in every method: the list cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LIST
        if not path.is_file():
            raise ConfigError(
                found=f"no inbox in {folder}",
                expected="the folder of a node that has been started",
                advice="Give --inbox, or set ECHOPLANE_NODE_INBOX as the node has it.",
            )
        self._database, self._objects = Database(path, unusable, is_lasting=True), folder / OBJECTS

    def counts(self) -> dict[State, int]:
        """Count the objects of each state."""
        with self._database.opened() as database:
            found = dict(database.execute("SELECT state, count(*) FROM objects GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in State}

    def waiting_since_s(self) -> float | None:
        """Give when the oldest object came that has something left to do, seconds since 1970; None where none has."""
        with self._database.opened() as database:
            (oldest_s,) = database.execute("SELECT min(received_s) FROM objects WHERE ended_s = 0").fetchone()
        return None if oldest_s is None else float(oldest_s)

    def waiting(self) -> dict[str, int]:
        """Count the objects that wait because something went wrong, by its reason."""
        with self._database.opened() as database:
            return dict(
                database.execute(
                    "SELECT reason, count(*) FROM objects WHERE ended_s = 0 AND reason != '' GROUP BY reason"
                ).fetchall()
            )

    def failed(self) -> list[FailedObject]:
        """List the objects that failed, the oldest first."""
        with self._database.opened() as database:
            rows = database.execute(
                "SELECT number, reason, received_s, ended_s FROM objects WHERE state = ? ORDER BY number",
                (State.FAILED,),
            )
            return [FailedObject(*row) for row in rows]

    def retry(self, numbers: Sequence[int] | None = None) -> list[int]:
        """Have failed objects tried again, from where they stood; give the numbers of those that are.

        Args:
            numbers: of them; None for all.
        """
        with self._database.transaction() as database:
            failed = database.execute(
                "SELECT number, name, response FROM objects WHERE state = ? ORDER BY number", (State.FAILED,)
            )
            chosen = [row for row in failed.fetchall() if numbers is None or row[0] in numbers]
            database.executemany(
                "UPDATE objects SET tries = 0, due_s = 0, reason = '', ended_s = 0, state = ? WHERE number = ?",
                [(self._stood(name, response), number) for number, name, response in chosen],
            )
        return [number for number, _, _ in chosen]

    def _stood(self, name: str, response: bytes) -> State:
        """Tell how far an object had come: once it is clean, the one that came is not there any more."""
        if not response:
            return State.RECEIVED
        return State.ANSWERED if (self._objects / (name + CAME)).exists() else State.CLEANED
