"""Encodes frames without loss, in the transfer syntax that they came in where there is a lossless one of that kind."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from imagecodecs import htj2k_encode, jpeg2k_encode, jpeg8_encode, jpegls_encode, packbits_encode
from pydicom import uid

from services.cine.dicom.colour import Samples

Encoder = Callable[[Samples, int], bytes]
"""Takes a frame, [H, W] or [H, W, 3], and how many bits of each sample count."""

FALLBACK = uid.JPEGLSLossless
"""What was lossy becomes this: half as large as run lengths would be, and as fast."""

_RLE_SEGMENTS = 15  # PS3.5 G.5: a count and so many offsets
_SPIFF, _END_OF_SPIFF = b"\xff\xe8\x00\x20SPIFF\0", b"\xff\xe8\x00\x08\x00\x00\x00\x01\xff\xd8"  # ITU-T T.84 annex F
_SOI = b"\xff\xd8"


def encode_rle(frame: Samples, bits: int) -> bytes:
    """Encode as DICOM's run lengths (PS3.5 annex G): byte planes, the most significant first, row by row."""
    planes = np.atleast_3d(frame).transpose(2, 0, 1)  # [H, W, C] -> [C, H, W]
    width = frame.itemsize
    big = np.ascontiguousarray(planes, planes.dtype.newbyteorder(">")).view(np.uint8)
    lines = big.reshape(*planes.shape, width)  # [C, H, W, bytes]
    segments = [
        bytes(packbits_encode(np.ascontiguousarray(plane[..., byte]), axis=-1))
        for plane in lines
        for byte in range(width)
    ]
    segments = [segment + bytes(len(segment) % 2) for segment in segments]
    offsets = 4 * (_RLE_SEGMENTS + 1) + np.cumsum([0, *map(len, segments)])[:-1]
    header = [len(segments), *offsets.tolist(), *[0] * (_RLE_SEGMENTS - len(segments))]
    return struct.pack(f"<{_RLE_SEGMENTS + 1}I", *header) + b"".join(segments)


def encode_jpeg_ls(frame: Samples, bits: int) -> bytes:
    """Encode as JPEG-LS (ITU-T T.87), without the SPIFF header that CharLS puts before it (PS3.5 section 8.2.3)."""
    most_bytes = 2 * frame.nbytes + 1024  # noise grows, and CharLS's own guess is too small
    data = bytes(jpegls_encode(np.ascontiguousarray(frame), out=most_bytes))
    end = data.find(_END_OF_SPIFF)
    return _SOI + data[end + len(_END_OF_SPIFF) :] if data.startswith(_SOI + _SPIFF) and end > 0 else data


def encode_jpeg_lossless(frame: Samples, bits: int) -> bytes:
    """Encode as lossless JPEG with the first predictor (ITU-T T.81 annex H), colours left as they are."""
    colour = "RGB" if frame.ndim == 3 else None  # whatever they are: the same before and after leaves them alone
    return bytes(
        jpeg8_encode(
            np.ascontiguousarray(frame),
            lossless=True,
            predictor=1,
            bitspersample=bits if frame.itemsize == 2 else 8,
            colorspace=colour,
            outcolorspace=colour,
        )
    )


def encode_jpeg_2000(frame: Samples, bits: int) -> bytes:
    """Encode as reversible JPEG 2000 (ITU-T T.800), without boxes and without a transform of colours."""
    return bytes(
        jpeg2k_encode(
            np.ascontiguousarray(frame),
            level=0,
            reversible=True,
            codecformat="j2k",
            mct=False,
            bitspersample=bits if frame.itemsize == 2 else 8,
            numthreads=1,
        )
    )


def encode_htj2k(frame: Samples, bits: int) -> bytes:
    """Encode as reversible High-Throughput JPEG 2000 (ITU-T T.814), in the order RPCL, colours left as they are."""
    return bytes(htj2k_encode(np.ascontiguousarray(frame), reversible=True, rgb=False))


ENCODERS: dict[str, Encoder] = {
    uid.RLELossless: encode_rle,
    uid.JPEGLossless: encode_jpeg_lossless,
    uid.JPEGLosslessSV1: encode_jpeg_lossless,
    uid.JPEGLSLossless: encode_jpeg_ls,
    uid.JPEG2000Lossless: encode_jpeg_2000,
    uid.HTJ2KLossless: encode_htj2k,
    uid.HTJ2KLosslessRPCL: encode_htj2k,
}
"""How each lossless syntax encodes a frame."""
