"""Make whole sets of cines on disk: what `echoplane simulate` calls."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from services.cine.errors import ConfigError
from services.cine.views import TARGET_VIEWS
from training.progress import show_progress
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.sets.fingerprint import simulator_fingerprint
from training.simulator.sets.journal import HALF_DONE, MANIFEST_NAME, Journal, format_row, open_journal
from training.simulator.sets.workers import run_in_order, usable_cores, worthwhile
from training.simulator.sets.writers import write_avi, write_dicom, write_mp4, write_npz, write_truth
from training.simulator.styles import STYLES, draw_style
from training.simulator.variants import VARIANTS
from training.simulator.views.names import PLANES, VIEW_CLASSES

SUFFIXES = {"npz": ".npz", "avi": ".avi", "mp4": ".mp4", "dicom": ".dcm"}
WRITERS: dict[str, Callable[[SimulatedCine, Path], None]] = {"avi": write_avi, "mp4": write_mp4, "dicom": write_dicom}
EVERY_TARGET_VIEW = tuple((view.value, 1.0) for view in TARGET_VIEWS)
MANIFEST_COLUMNS = (
    "path",
    "subject",
    "view",
    "plane",
    "style",
    "variant",
    "kind",
    "lvef_fraction",
    "heart_rate_bpm",
    "ed_frame",
    "es_frame",
    "frames",
    *(f"share_{view.lower()}" for view in VIEW_CLASSES),
    "sha256",
    "truth_sha256",
)
"""Shares are those of the views in what the plane cuts, mean of the frames: between two views a soft label."""


@dataclass(frozen=True)
class SetOrder:
    """A set of cines to make.

    Attributes:
        subjects: how many hearts, numbered from `seed`.
        out: folder, made when missing.
        format: npz, avi, mp4 or dicom.
        size_px: side of square pictures, None for the styles' own canvases.
        with_truth: store the truth as well, in the npz itself or in one beside the file.
        seed: number of the first subject.
        variant: what every cine is, one of `VARIANTS`.
        shares: (view, share) of the views among the cines, on any scale. A subject is seen at most once in each; the
            commonest view is made of every subject, the others of as many of them as their shares ask for.
        styles: to choose from, each as often; all of `STYLES` when empty.
        plane: one of `PLANES` that is shown once of every subject, whatever the shares; None draws planes of the views.
    """

    subjects: int
    out: Path
    format: str = "npz"
    size_px: int | None = None
    with_truth: bool = False
    seed: int = 0
    variant: str = "b_mode"
    shares: tuple[tuple[str, float], ...] = EVERY_TARGET_VIEW
    styles: tuple[str, ...] = ()
    plane: str | None = None

    def check(self) -> None:
        """Refuse what cannot be made.

        Raises:
            ConfigError: an unknown name, or shares that name no view.
        """
        _check("format", [self.format], tuple(SUFFIXES))
        _check("variant", [self.variant], VARIANTS)
        _check("view", [view for view, _ in self.shares], VIEW_CLASSES)
        _check("plane", [self.plane] if self.plane else [], PLANES)
        for style in self.styles:
            _check_style(style)
        shares = [share for _, share in self.shares]
        if not shares or min(shares) < 0 or max(shares) == 0:
            raise ConfigError(found="shares that give no cine", expected="shares of 0 or more", advice="Raise one.")


@dataclass(frozen=True)
class Job:
    """One cine to make and the folder it goes to."""

    subject: int
    view: str
    style: str
    order: SetOrder

    @property
    def path(self) -> Path:
        """The file this job writes."""
        return self.order.out / f"{self.subject:06d}_{self.view}{SUFFIXES[self.order.format]}"

    @property
    def truth_path(self) -> Path | None:
        """The file beside it that holds its truth, where it cannot."""
        is_beside = self.order.with_truth and self.order.format != "npz"
        return self.path.with_suffix(".truth.npz") if is_beside else None


@dataclass(frozen=True)
class FinishedSet:
    """A set on disk: its manifest, how many cines it has, and how many of them were there already."""

    manifest: Path
    cines: int
    found: int


def simulate_set(order: SetOrder, workers: int | None = None) -> FinishedSet:
    """Simulate a set and write it with a `manifest.csv`, in `workers` processes (None: one for each core).

    Each file depends on its subject, view and the order alone. It appears whole; a run that was killed goes on when it
    is given again, and makes again what is not as its manifest says.

    Raises:
        ConfigError: an unknown name; the folder holds a set of another order or of another simulator.
        RuntimeError: a worker was killed, or what is made again differs from what was made.
    """
    order.check()
    terms = {**asdict(order), "simulator": simulator_fingerprint()}
    del terms["out"]
    total = sum(1 for _ in plan(order))
    with open_journal(order.out, terms, MANIFEST_COLUMNS) as journal, show_progress("simulating", total) as advance:
        journal.recall(job.path.name for job in plan(order))
        found = journal.known
        wanted = worthwhile(workers or usable_cores(), total - found)
        for done, _ in enumerate(_make_all(order, journal, wanted), 1):
            advance(done, "cines")
        return FinishedSet(journal.finish(), total, found)


def plan(order: SetOrder) -> Iterator[Job]:
    """Give the jobs of an order, subject by subject."""
    styles = order.styles or STYLES
    given = dict(order.shares) if order.plane is None else {view_of(order.plane): 1.0}
    most = max(given.values())
    chances = [(view, given.get(view, 0.0) / most) for view in VIEW_CLASSES]
    for subject in range(order.seed, order.seed + order.subjects):
        draws = np.random.default_rng([subject, 89]).random(len(chances))
        for (view, chance), draw in zip(chances, draws, strict=True):
            if draw < chance:
                yield Job(subject, view, pick_style(subject, view, styles), order)


def view_of(plane: str) -> str:
    """Name the view under which a plane is ordered: that of its first word, else OTHER (A3C, A5C, sweeps)."""
    view = plane.split("_", maxsplit=1)[0].upper()
    return view if view in VIEW_CLASSES else "OTHER"


def pick_style(subject: int, view: str, styles: Sequence[str] = STYLES) -> str:
    """Pick the style of one view of one subject, independently of the view."""
    rng = np.random.default_rng([subject, VIEW_CLASSES.index(view), 83])
    return styles[int(rng.integers(len(styles)))]


def make(job: Job) -> str:
    """Make and write one cine; returns its line of the manifest."""
    cv2.setNumThreads(1)
    order = job.order
    cine = simulate_cine(
        job.subject, job.view, job.style, plane=order.plane, variant=order.variant, size_px=order.size_px
    )
    truth_digest = _write_whole(job.truth_path, lambda path: write_truth(cine, path)) if job.truth_path else ""
    if order.format == "npz":
        digest = _write_whole(job.path, lambda path: write_npz(cine, path, order.with_truth))
    else:
        digest = _write_whole(job.path, lambda path: WRITERS[order.format](cine, path))
    truth = cine.truth
    shares = truth.shares.mean(axis=0)
    row = {
        "path": job.path.name,
        "subject": job.subject,
        "view": truth.view,
        "plane": truth.plane,
        "style": truth.style,
        "variant": truth.variant,
        "kind": truth.kind,
        "lvef_fraction": round(truth.lvef_fraction, 4),
        "heart_rate_bpm": round(truth.heart_rate_bpm, 1),
        "ed_frame": truth.ed_frame,
        "es_frame": truth.es_frame,
        "frames": len(cine.frames),
        **{f"share_{view.lower()}": round(float(share), 4) for view, share in zip(VIEW_CLASSES, shares, strict=True)},
        "sha256": digest,
        "truth_sha256": truth_digest,
    }
    return format_row(row[column] for column in MANIFEST_COLUMNS)


def _make_all(order: SetOrder, journal: Journal, workers: int) -> Iterator[str]:
    """See to every cine of a set, first what an earlier run has noted; yields their lines."""
    known = zip(islice(plan(order), journal.known), journal.lines(), strict=True)
    yield from run_in_order(_see_to, known, workers)
    rest = islice(plan(order), journal.known, None)
    yield from journal.note(run_in_order(make, rest, workers))


def _see_to(noted: tuple[Job, str]) -> str:
    """Make a cine again that is not on disk as its line says."""
    job, line = noted
    on_disk = ",".join(_digest(path) if path else "" for path in (job.path, job.truth_path))
    if not line.endswith(f",{on_disk}") and make(job) != line:
        raise RuntimeError(
            f"Found {job.path.name} made again to differ from {MANIFEST_NAME}; expected the same bytes. Another"
            " processor may round otherwise: write to a new --out folder."
        )
    return line


def _write_whole(path: Path, write: Callable[[Path], None]) -> str:
    """Let a file appear whole or not at all; returns its digest."""
    half_done = path.with_name(HALF_DONE + path.name)
    write(half_done)
    digest = _digest(half_done)
    half_done.replace(path)
    return digest


def _digest(path: Path) -> str:
    """Digest a file; of one that is missing, of nothing."""
    if not path.exists():
        return "missing"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_style(style: str) -> None:
    """Refuse a style that cannot be drawn."""
    try:
        draw_style(style, (0,))
    except ValueError as error:
        raise ConfigError(
            found="an unknown style",
            expected=f"random or one of {', '.join(STYLES)}",
            advice="Correct the name.",
        ) from error


def _check(name: str, given: Sequence[str], known: Sequence[str]) -> None:
    if any(one not in known for one in given):
        raise ConfigError(found=f"an unknown {name}", expected=f"one of {', '.join(known)}", advice="Correct the name.")
