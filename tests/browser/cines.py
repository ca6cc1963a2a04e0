"""The cines of one made-up study: four standard views, one of them with a colour box in its way, and a damaged file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.cine.views import View
from training.simulator.cine import simulate_cine
from training.simulator.sets.writers import write_avi, write_dicom


@dataclass(frozen=True)
class StudyFiles:
    """Simulated files.

    Attributes:
        views: a cine of each of the four views, in the order of `View`.
        colour: one with a colour box.
        damaged: one that is cut short.
    """

    views: tuple[Path, ...]
    colour: Path
    damaged: Path

    @property
    def all(self) -> tuple[Path, ...]:
        """Those that are answered."""
        return (*self.views, self.colour)


def write_study(folder: Path) -> StudyFiles:
    """Write the files of the study."""
    views = (
        _written(folder / "1.avi", 1, View.A2C, "lvh"),
        _written(folder / "2.dcm", 2, View.A4C, "unity"),
        _written(folder / "3.dcm", 3, View.PLAX, "lvh"),
        _written(folder / "4.avi", 4, View.PSAX, "dynamic"),
    )
    colour = _written(folder / "5.dcm", 5, View.A4C, "lvh", "colour_doppler")
    damaged = folder / "6.dcm"
    damaged.write_bytes(views[2].read_bytes()[:50_000])
    return StudyFiles(views, colour, damaged)


def _written(path: Path, seed: int, view: View, style: str, variant: str = "b_mode") -> Path:
    write = write_avi if path.suffix == ".avi" else write_dicom
    write(simulate_cine(seed, view, style, variant=variant), path)
    return path
