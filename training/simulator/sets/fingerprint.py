"""Names the simulator as it is today, so that no set mixes cines of two."""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("numpy", "opencv-python-headless", "contourpy", "pydicom")
SOURCES = (".py", ".yaml", ".csv", ".npz", ".ttf")  # code and data that shape what is simulated


def simulator_fingerprint() -> str:
    """Digest the simulator's own files and the versions of the libraries that set its bytes.

    Unlike the fingerprint of the preprocessing it is of the text, not of what it does: a few golden cines could not
    stand for every variant, and a set that was refused without need costs less than one that is two sets.
    """
    folder = Path(__file__).parent.parent
    digest = hashlib.sha256(" ".join(map(_version, LIBRARIES)).encode())
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SOURCES):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _version(library: str) -> str:
    """Give an installed version; a machine that only trains has no pydicom, which no frame needs."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
