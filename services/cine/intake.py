"""The way of one cine, from bytes to model input. This is what runs inside the sandbox."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, CineFacts, CineFormat, FloatArray, IntArray, TimesArray, UInt8Array
from services.cine.preprocessing import MODEL_SIDE_PX, preprocess_cine
from services.cine.reading import read_cine
from services.cine.sector import Sector, find_sector
from services.cine.selection import Selection, select_frames
from services.cine.validation.damage import decode_thumbnails
from services.cine.validation.evidence import Evidence
from services.cine.validation.findings import WITHOUT_MODEL, Finding, Severity
from services.cine.validation.rules import NOT_ULTRASOUND, validate

_COLOUR_SIDE_PX = 128
_COLOUR_FRAMES = 5

DEFAULT_MAX_FRAMES = 8
"""Frames the model sees of one cine unless asked otherwise."""

STAGES = ("read", "validate", "select", "preprocess")
"""What is timed, in the order of its happening."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class IntakeOptions:
    """What the caller wants of one cine.

    Attributes:
        claimed_format: the format the caller names; None tells it from the bytes.
        selection: how frames are chosen.
        max_frames: how many the model sees.
        limits: what the cine may cost.
    """

    claimed_format: CineFormat | None = None
    selection: Selection = Selection.DISSIMILAR
    max_frames: int = DEFAULT_MAX_FRAMES
    limits: ReadLimits = field(default_factory=ReadLimits)


@dataclass(frozen=True)
class Intake:
    """A cine that was read, judged and, where it shows B-mode, made ready for a model.

    Attributes:
        cine: what the file held.
        findings: what validation saw.
        outline_px: the sector's outline in the source (column, row), [K, 2]; empty where there is none.
        frame_indices: the chosen frames, [N]; empty where no model should run.
        frame_times_ms: their times, [N], ms.
        model_input: [N, 1, 112, 112] float32 in [-1, 1].
        timings_ms: wall-clock time of read, validate, select and preprocess, ms.
    """

    cine: CineFacts
    findings: tuple[Finding, ...]
    outline_px: FloatArray
    frame_indices: IntArray
    frame_times_ms: TimesArray
    model_input: FloatArray
    timings_ms: dict[str, float]

    @property
    def is_accepted(self) -> bool:
        """Whether nothing was found that rejects the cine."""
        return all(finding.severity is not Severity.REJECT for finding in self.findings)


@dataclass(frozen=True)
class Look:
    """A cine that was read and judged.

    Attributes:
        cine: opened.
        findings: what validation saw.
        sector: where echo is; None where there is none, or where what is found is not to be taken for one view.
        thumbnails: the sound frames, grey and small, [N, h, w]; empty of what is no ultrasound.
        kept: their indices in the cine, [N]; all of what is no ultrasound, which nobody decoded.
    """

    cine: Cine
    findings: tuple[Finding, ...]
    sector: Sector | None
    thumbnails: UInt8Array
    kept: IntArray


def take_in(data: bytes | memoryview, options: IntakeOptions) -> Intake:
    """Read, validate, select and preprocess one cine.

    Args:
        data: the whole file.
        options: what is wanted of it.

    Returns:
        The cine's findings and model input; no patient attribute, no file name.

    Raises:
        CineUnreadableError, CineUnsupportedError, LimitExceededError: as `read_cine`.
    """
    stopwatch = _Stopwatch()
    seen = look_at(data, options, stopwatch.time)
    cine, sector = seen.cine, seen.sector
    if sector is None:
        return _without_model(cine, seen.findings, stopwatch)
    indices = stopwatch.time("select", lambda: seen.kept[_select(seen.thumbnails, sector, options, data)])
    model_input = stopwatch.time("preprocess", lambda: preprocess_cine(cine, sector, indices))
    return Intake(
        cine=cine.facts,
        findings=seen.findings,
        outline_px=sector.outline_px,
        frame_indices=indices,
        frame_times_ms=cine.frame_times_ms[indices],
        model_input=model_input,
        timings_ms=stopwatch.spent_ms,
    )


def look_at(data: bytes | memoryview, options: IntakeOptions, time_stage: Timer | None = None) -> Look:
    """Read one cine, find its sector and say what is wrong with it.

    Args:
        data: the whole file.
        options: what is wanted of it; only the format and the limits count.
        time_stage: does a piece of work under a stage's name.

    Raises:
        CineUnreadableError, CineUnsupportedError, LimitExceededError: as `read_cine`.
    """
    during = time_stage or _Stopwatch().time
    cine = during("read", lambda: read_cine(data, options.limits, options.claimed_format))
    if not cine.is_ultrasound:
        nothing = np.empty((0, 0, 0), np.uint8)
        return Look(cine, (NOT_ULTRASOUND,), None, nothing, np.arange(cine.frame_count))
    thumbnails, kept = during("read", lambda: decode_thumbnails(cine))
    sector = during("validate", lambda: find_sector(thumbnails, cine.rows, cine.columns, cine.tissue_region))
    evidence = Evidence(cine, thumbnails, sector, lambda: colour_frames(cine, kept), cine.frame_count - len(kept))
    findings = during("validate", lambda: validate(evidence))
    has_view = WITHOUT_MODEL.isdisjoint(finding.code for finding in findings)
    return Look(cine, findings, sector if has_view else None, thumbnails, kept)


class Timer(Protocol):
    """Does a piece of work and counts its time."""

    def __call__(self, stage: str, work: Callable[[], _Result], /) -> _Result:
        """Do the work under one of STAGES."""


class _Stopwatch:
    def __init__(self) -> None:
        self.spent_ms = dict.fromkeys(STAGES, 0.0)

    def time(self, stage: str, work: Callable[[], _Result]) -> _Result:
        start = time.perf_counter()
        result = work()
        self.spent_ms[stage] += (time.perf_counter() - start) * 1000.0
        return result


def colour_frames(cine: Cine, kept: IntArray) -> UInt8Array:
    """Decode some of the sound frames in colour, first and last among them, reduced: [N, h, w, 3]."""
    reduction = cine.reduction_for(min(cine.rows, cine.columns), _COLOUR_SIDE_PX)
    places = np.unique(np.linspace(0, len(kept) - 1, _COLOUR_FRAMES).round().astype(int))
    return np.stack([cine.store.colour(int(kept[place]), reduction) for place in places])


def _select(thumbnails: UInt8Array, sector: Sector, options: IntakeOptions, data: bytes | memoryview) -> IntArray:
    reduction = -(-sector.rows // thumbnails.shape[1])
    masked = thumbnails * sector.mask(reduction).astype(np.uint8)
    seed = zlib.crc32(data) if options.selection is Selection.RANDOM else 0  # the same cine, the same draw
    return select_frames(masked, options.selection, options.max_frames, seed)


def _without_model(cine: Cine, findings: tuple[Finding, ...], stopwatch: _Stopwatch) -> Intake:
    return Intake(
        cine=cine.facts,
        findings=findings,
        outline_px=np.empty((0, 2), np.float32),
        frame_indices=np.empty(0, np.int64),
        frame_times_ms=np.empty(0),
        model_input=np.empty((0, 1, MODEL_SIDE_PX, MODEL_SIDE_PX), np.float32),
        timings_ms=stopwatch.spent_ms,
    )
