"""Processor time of a process and everything below it, from Linux's /proc."""

from __future__ import annotations

import os
from pathlib import Path

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_STATE, _PARENT, _UTIME, _CSTIME = 0, 1, 11, 14  # fields of proc(5) stat, counted from behind the command's bracket


def tree_cpu_s(pid: int) -> float:
    """Sum the user and system time of a process, its living descendants, and the children they have waited for, s."""
    fields = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields[int(folder.name)] = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended between the two calls
    members = {pid}
    while grown := {child for child, f in fields.items() if int(f[_PARENT]) in members} - members:
        members |= grown
    return sum(_TICK_S * sum(map(int, fields[m][_UTIME : _CSTIME + 1])) for m in members if m in fields)
