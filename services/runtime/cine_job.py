"""The job that reads one cine: what a child is asked, what it does, and how its Intake crosses the border."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from services.cine.budget import ReadLimits
from services.cine.cine import CineFacts, CineFormat, TimingSource
from services.cine.intake import STAGES, Intake, IntakeOptions, take_in
from services.cine.preprocessing import MODEL_SIDE_PX
from services.cine.selection import Selection
from services.cine.validation.findings import Finding, FindingCode, Severity
from services.runtime.border import TEXT_LENGTH, Header, Layout, Work, read_arrays, write_arrays

KIND = "take_in"

_ARRAYS: Layout = {
    "outline_px": (np.float32, (None, 2)),
    "frame_indices": (np.int64, (None,)),
    "frame_times_ms": (np.float64, (None,)),
    "model_input": (np.float32, (None, 1, MODEL_SIDE_PX, MODEL_SIDE_PX)),
}

Read = Callable[[memoryview, IntakeOptions], Intake]
"""Takes the bytes of one cine in."""


@dataclass(frozen=True)
class CineJob:
    """What is asked of one cine; with `kind` and `decode` a `border.Job`."""

    intake: IntakeOptions

    @property
    def limits(self) -> ReadLimits:
        """What the cine may cost."""
        return self.intake.limits

    def options(self) -> Header:
        """Put the options into JSON's types."""
        return {
            "claimed_format": self.intake.claimed_format,
            "selection": self.intake.selection,
            "max_frames": self.intake.max_frames,
            "limits": vars(self.intake.limits),
        }


def decode_options(told: Header) -> IntakeOptions:
    """Read what `CineJob.options` made."""
    claimed = told["claimed_format"]
    return IntakeOptions(
        claimed_format=None if claimed is None else CineFormat(claimed),
        selection=Selection(told["selection"]),
        max_frames=told["max_frames"],
        limits=ReadLimits(**told["limits"]),
    )


class TakeIn(CineJob):
    """Read, validate, select and preprocess one cine."""

    kind = KIND

    def decode(self, header: Header, body: memoryview) -> Intake:
        """Give the cine that a child took in; the arrays are copies."""
        intake = Intake(
            cine=_facts(header["cine"]),
            findings=tuple(
                Finding(FindingCode(c), str(m)[:TEXT_LENGTH], Severity(s)) for c, m, s in header["findings"]
            ),
            timings_ms={stage: float(header["timings_ms"][stage]) for stage in STAGES},
            **read_arrays(header, body, _ARRAYS),
        )
        _check(intake)
        return intake


def work_of(read: Read = take_in) -> Work:
    """Make the child's side of the job.

    Args:
        read: what takes a cine in.
    """

    def work(data: memoryview, options: Header, body: mmap.mmap) -> Header:
        intake = read(data, decode_options(options))
        return {
            "cine": asdict(intake.cine),
            "findings": [[finding.code, finding.message, finding.severity] for finding in intake.findings],
            "timings_ms": intake.timings_ms,
            **write_arrays(body, _ARRAYS, [getattr(intake, name) for name in _ARRAYS]),
        }

    return work


def _check(intake: Intake) -> None:
    chosen = len(intake.frame_indices)
    if not chosen == len(intake.frame_times_ms) == len(intake.model_input):
        raise ValueError("as many frames, times and inputs do not belong together")
    if not ((intake.frame_indices >= 0) & (intake.frame_indices < intake.cine.frame_count)).all():
        raise ValueError("a frame that the cine does not have")
    if not (np.abs(intake.model_input) <= 1).all():  # a NaN is not, either
        raise ValueError("model input out of its range")
    times = [*intake.timings_ms.values(), *intake.frame_times_ms, intake.cine.duration_ms]
    if not all(0 <= time < math.inf for time in times):
        raise ValueError("times out of their range")


def _facts(told: dict[str, Any]) -> CineFacts:
    rows, columns, frame_count = (int(told[name]) for name in ("rows", "columns", "frame_count"))
    spacing = told["pixel_spacing_mm"] and [float(mm) for mm in told["pixel_spacing_mm"]]
    if min(rows, columns, frame_count) < 1 or (spacing and not all(0 < mm < math.inf for mm in spacing)):
        raise ValueError("sizes out of their range")
    return CineFacts(
        format=CineFormat(told["format"]),
        rows=rows,
        columns=columns,
        frame_count=frame_count,
        duration_ms=float(told["duration_ms"]),
        timing_source=TimingSource(told["timing_source"]),
        pixel_spacing_mm=(spacing[0], spacing[1]) if spacing else None,
    )
