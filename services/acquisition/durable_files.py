"""Files that are there, whole, after a kill or a power cut, or not there at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def settle(part: Path, target: Path) -> None:
    """Give a written file its name, and wait until both are on the disk.

    Args:
        part: complete, nobody writes to it any more; on the same file system as `target`.
        target: its name from now on.

    Raises:
        OSError: it cannot be written; one of the two may be there.
    """
    _flush(part)
    part.replace(target)
    _flush(target.parent)


def write_whole(target: Path, data: bytes, parts: Path) -> None:
    """Write a file, whole or not at all, over one of that name; readable for its owner only.

    Args:
        target: its name.
        data: its bytes.
        parts: folder for what is not whole yet, on the same file system.

    Raises:
        OSError: it cannot be written.
    """
    part = parts / target.name
    part.touch(mode=0o600)
    part.write_bytes(data)
    settle(part, target)


def digest(path: Path) -> str:
    """Give the SHA-256 of a file, hexadecimal, without holding the file in memory.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk; who opened it to write does not matter."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
