"""NIfTI-1 and NIfTI-2 in one file (.nii, .nii.gz) from memory, inflated no further than the header accounts for."""

from __future__ import annotations

import gzip
import io
import zlib
from math import isfinite, prod

import numpy as np
from numpy.typing import NDArray

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, CineFormat
from services.cine.errors import Reason
from services.cine.media.volumes import Volume, as_cine, unreadable, unsupported

HEADER_BYTES = 540
"""The longer of the two headers, NIfTI-2; NIfTI-1 has 348."""

MAX_OFFSET_BYTES = 2**20
"""Where the samples begin at the latest: between them and the header stand extensions, which are not read."""

_GZIP, _GZIP_WINDOW = b"\x1f\x8b", 31
_GZIP_HEAD_BYTES = 4_096
"""Of the file, to see whether a NIfTI header inflates from it: a stored name may come first."""

_TYPES = {
    code: np.dtype(name)
    for code, name in {
        2: "u1",
        4: "i2",
        8: "i4",
        16: "f4",
        64: "f8",
        128: "(3,)u1",
        256: "i1",
        512: "u2",
        768: "u4",
        1024: "i8",
        1280: "u8",
        2304: "(4,)u1",
    }.items()
}
"""By `datatype` (nifti1.h); complex and 128-bit samples are no pictures."""

_MM = {1: 1_000.0, 2: 1.0, 3: 0.001}  # of metre, mm, um: the lower three bits of xyzt_units
_MS = {8: 1_000.0, 16: 1.0, 24: 0.001}  # of second, ms, us: the next three
_TIME_AXIS = 4  # of `dim`: x, y, z, t
_VECTOR, _VECTOR_AXIS = 1007, 5  # NIFTI_INTENT_VECTOR: ITK stores RGB so, one channel after another


_FIELDS = ["dim", "intent", "datatype", "pixdim", "offset", "scaling", "units", "magic"]
_LAYOUTS = {
    348: np.dtype(
        {
            "names": _FIELDS,
            "formats": ["8i2", "i2", "i2", "8f4", "f4", "2f4", "u1", "S4"],
            "offsets": [40, 68, 70, 76, 108, 112, 123, 344],
            "itemsize": HEADER_BYTES,
        }
    ),
    540: np.dtype(
        {
            "names": _FIELDS,
            "formats": ["8i8", "i4", "i2", "8f8", "i8", "2f8", "i4", "S8"],
            "offsets": [16, 504, 12, 104, 168, 176, 500, 4],
            "itemsize": HEADER_BYTES,
        }
    ),
}
"""Where the headers keep what is read of them, by `sizeof_hdr`: nifti1.h and nifti2.h. The rest may name a person."""

_MAGIC = (b"n+1", b"n+2\0\r\n\x1a\n")


def is_nifti(data: bytes | memoryview) -> bool:
    """Tell the format by the size and magic of its header, and a compressed one by what it inflates to."""
    return _header(data) is not None


def read_nifti(data: bytes | memoryview, limits: ReadLimits) -> Cine:
    """Open a NIfTI file: 2-D, or 3-D or 4-D with one axis beside x and y that is longer than 1; that one is time.

    Samples run x, y, z, t, the fastest first, so they are [T, H, W] as they lie; nibabel shows the same array as
    [W, H, T]. The second release of CAMUS stores its sequences so, with a third spacing of 1 that means nothing: a
    third axis is a time only where its unit is a millisecond or smaller, since ITK writes "seconds" beside anything.

    Args:
        data: the whole file.
        limits: checked before anything but the header is inflated.

    Raises:
        CineUnreadableError: the header is damaged, or the samples are.
        CineUnsupportedError: another kind of samples, or a volume that moves.
        LimitExceededError: over a limit.
    """
    header = _header(data)
    if header is None or not 348 <= header["offset"] <= MAX_OFFSET_BYTES:
        raise unreadable(Reason.HEADER_DAMAGED, "a damaged NIfTI header", "the header of a single file")
    is_vector = _is_rgb_vector(header)
    axis, count, rows, columns = _extents(header["dim"], _TIME_AXIS if is_vector else 7)
    limits.check_shape(count, rows, columns)
    if int(header["datatype"]) not in _TYPES:
        raise unsupported("NIfTI samples that are neither real numbers nor 8-bit RGB")
    kind = _TYPES[int(header["datatype"])]
    shape = (3, count, rows, columns) if is_vector else (count, rows, columns, *kind.shape)
    end = int(header["offset"]) + prod(shape) * kind.base.itemsize
    body = _inflate(data, end, limits) if _is_gzip(data) else data
    if len(body) < end:
        raise unreadable(Reason.PIXELS_DAMAGED, "a NIfTI file that is cut short", "as many samples as `dim` says")
    dtype = kind.base if header.dtype.isnative else kind.base.newbyteorder()
    samples = np.frombuffer(body, dtype, prod(shape), int(header["offset"])).reshape(shape)
    if is_vector:
        samples = samples.transpose(1, 2, 3, 0)  # [C, T, H, W] -> [T, H, W, C]
    slope, intercept = header["scaling"].tolist()
    is_scaled = isfinite(slope + intercept) and slope != 0  # nifti1.h: a slope of 0 says that there is none
    volume = Volume(
        samples=samples[..., :3] if kind.shape else samples,
        slope=slope if is_scaled else 1.0,
        intercept=intercept if is_scaled else 0.0,
        spacing_mm=_spacing_mm(header),
        step_ms=_step_ms(header, axis),
    )
    return as_cine(volume, CineFormat.NIFTI)


def _is_rgb_vector(header: np.void) -> bool:
    is_vector = header["intent"] == _VECTOR and header["dim"][0] == _VECTOR_AXIS
    return bool(is_vector and header["dim"][_VECTOR_AXIS] == 3 and header["datatype"] == 2)


def _extents(dim: NDArray[np.int64], most_axes: int) -> tuple[int, int, int, int]:
    """Give the axis of `dim` that is time, and frames, rows and columns; axes beyond `most_axes` are not looked at."""
    rank, *sizes = dim.tolist()
    if not 2 <= rank <= 7 or min(sizes[:rank]) < 1:
        raise unreadable(Reason.HEADER_DAMAGED, "a NIfTI header without a usable size", "two to seven axes")
    axes = [axis for axis in range(3, min(rank, most_axes) + 1) if dim[axis] > 1] or [3]
    if len(axes) > 1:
        raise unsupported("a NIfTI volume that moves")
    return axes[0], sizes[axes[0] - 1] if rank > 2 else 1, sizes[1], sizes[0]


def _spacing_mm(header: np.void) -> tuple[float, float] | None:
    """Give the spacing of rows and columns; x comes first in the header."""
    unit_mm = _MM.get(int(header["units"]) & 0o7, 0.0)
    column, row = (abs(float(step)) * unit_mm for step in header["pixdim"][1:3])
    return (row, column) if min(row, column) > 0 and isfinite(row + column) else None


def _step_ms(header: np.void, axis: int) -> float | None:
    unit_ms = _MS.get(int(header["units"]) & 0o70)
    is_time = unit_ms is not None and (axis == _TIME_AXIS or unit_ms <= 1)
    return float(header["pixdim"][axis]) * unit_ms if is_time and unit_ms is not None else None


def _header(data: bytes | memoryview) -> np.void | None:
    """Read the header in whichever byte order makes its size one of the two; None where it is none of a single file."""
    head = _head(data)
    little, big = (_LAYOUTS.get(int.from_bytes(head[:4], order)) for order in ("little", "big"))
    layout = big if little is None else little
    if layout is None:
        return None
    header: np.void = np.frombuffer(head, layout.newbyteorder("<" if little else ">"))[0]
    return header if header["magic"] in _MAGIC else None


def _is_gzip(data: bytes | memoryview) -> bool:
    return bytes(data[:2]) == _GZIP


def _head(data: bytes | memoryview) -> bytes:
    """Give the header, inflated where the file is, filled up with zeros."""
    head = bytes(data[:HEADER_BYTES])
    if _is_gzip(data):
        try:
            head = zlib.decompressobj(_GZIP_WINDOW).decompress(data[:_GZIP_HEAD_BYTES], HEADER_BYTES)
        except zlib.error:
            head = b""
    return head.ljust(HEADER_BYTES, b"\0")


def _inflate(data: bytes | memoryview, wanted_bytes: int, limits: ReadLimits) -> bytes:
    """Inflate what the header accounts for and one byte more: so the checksum is compared where that is all."""
    limits.check_inflated(wanted_bytes, len(data))
    try:
        return gzip.GzipFile(fileobj=io.BytesIO(data)).read(wanted_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(Reason.PIXELS_DAMAGED, "a damaged NIfTI file", "a sound gzip stream") from error
