"""Decoders of one compressed frame; each is held to the size its header names before it may ask for memory.

Baseline JPEG stays with OpenCV, which decodes it smaller for less work. The rest is imagecodecs' (BSD; libjpeg-turbo,
CharLS, OpenJPEG, OpenJPH inside), and FFmpeg's JPEG 2000 where few of its resolution levels are needed.
"""

from __future__ import annotations

from itertools import pairwise

import av
import cv2
import numpy as np
from av.codec import CodecContext
from imagecodecs import JPEG8, jpeg2k_decode, jpeg8_decode, jpegls_decode, packbits_decode

from services.cine.budget import out_of_memory
from services.cine.cine import UInt8Array
from services.cine.codestreams import Codec, CodestreamHeader
from services.cine.dicom.colour import Samples
from services.cine.errors import InputError

# Without this marker a JPEG decoder takes three components for YCbCr; transform 0 says RGB (Adobe TN 5116).
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"

_COLOUR_FLAGS = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_GREY_FLAGS = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}

_EOI = b"\xff\xd9"
_RLE_HEADER_BYTES = 64
_RLE_SLACK_BYTES = 128  # a segment is padded to an even length, and some writers' last run is longer than the plane
_FEWEST_REDUCTION = 4
"""JPEG 2000 gives its coarsest half of a reduction by leaving levels out: a level is a sharper picture than the mean of
a square, and lies half a pixel aside, so that the last factor of two is left to the mean."""


def decode_jpeg_colour(data: bytes | memoryview, is_ybr: bool, reduction: int) -> UInt8Array | None:
    """Decode a JPEG of 8 bits, one or three components, to RGB; None where it is damaged."""
    frame = _decode_opencv(data, is_ybr, _COLOUR_FLAGS[reduction])
    return frame if frame is None or reduction == 1 else np.ascontiguousarray(frame[..., ::-1])


def decode_jpeg_grey(data: bytes | memoryview, is_ybr: bool, reduction: int) -> UInt8Array | None:
    """Decode a JPEG of 8 bits, one or three components, to luma; None where it is damaged."""
    return _decode_opencv(data, is_ybr, _GREY_FLAGS[reduction])


def _decode_opencv(data: bytes | memoryview, is_ybr: bool, flags: int) -> UInt8Array | None:
    source = data if is_ybr else bytes(data[:2]) + _ADOBE_RGB + bytes(data[2:])
    try:
        frame = cv2.imdecode(np.frombuffer(source, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:  # it answers damage with None; what is left is an allocation
        raise out_of_memory() from error
    return None if frame is None else np.asarray(frame, np.uint8)


def decode_codestream(data: bytes | memoryview, header: CodestreamHeader, reduction: int) -> Samples | None:
    """Decode a JPEG, JPEG-LS or JPEG 2000 to the samples that were stored; None where it is damaged.

    Args:
        data: the codestream.
        header: what it says of itself.
        reduction: frames of JPEG 2000 may come smaller by up to half of it; all others come whole.
    """
    try:
        if header.codec is Codec.JPEG_2000 and reduction >= _FEWEST_REDUCTION:
            frame = _decode_levels(data, header, reduction)
            if frame is not None:
                return frame
        return _decode_whole(bytes(data), header)
    except MemoryError as error:
        raise out_of_memory() from error
    except InputError:
        raise
    except Exception:  # decoders raise almost anything on damage; this process holds one cine only
        return None


def _decode_whole(data: bytes, header: CodestreamHeader) -> Samples:
    if header.codec is Codec.JPEG_LS:
        decoded = jpegls_decode(data + _EOI)  # CharLS looks for it for seconds where it is missing
    elif header.codec in (Codec.JPEG_2000, Codec.HTJ2K):  # OpenJPH is twice as fast, and passes damage over in silence
        decoded = jpeg2k_decode(data, numthreads=1)
    else:
        three = JPEG8.CS.RGB  # whatever they are: the same before and after leaves them alone
        colour = three if header.components == 3 else None
        decoded = jpeg8_decode(data, colorspace=colour, outcolorspace=colour)
    return np.asarray(decoded.view(np.uint8 if decoded.itemsize == 1 else np.uint16))


def _decode_levels(data: bytes | memoryview, header: CodestreamHeader, reduction: int) -> UInt8Array | None:
    """Decode without the finest resolution levels (ITU-T T.800 B.5); None where there are none, or not of 8 bits."""
    skipped = reduction.bit_length() - 2
    if header.levels < skipped or header.precision_bits != 8:
        return None
    context = CodecContext.create("jpeg2000", "r")
    context.options = {"lowres": str(skipped)}
    context.thread_count = 1
    try:
        frames = context.decode(av.Packet(bytes(data)))
    except av.FFmpegError:
        return None
    wanted = "gray" if header.components == 1 else "rgb24"
    size = (-(-header.rows // 2**skipped), -(-header.columns // 2**skipped))
    if not frames or frames[0].format.name != wanted or (frames[0].height, frames[0].width) != size:
        return None
    return np.asarray(frames[0].to_ndarray(), np.uint8)


def decode_rle(data: bytes | memoryview, shape: tuple[int, int, int], width_bytes: int) -> Samples | None:
    """Decode DICOM's run lengths (PS3.5 annex G) to [H, W, C]; None where they are damaged.

    Segments are byte planes, the most significant first, sample after sample.
    """
    rows, columns, samples = shape
    count = samples * width_bytes
    if len(data) < _RLE_HEADER_BYTES:
        return None
    header = np.frombuffer(data, "<u4", 16)
    offsets = [*header[1 : 1 + count].tolist(), len(data)]
    is_ordered = all(a < b for a, b in pairwise(offsets))
    if header[0] != count or offsets[0] < _RLE_HEADER_BYTES or not is_ordered:
        return None
    planes = np.empty((samples, rows * columns, width_bytes), np.uint8)
    for number in range(count):
        plane = _run_lengths(data[offsets[number] : offsets[number + 1]], rows * columns)
        if plane is None:
            return None
        planes[number // width_bytes, :, number % width_bytes] = plane
    stored = planes.view(">u2" if width_bytes == 2 else np.uint8)
    return stored.reshape(samples, rows, columns).transpose(1, 2, 0)  # [C, H, W] -> [H, W, C]


def _run_lengths(segment: bytes | memoryview, size_bytes: int) -> UInt8Array | None:
    try:
        decoded = packbits_decode(bytes(segment), out=size_bytes + _RLE_SLACK_BYTES)
    except Exception:  # it names no error of its own
        return None
    return np.frombuffer(decoded, np.uint8, size_bytes) if len(decoded) >= size_bytes else None
