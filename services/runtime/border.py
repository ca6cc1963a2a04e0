"""How bytes cross into a sandboxed child and its answer back: one JSON line, then the body, whatever the kind of job.

Nothing is unpickled: the child has touched untrusted bytes, so its owner checks every name, type and size it reports.
"""

from __future__ import annotations

import builtins
import errno
import json
import math
import mmap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from services.cine import errors
from services.cine.budget import ReadLimits

EXIT_MEMORY = 10

HEADER_BYTES = 65_536
TEXT_LENGTH = 500
"""Characters of a message that are believed to be one."""

_ERRORS: dict[str, Callable[..., errors.InputError]] = {
    kind.__name__: kind for kind in (errors.CineUnreadableError, errors.CineUnsupportedError, errors.LimitExceededError)
}
_ERRORS[errors.IdentityRemainsError.__name__] = lambda reason, **parts: errors.IdentityRemainsError(**parts)
_BUILT_IN_ERRORS = {
    name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
}
"""A closed set of names for what a foreign library may raise; all of its own errors are kinds of these."""

Header = dict[str, Any]
Result_co = TypeVar("Result_co", covariant=True)

Work = Callable[[memoryview, Header, mmap.mmap], Header]
"""What a child does: takes a file's bytes and a job's options, writes the body of its answer and gives the header."""

Works = Mapping[str, Work]
"""What the children of a warm parent can do, by the kind of job."""

Layout = Mapping[str, tuple[type[np.generic], tuple[int | None, ...]]]
"""Arrays of an answer, in their order: type, and shape with None where it is open."""


class Job(Protocol[Result_co]):
    """One thing to do with one file, and how its answer is read by who does not believe it."""

    @property
    def kind(self) -> str:
        """Which of the warm parent's works does it."""

    @property
    def limits(self) -> ReadLimits:
        """What the file may cost."""

    def options(self) -> Header:
        """Give what is wanted of the file, in JSON's types."""

    def decode(self, header: Header, body: memoryview) -> Result_co:
        """Read what a child wrote, believing none of it; what it gives is a copy.

        Raises:
            ValueError, LookupError, TypeError, AttributeError, OverflowError: the answer is malformed.
        """


class UnexpectedError(ValueError):
    """Reading raised what is none of our errors.

    Args:
        kind: the nearest built-in kind of it.
    """

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind.__name__
        super().__init__(f"reading ended with {self.kind}")


def encode_job(job: Job[Any], input_bytes: int, output_bytes: int) -> Header:
    """Put a job into JSON's types; the sizes of its files with it, for a child may not ask for them."""
    return {
        "kind": job.kind,
        "input_bytes": input_bytes,
        "output_bytes": output_bytes,
        "options": job.options(),
    }


def run(works: Works, job: Header, input_fd: int, output_fd: int) -> int:
    """Do one job and write its answer, the typed error that it raised, or the kind of any other.

    Args:
        works: what can be done.
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
            output.seek(HEADER_BYTES)
            _write_header(output, works[job["kind"]](memoryview(data), job["options"], output))
        except errors.InputError as error:
            parts = {"found": error.found, "expected": error.expected, "advice": error.advice}
            _write_header(output, {"error": type(error).__name__, "reason": error.reason, **parts})
        except BaseException as error:  # whatever a decoder raises ends here
            if _is_out_of_memory(error):
                return EXIT_MEMORY
            kinds = (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _BUILT_IN_ERRORS)
            _write_header(output, {"unexpected": next(kinds)})
    return 0


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, cv2.error):
        return bool(error.code == cv2.Error.StsNoMem)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _write_header(output: mmap.mmap, header: Header) -> None:
    """Write the header last: an answer that has one is whole."""
    output.seek(0)
    output.write(json.dumps(header).encode().ljust(HEADER_BYTES))


def write_arrays(body: mmap.mmap, layout: Layout, arrays: Sequence[NDArray[Any]]) -> Header:
    """Write arrays one behind the other, and give the part of the header that tells them apart."""
    made = [np.ascontiguousarray(array, kind) for array, (kind, _) in zip(arrays, layout.values(), strict=True)]
    for array in made:
        body.write(array.data.cast("B") if array.size else b"")
    return {"shapes": [array.shape for array in made]}


def read_arrays(header: Header, body: memoryview, layout: Layout) -> dict[str, NDArray[Any]]:
    """Copy arrays out of an answer, by name.

    Raises:
        ValueError, LookupError, TypeError: a shape that is not of the layout, or that the body does not hold.
    """
    arrays: dict[str, NDArray[Any]] = {}
    offset = 0
    for (name, (kind, pattern)), shape in zip(layout.items(), header["shapes"], strict=True):
        if len(shape) != len(pattern) or any(p not in (None, s) or s < 0 for p, s in zip(pattern, shape, strict=True)):
            raise ValueError(f"array {name} of an impossible shape")
        arrays[name] = np.frombuffer(body, kind, math.prod(shape), offset).reshape(shape).copy()
        offset += arrays[name].nbytes
    return arrays


def decode_answer(job: Job[Result_co], output: memoryview) -> Result_co:
    """Read what a child wrote, believing none of it.

    Args:
        job: what it was asked.
        output: the shared memory the child wrote to.

    Returns:
        What the job gives.

    Raises:
        InputError: what the child raised.
        UnexpectedError: the child raised something else.
        ValueError: the answer is malformed.
    """
    try:
        header = json.loads(bytes(output[:HEADER_BYTES]))
        _raise_error(header)
        with output[HEADER_BYTES:] as body:  # whose owner cannot end the mapping before it is let go
            return job.decode(header, body)
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"a malformed answer ({type(error).__name__})") from error


def _raise_error(header: Header) -> None:
    if "unexpected" in header:
        raise UnexpectedError(_BUILT_IN_ERRORS[header["unexpected"]])
    if "error" in header:
        parts = {key: str(header[key])[:TEXT_LENGTH] for key in ("found", "expected", "advice")}
        raise _ERRORS[header["error"]](errors.Reason(header["reason"]), **parts)
