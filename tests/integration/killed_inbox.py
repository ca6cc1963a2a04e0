"""Sends objects into an inbox from several threads until it is killed, and says each that was acknowledged."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from pathlib import Path

from services.acquisition.inbox import Inbox, InboxLimits

THREADS = 3
OBJECTS = 400


def data_of(number: int) -> bytes:
    """Give an object its bytes, some 40 kB."""
    return f"object {number} ".encode() * 3_000


def uid_of(number: int) -> str:
    """Give an object its UID."""
    return f"1.2.826.7.{number}"


def main(folder: Path) -> None:
    """Send every object of a round, each twice, and begin again."""
    inbox = Inbox(folder, InboxLimits(least_free_bytes=0))
    turns = itertools.count()

    def send() -> None:
        for turn in turns:
            number = turn // 2 % OBJECTS
            part = inbox.incoming / f"{turn}.part"
            part.write_bytes(data_of(number))
            inbox.keep(part, uid_of(number), "north", time.time())
            os.write(1, f"{number}\n".encode())  # one write is whole, whoever is killed

    for _ in range(THREADS):
        threading.Thread(target=send).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
