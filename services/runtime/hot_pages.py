"""Memory that every reading changes: a child copies it before it has its cine, not page by page while it reads.

A page that parent and child share is copied at its first change, and every change of a reference count is one. Which
pages those are hardly differs from cine to cine, so that one rehearsal tells.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

_PRESENT, _OF_A_FILE, _MINE_ALONE = (np.uint64(1 << bit) for bit in (63, 61, 56))  # proc(5), /proc/pid/pagemap
_POPULATE_WRITE = 23  # madvise(2); Linux 5.14
_madvise = ctypes.CDLL(None).madvise

_SELF = Path("/proc/self")

Runs = list[tuple[int, int]]
"""Pieces of memory: address and length, bytes."""


def changed_by(work: Callable[[], object]) -> Runs:
    """Do `work` in a fork of this process and tell which private memory of this process it changed.

    Returns:
        Nothing where the kernel does not tell.
    """
    hear, tell = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            work()
            with os.fdopen(tell, "w") as told:
                json.dump(_own_runs(), told)
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(hear) as heard:
        text = heard.read()
    os.waitpid(pid, 0)
    return [(address, size) for address, size in json.loads(text or "[]")]


def copy_ahead(runs: Runs) -> None:
    """Make this process's own copies now; where the kernel refuses, they are made when they are needed."""
    for address, size in runs:
        _madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), _POPULATE_WRITE)


def _own_runs() -> Runs:
    """Find the pages of private memory that no other process shares."""
    runs: Runs = []
    with suppress(OSError), _SELF.joinpath("maps").open() as maps, _SELF.joinpath("pagemap").open("rb") as pagemap:
        for line in maps:
            area, rights, *_ = line.split()
            if rights != "rw-p":
                continue
            start, end = (int(part, 16) for part in area.split("-"))
            pagemap.seek(start // mmap.PAGESIZE * 8)
            pages = np.frombuffer(pagemap.read((end - start) // mmap.PAGESIZE * 8), np.uint64)
            is_own = (pages & (_PRESENT | _OF_A_FILE | _MINE_ALONE)) == (_PRESENT | _MINE_ALONE)
            edges = np.flatnonzero(np.diff(is_own, prepend=False, append=False)).reshape(-1, 2)
            runs += [(start + int(a) * mmap.PAGESIZE, int(b - a) * mmap.PAGESIZE) for a, b in edges]
    return runs
