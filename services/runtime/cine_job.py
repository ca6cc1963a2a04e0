"""What a sandboxed child does with one cine, and how its answer crosses the border: one JSON line, then plain arrays.

Nothing is unpickled: the child has touched untrusted bytes, so its owner checks every name, type and size it reports.
"""

from __future__ import annotations

import builtins
import codecs
import errno
import io
import json
import math
import mmap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import av.subtitles.codeccontext  # PyAV loads it at the first track of subtitles
import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage

from services.cine import errors
from services.cine.budget import ReadLimits
from services.cine.cine import CineFacts, CineFormat, TimingSource, UInt8Array
from services.cine.intake import STAGES, Intake, IntakeOptions, take_in
from services.cine.preprocessing import MODEL_SIDE_PX
from services.cine.selection import Selection
from services.cine.validation.findings import Finding, FindingCode, Severity

EXIT_MEMORY = 10

_LOADED_AT_FIRST_USE = ("htj2k_decode", "jpeg2k_decode", "jpeg8_decode", "jpegls_decode", "packbits_decode")
"""What `services.cine` uses of imagecodecs, each an extension module of its own."""

_HEADER_BYTES = 65_536
_TEXT_LENGTH = 500
_ARRAYS = {
    "outline_px": (np.float32, (None, 2)),
    "frame_indices": (np.int64, (None,)),
    "frame_times_ms": (np.float64, (None,)),
    "model_input": (np.float32, (None, 1, MODEL_SIDE_PX, MODEL_SIDE_PX)),
}
_ERRORS = {
    kind.__name__: kind for kind in (errors.CineUnreadableError, errors.CineUnsupportedError, errors.LimitExceededError)
}
_BUILT_IN_ERRORS = {
    name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
}
"""A closed set of names for what a foreign library may raise; all of its own errors are kinds of these."""

Read = Callable[[memoryview, IntakeOptions], Intake]
"""Takes the bytes of one cine in."""


class UnexpectedError(ValueError):
    """Reading raised what is none of our errors.

    Args:
        kind: the nearest built-in kind of it.
    """

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind.__name__
        super().__init__(f"reading ended with {self.kind}")


def warm_up() -> Callable[[], None]:
    """Load all that reading ever loads, for a child opens no file, and rehearse, so that none initialises it anew.

    Returns:
        The rehearsal: a video and a DICOM object are taken in.
    """
    for name in _LOADED_AT_FIRST_USE:
        getattr(imagecodecs, name)
    for name in python_encoding.values():
        codecs.lookup(name)
    samples = (_sample_video(), _sample_dicom())

    def rehearse() -> None:
        for data in samples:
            take_in(data, IntakeOptions())

    rehearse()
    return rehearse


def _sample_frames() -> UInt8Array:
    """Make a wedge of noise that changes from frame to frame, [T, H, W]."""
    rows, columns = np.mgrid[:112, :112]
    wedge = np.abs(columns - 56) < rows / 2
    noise = np.random.default_rng(0).integers(0, 255, (12, 112, 112))
    return np.asarray(noise * wedge, np.uint8)


def _sample_video() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=25, options={"strict": "unofficial"})
        stream.height, stream.width, stream.pix_fmt = 112, 112, "yuvj420p"
        for frame in _sample_frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _sample_dicom() -> bytes:
    frames = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in _sample_frames()]
    dataset = Dataset()
    dataset.file_meta, dataset.preamble = FileMetaDataset(), bytes(128)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.Modality, dataset.PhotometricInterpretation = "US", "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 112, 112, len(frames)
    dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.FrameTime = 1, 8, 40.0
    dataset.PixelData = encapsulate(frames)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def encode_job(options: IntakeOptions, input_bytes: int, output_bytes: int) -> dict[str, Any]:
    """Put a job into JSON's types; the sizes of its files with it, for a child may not ask for them."""
    return {
        "input_bytes": input_bytes,
        "output_bytes": output_bytes,
        "claimed_format": options.claimed_format,
        "selection": options.selection,
        "max_frames": options.max_frames,
        "limits": vars(options.limits),
    }


def _decode_options(job: dict[str, Any]) -> IntakeOptions:
    claimed = job["claimed_format"]
    return IntakeOptions(
        claimed_format=None if claimed is None else CineFormat(claimed),
        selection=Selection(job["selection"]),
        max_frames=job["max_frames"],
        limits=ReadLimits(**job["limits"]),
    )


def run(read: Read, job: dict[str, Any], input_fd: int, output_fd: int) -> int:
    """Take one cine in and write the answer: an Intake, the typed error that it raised, or the kind of any other.

    Args:
        read: what takes it in.
        job: as `encode_job` made it.
        input_fd: the file's bytes.
        output_fd: shared memory, as large as an answer may be.

    Returns:
        The exit code of this process.
    """
    with mmap.mmap(output_fd, job["output_bytes"]) as output:  # before the work: afterwards there may be no memory left
        try:
            size = job["input_bytes"]
            data = mmap.mmap(input_fd, size, prot=mmap.PROT_READ) if size else b""
            _write(output, *_describe(read(memoryview(data), _decode_options(job))))
        except errors.InputError as error:
            parts = {"found": error.found, "expected": error.expected, "advice": error.advice}
            _write(output, {"error": type(error).__name__, "reason": error.reason, **parts})
        except BaseException as error:  # whatever a decoder raises ends here
            if _is_out_of_memory(error):
                return EXIT_MEMORY
            kinds = (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _BUILT_IN_ERRORS)
            _write(output, {"unexpected": next(kinds)})
    return 0


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, cv2.error):
        return bool(error.code == cv2.Error.StsNoMem)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _write(output: mmap.mmap, header: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> None:
    """Write the header last: an answer that has one is whole."""
    output.seek(_HEADER_BYTES)
    for array in arrays:
        output.write(array.data.cast("B") if array.size else b"")
    output.seek(0)
    output.write(json.dumps(header).encode().ljust(_HEADER_BYTES))


def _describe(intake: Intake) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    arrays = [np.ascontiguousarray(getattr(intake, name), kind) for name, (kind, _) in _ARRAYS.items()]
    header = {
        "cine": asdict(intake.cine),
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
        UnexpectedError: the child raised something else.
        ValueError: the answer is malformed.
    """
    try:
        intake = _decode(output)
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"a malformed answer ({type(error).__name__})") from error
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
    return intake


def _decode(output: memoryview) -> Intake:
    header = json.loads(bytes(output[:_HEADER_BYTES]))
    if "unexpected" in header:
        raise UnexpectedError(_BUILT_IN_ERRORS[header["unexpected"]])
    if "error" in header:
        parts = {key: str(header[key])[:_TEXT_LENGTH] for key in ("found", "expected", "advice")}
        raise _ERRORS[header["error"]](errors.Reason(header["reason"]), **parts)
    arrays: dict[str, NDArray[Any]] = {}
    offset = _HEADER_BYTES
    for (name, (kind, pattern)), shape in zip(_ARRAYS.items(), header["shapes"], strict=True):
        if len(shape) != len(pattern) or any(p not in (None, s) or s < 0 for p, s in zip(pattern, shape, strict=True)):
            raise ValueError(f"array {name} of an impossible shape")
        arrays[name] = np.frombuffer(output, kind, math.prod(shape), offset).reshape(shape).copy()
        offset += arrays[name].nbytes
    return Intake(
        cine=_facts(header["cine"]),
        findings=tuple(Finding(FindingCode(c), str(m)[:_TEXT_LENGTH], Severity(s)) for c, m, s in header["findings"]),
        timings_ms={stage: float(header["timings_ms"][stage]) for stage in STAGES},
        **arrays,
    )


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
