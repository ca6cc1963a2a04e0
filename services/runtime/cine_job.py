"""What a sandboxed child does with one cine, and how its answer crosses the border: one JSON line, then plain arrays.

Nothing is unpickled: the child has touched untrusted bytes, so its owner checks every name, type and size it reports.
"""

from __future__ import annotations

import json
import mmap
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cine import errors
from services.cine.budget import ReadLimits
from services.cine.cine import CineFormat
from services.cine.intake import Intake, IntakeOptions, take_in
from services.cine.preprocessing import MODEL_SIDE_PX, preprocessing_fingerprint
from services.cine.selection import Selection
from services.cine.validation import Finding, FindingCode, Severity

EXIT_MEMORY = 10
EXIT_RECURSION = 11

_HEADER_BYTES = 65_536
_ARRAYS = {
    "outline_px": (np.float32, (None, 2)),
    "frame_indices": (np.int64, (None,)),
    "frame_times_ms": (np.float64, (None,)),
    "model_input": (np.float32, (None, 1, MODEL_SIDE_PX, MODEL_SIDE_PX)),
}
_ERRORS = {
    kind.__name__: kind for kind in (errors.CineUnreadableError, errors.CineUnsupportedError, errors.LimitExceededError)
}


def warm_up() -> None:
    """Run every lazy initialisation that a child would otherwise repeat."""
    preprocessing_fingerprint()


def encode_options(options: IntakeOptions) -> dict[str, Any]:
    """Put the options into JSON's types."""
    return {
        "claimed_format": options.claimed_format,
        "selection": options.selection,
        "max_frames": options.max_frames,
        "limits": vars(options.limits),
    }


def run(options: dict[str, Any], input_fd: int, output_fd: int) -> None:
    """Take one cine in and write the answer: an Intake, or the typed error that it raised.

    Args:
        options: as `encode_options` made them.
        input_fd: the file's bytes.
        output_fd: where the answer goes.
    """
    claimed = options["claimed_format"]
    wanted = IntakeOptions(
        claimed_format=None if claimed is None else CineFormat(claimed),
        selection=Selection(options["selection"]),
        max_frames=options["max_frames"],
        limits=ReadLimits(**options["limits"]),
    )
    size = os.fstat(input_fd).st_size
    data = mmap.mmap(input_fd, size, prot=mmap.PROT_READ) if size else b""
    try:
        header, arrays = _describe(take_in(memoryview(data), wanted))
    except errors.InputError as error:
        kind = type(error).__name__
        parts = {"found": error.found, "expected": error.expected, "advice": error.advice}
        header, arrays = {"error": kind, "reason": error.reason, **parts}, []
    os.pwrite(output_fd, json.dumps(header).encode().ljust(_HEADER_BYTES), 0)
    offset = _HEADER_BYTES
    for array in arrays:
        offset += os.pwrite(output_fd, array.data.cast("B") if array.size else b"", offset)


def _describe(intake: Intake) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    arrays = [np.ascontiguousarray(getattr(intake, name), kind) for name, (kind, _) in _ARRAYS.items()]
    header = {
        "rows": intake.rows,
        "columns": intake.columns,
        "frame_count": intake.frame_count,
        "findings": [[finding.code, finding.message, finding.severity] for finding in intake.findings],
        "timings_ms": intake.timings_ms,
        "shapes": [array.shape for array in arrays],
    }
    return header, arrays


def decode_answer(output: memoryview) -> Intake:
    """Read what a child wrote, believing none of it.

    Args:
        output: the shared memory the child wrote to.

    Returns:
        The cine it took in; the arrays are copies.

    Raises:
        InputError: what the child raised.
        ValueError, KeyError, TypeError: the answer is malformed.
    """
    header = json.loads(bytes(output[:_HEADER_BYTES]))
    if "error" in header:
        parts = {key: str(header[key]) for key in ("found", "expected", "advice")}
        raise _ERRORS[header["error"]](errors.Reason(header["reason"]), **parts)
    arrays: dict[str, NDArray[Any]] = {}
    offset = _HEADER_BYTES
    for (name, (kind, pattern)), shape in zip(_ARRAYS.items(), header["shapes"], strict=True):
        if len(shape) != len(pattern) or any(p not in (None, s) or s < 0 for p, s in zip(pattern, shape, strict=True)):
            raise ValueError(f"array {name} of an impossible shape")
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(output, kind, count, offset).reshape(shape).copy()
        offset += arrays[name].nbytes
    return Intake(
        rows=int(header["rows"]),
        columns=int(header["columns"]),
        frame_count=int(header["frame_count"]),
        findings=tuple(Finding(FindingCode(c), str(m), Severity(s)) for c, m, s in header["findings"]),
        timings_ms={str(stage): float(spent) for stage, spent in header["timings_ms"].items()},
        **arrays,
    )
