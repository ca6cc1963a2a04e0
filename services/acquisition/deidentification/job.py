"""The job that de-identifies one object in a confined child, and how the clean file crosses the border."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field

from services.acquisition.deidentification.deidentify import deidentify
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.cine.budget import ReadLimits
from services.cine.errors import LimitExceededError, Reason
from services.runtime import rehearsal
from services.runtime.border import Header, Works

KIND = "deidentify"

WARM_PARENT = "services.acquisition.deidentification.warm_parent"
"""The module of children that do it, for `services.runtime.sandbox`."""

_BEGINNING = bytes(128) + b"DICM"
"""Of every file that is written here (PS3.10 section 7.1): a preamble with nothing in it."""


@dataclass(frozen=True)
class Deidentify:
    """Write an object without what names a person; a `border.Job`.

    Attributes:
        key: the site's secret behind the stand-ins of UIDs.
        limits: what the object may cost.
    """

    key: bytes = field(repr=False)
    limits: ReadLimits
    kind = KIND

    def options(self) -> Header:
        """Put key and limits into JSON's types."""
        return {"key": self.key.hex(), "limits": vars(self.limits)}

    def decode(self, header: Header, body: memoryview) -> bytes:
        """Give the clean file that a child wrote."""
        size = header["size_bytes"]
        if not isinstance(size, int) or not len(_BEGINNING) <= size <= len(body):
            raise ValueError("a file of an impossible size")
        if body[: len(_BEGINNING)] != _BEGINNING:
            raise ValueError("a file that does not begin as ours do")
        return bytes(body[:size])


def work(data: memoryview, options: Header, body: mmap.mmap) -> Header:
    """De-identify an object; the child's side of the job."""
    start = body.tell()
    pseudonyms, limits = Pseudonyms(bytes.fromhex(options["key"])), ReadLimits(**options["limits"])
    deidentify(data, _Room(body), pseudonyms, limits)
    return {"size_bytes": body.tell() - start}


WORKS: Works = {KIND: work}


def warm_up() -> Callable[[], None]:
    """Load what de-identifying loads at first use; give a rehearsal of it."""
    rehearsal.warm_up()
    sample, key, room = memoryview(rehearsal.sample_dicom()), bytes(range(32)), mmap.mmap(-1, 2**20)

    def rehearse() -> None:
        room.seek(0)
        work(sample, Deidentify(key, ReadLimits()).options(), room)

    return rehearse


class _Room:
    """Shared memory that says when it is full."""

    def __init__(self, body: mmap.mmap) -> None:
        self._body = body

    def write(self, data: bytes) -> int:
        if len(data) > len(self._body) - self._body.tell():
            raise LimitExceededError(
                Reason.LIMIT_BYTES,
                found="an object that is too large once it is de-identified",
                expected=f"at most {len(self._body)} bytes, stored without loss",
                advice="Send a shorter cine.",
            )
        return self._body.write(data)
