"""Write JSON that a kill cannot cut: a run is taken up again from what it wrote, at whatever moment it was ended."""

from __future__ import annotations

import json
import os
from pathlib import Path


def write_json(path: Path, value: object) -> None:
    """Write a value to one file, whole or not at all; an older file stays until the new one is there.

    Raises:
        TypeError: the value is none that JSON knows.
        OSError: it cannot be written.
    """
    half_done = path.with_suffix(f".{os.getpid()}.part")
    with half_done.open("w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    half_done.replace(path)
