"""The cines of the demonstration: one real, several simulated, some that must be refused."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pydicom.data import get_testdata_file

from services.answers import ABSTAINED, Answer
from services.cine.validation.findings import WITHOUT_MODEL
from services.cine.views import View
from training.simulator.cine import simulate_cine
from training.simulator.sets.writers import write_avi, write_dicom, write_mp4


@dataclass(frozen=True)
class DemoCine:
    """One cine and the answer it should get.

    Attributes:
        path: the file.
        origin: where it comes from, in words.
        verdict: ACCEPTED, REJECTED or ERROR.
        view: the expected view, or a dash where none should be told.
        reason: the expected finding or error, or empty.
        may_abstain: whether to abstain is as good an answer: weights trained on simulated cines need not be sure of a
            real one, but may not name another view.
    """

    path: Path
    origin: str
    verdict: str
    view: str
    reason: str = ""
    may_abstain: bool = False

    @property
    def wanted(self) -> str:
        """The expected finding and view, in words."""
        view = f"{self.view} or {ABSTAINED}" if self.may_abstain else str(self.view)
        return f"{self.reason}, {view}" if self.reason else view

    def is_met_by(self, answer: Answer) -> bool:
        """Whether an answer is the expected one."""
        views = (self.view, ABSTAINED) if self.may_abstain else (self.view,)
        return answer.verdict == self.verdict and answer.view in views and self.reason in ("", *answer.codes)


def write_cines(folder: Path) -> list[DemoCine]:
    """Write the demonstration's cines into a folder, anew.

    Args:
        folder: emptied first.

    Returns:
        The files and what is expected of each.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    real = folder / "real_a4c.dcm"
    source = get_testdata_file("examples_ybr_color.dcm", download=False)
    if source is None:
        raise FileNotFoundError("pydicom's own example examples_ybr_color.dcm is missing; reinstall pydicom")
    shutil.copy(str(source), real)
    cut = folder / "cut_short.dcm"
    cut.write_bytes(real.read_bytes()[:100_000])
    return [
        DemoCine(real, "real, pydicom's example, a four-chamber view", "ACCEPTED", View.A4C, may_abstain=True),
        _simulated(folder / "a2c.avi", 1, View.A2C, "lvh"),
        _simulated(folder / "a4c.mp4", 2, View.A4C, "unity"),
        _simulated(folder / "plax.dcm", 3, View.PLAX, "lvh"),
        _simulated(folder / "psax.avi", 4, View.PSAX, "dynamic"),
        _simulated(folder / "colour.dcm", 5, View.A4C, "lvh", "colour_doppler", "COLOUR_DOPPLER"),
        _simulated(folder / "still.dcm", 6, View.PLAX, "lvh", "still", "STILL"),
        _simulated(folder / "doppler.mp4", 10, View.A4C, "unity", "spectral", "SPECTRAL_DOPPLER"),
        DemoCine(cut, "the real cine, cut short", "ERROR", "-", "PIXELS_DAMAGED"),
    ]


_WRITERS = {".avi": write_avi, ".mp4": write_mp4, ".dcm": write_dicom}


def _simulated(path: Path, seed: int, view: View, style: str, variant: str = "b_mode", reason: str = "") -> DemoCine:
    _WRITERS[path.suffix](simulate_cine(seed, view, style, variant=variant), path)
    origin = f"simulated, style {style}" + (f", {variant.replace('_', ' ')}" if reason else "")
    expected = "-" if reason in WITHOUT_MODEL else view
    return DemoCine(path, origin, "REJECTED" if reason else "ACCEPTED", expected, reason)
