"""Make whole sets of cines on disk: what `echoplane simulate` calls."""

import csv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.planes import VIEWS
from training.simulator.styles import STYLES
from training.simulator.variants import VARIANTS
from training.simulator.writers import write_avi, write_dicom, write_mp4, write_npz

SUFFIXES = {"npz": ".npz", "avi": ".avi", "mp4": ".mp4", "dicom": ".dcm"}
WRITERS: dict[str, Callable[[SimulatedCine, Path], None]] = {"avi": write_avi, "mp4": write_mp4, "dicom": write_dicom}
MANIFEST_COLUMNS = (
    "path",
    "subject",
    "view",
    "style",
    "variant",
    "kind",
    "variety",
    "lvef_fraction",
    "heart_rate_bpm",
    "ed_frame",
    "es_frame",
    "frames",
)


@dataclass(frozen=True)
class SetOrder:
    """A set of cines to make.

    Attributes:
        subjects: how many hearts, each in every view; numbered from `seed`.
        out: folder, made when missing.
        format: npz, avi, mp4 or dicom.
        size_px: side of square pictures, None for the styles' own canvases.
        with_truth: store per-frame truth and the sector mask as well (npz only).
        seed: number of the first subject.
        variant: what every cine is, one of `VARIANTS`.
    """

    subjects: int
    out: Path
    format: str = "npz"
    size_px: int | None = None
    with_truth: bool = False
    seed: int = 0
    variant: str = "b_mode"


@dataclass(frozen=True)
class Job:
    """One cine to make and the folder it goes to."""

    subject: int
    view: str
    style: str
    out: Path
    format: str
    size_px: int | None
    with_truth: bool
    variant: str = "b_mode"

    @property
    def path(self) -> Path:
        """The file this job writes."""
        return self.out / f"{self.subject:06d}_{self.view}{SUFFIXES[self.format]}"


def simulate_set(order: SetOrder, workers: int) -> list[Path]:
    """Simulate every view of a number of subjects in `workers` processes and write them with a `manifest.csv`.

    Returns:
        The files, in the order of the manifest.

    Raises:
        ValueError: unknown format or variant.
    """
    if order.format not in SUFFIXES:
        raise ValueError(f"unknown format {order.format!r}, expected one of {', '.join(SUFFIXES)}")
    if order.variant not in VARIANTS:
        raise ValueError(f"unknown variant {order.variant!r}, expected one of {', '.join(VARIANTS)}")
    jobs = [
        Job(
            subject=subject,
            view=view,
            style=pick_style(subject, view),
            out=order.out,
            format=order.format,
            size_px=order.size_px,
            with_truth=order.with_truth,
            variant=order.variant,
        )
        for subject in range(order.seed, order.seed + order.subjects)
        for view in VIEWS
    ]
    return write_set(jobs, order.out, workers)


def write_set(jobs: Sequence[Job], out: Path, workers: int) -> list[Path]:
    """Make the cines of a list of jobs in `workers` processes and write `manifest.csv` beside them."""
    out.mkdir(parents=True, exist_ok=True)
    rows = list(track(_run(jobs, workers), "simulating", total=len(jobs), console=Console(stderr=True)))
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, MANIFEST_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return [job.path for job in jobs]


def pick_style(subject: int, view: str) -> str:
    """Pick the style of one view of one subject, independently of the view."""
    rng = np.random.default_rng([subject, VIEWS.index(view), 83])
    return STYLES[int(rng.integers(len(STYLES)))]


def _run(jobs: Sequence[Job], workers: int) -> Iterator[dict[str, str | int | float]]:
    """Yield one manifest row a job, in order."""
    if workers <= 1:
        yield from map(_simulate_one, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_simulate_one, jobs, chunksize=4)


def _simulate_one(job: Job) -> dict[str, str | int | float]:
    """Make and write one cine; returns its manifest row."""
    cv2.setNumThreads(1)
    cine = simulate_cine(job.subject, job.view, job.style, variant=job.variant, size_px=job.size_px)
    if job.format == "npz":
        write_npz(cine, job.path, job.with_truth)
    else:
        WRITERS[job.format](cine, job.path)
    truth = cine.truth
    return {
        "path": job.path.name,
        "subject": job.subject,
        "view": truth.view,
        "style": truth.style,
        "variant": truth.variant,
        "kind": truth.kind,
        "variety": truth.variety,
        "lvef_fraction": round(truth.lvef_fraction, 4),
        "heart_rate_bpm": round(truth.heart_rate_bpm, 1),
        "ed_frame": truth.ed_frame,
        "es_frame": truth.es_frame,
        "frames": len(cine.frames),
    }
