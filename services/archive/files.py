"""The files of an archive, whatever lies in it: found without running in circles, read without being taken in."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.cine.budget import ReadLimits


@dataclass(frozen=True)
class FoundFile:
    """A file that is to be asked about.

    Attributes:
        path: where it is.
        name: what it is called: its path below the folder that holds everything that was asked for.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class FileState:
    """By what a file that was changed is told.

    Attributes:
        size_bytes: its size, bytes.
        modified_ns: when it was last written, ns since 1970.
    """

    size_bytes: int
    modified_ns: int


def find_files(asked: Sequence[Path], leave_out: Sequence[Path] = ()) -> list[FoundFile]:
    """Find the files that were asked for: files as they are, folders as the files in and below them.

    Hidden files, pipes and devices in folders are passed over; links to folders too, for they may lead in circles. A
    folder that cannot be opened is given like a file, and reading it says why.

    Args:
        asked: files and folders.
        leave_out: files and folders that are not part of the archive: our own output.

    Returns:
        Each file once, in the order of the names within what was asked for.
    """
    out = {path.resolve() for path in leave_out}
    paths: dict[Path, None] = {}
    for path in asked:
        below = sorted(_walk(path, out)) if path.is_dir() else [path]
        paths |= dict.fromkeys(Path(os.path.abspath(p)) for p in below if not out or p.resolve() not in out)  # noqa: PTH100 - links stay
    base = _base(asked)
    return [FoundFile(path, str(path.relative_to(base))) for path in paths]


def _base(asked: Sequence[Path]) -> str:
    """Give the folder below which names are told: the one that was asked for, or that all have in common."""
    absolute = [os.path.abspath(path) for path in asked]  # noqa: PTH100 - links stay as they were named
    if len(asked) == 1 and asked[0].is_dir():
        return absolute[0]
    return os.path.commonpath([os.path.dirname(path) for path in absolute])  # noqa: PTH120


def _walk(folder: Path, leave_out: set[Path]) -> Iterator[Path]:
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        if leave_out and current.resolve() in leave_out:
            continue
        try:
            with os.scandir(current) as entries:
                inside = [entry for entry in entries if not entry.name.startswith(".")]
            waiting += [Path(entry.path) for entry in inside if entry.is_dir(follow_symlinks=False)]
            yield from (Path(entry.path) for entry in inside if _is_file(entry))
        except OSError:
            yield current


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Say whether it is a file or a link to one; a link to nothing counts, for a site believes a file there."""
    if entry.is_symlink():
        return not Path(entry.path).is_dir()
    return entry.is_file(follow_symlinks=False)


def look(path: Path) -> FileState:
    """Give a file's state.

    Raises:
        OSError: it is not there, or not ours to see.
    """
    seen = path.stat()
    return FileState(seen.st_size, seen.st_mtime_ns)


def read_file(path: Path, state: FileState, limits: ReadLimits) -> bytes:
    """Read a file whole; one over the limit is not touched.

    Args:
        path: the file.
        state: as it was found.
        limits: what a cine may cost.

    Raises:
        LimitExceededError: it is too large, with reason LIMIT_BYTES.
        OSError: it cannot be read, is no file, or changed meanwhile.
    """
    with open(path, "rb", opener=_without_waiting) as handle:
        if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device")
        limits.check_bytes(state.size_bytes)
        data = handle.read(state.size_bytes + 1)
        seen = os.fstat(handle.fileno())
    if len(data) != state.size_bytes or FileState(seen.st_size, seen.st_mtime_ns) != state:
        raise OSError(errno.EBUSY, "it changed while it was read")
    return data


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe would wait for its writer."""
    return os.open(path, flags | os.O_NONBLOCK)
