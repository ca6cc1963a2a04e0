"""What other implementations say of a report: DCMTK reads it, dicom3tools holds it to PS3.3."""

from __future__ import annotations

import subprocess
from pathlib import Path


def dump(path: Path) -> str:
    """Let DCMTK read a report and print its content."""
    done = subprocess.run(["dsrdump", "+Pc", "+Pl", path], check=True, capture_output=True, timeout=60)
    assert b"E: " not in done.stderr, done.stderr
    return done.stdout.decode("ascii", "replace")


def faults(path: Path) -> list[str]:
    """Let dicom3tools hold a report to PS3.3, and give what it calls an error."""
    done = subprocess.run(["dciodvfy", path], check=False, capture_output=True, timeout=60)
    said = done.stderr.decode("ascii", "replace").splitlines()
    assert "ComprehensiveSR" in said
    return [line for line in said if not line.startswith("Warning") and line != "ComprehensiveSR"]
