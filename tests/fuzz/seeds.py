"""One small sound file for each container and codec that a site may send: what the mutator damages."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from enum import Enum
from functools import cache

import imagecodecs
import nibabel as nib
import numpy as np
from pydicom import uid
from pydicom.pixels.encoders import RLELosslessEncoder

from services.cine.cine import UInt8Array
from tests.builders import (
    as_rgb,
    avi_bytes,
    dicom_bytes,
    fan_frames,
    gif_bytes,
    jpeg_bytes,
    mp4_bytes,
    png_bytes,
    region_item,
    video_bytes,
)

FRAMES = fan_frames(12, 48, 64)
"""Few and small: a case costs what its damage costs."""

RGB = as_rgb(FRAMES, (1.0, 0.9, 0.8))
QUIET = {"x265-params": "log-level=none"}
"""x265 talks to standard error."""


class Grammar(Enum):
    """How the bytes of a seed are divided into parts."""

    DICOM = "DICOM"
    RIFF = "RIFF"
    BOXES = "BOXES"
    EBML = "EBML"
    GIF = "GIF"
    PNG = "PNG"
    JPEG = "JPEG"
    LINES = "LINES"
    NIFTI = "NIFTI"
    GZIPPED_NIFTI = "GZIPPED_NIFTI"


def _dicom(samples: UInt8Array, syntax: str, fragments: list[bytes] | None = None, **attributes: object) -> bytes:
    colour = "RGB" if samples.ndim == 4 else "MONOCHROME2"
    regions = [region_item(0, 0, 60, 40), region_item(2, 2, 10, 10)]
    given = {"photometric": colour, "SequenceOfUltrasoundRegions": regions, "StudyDescription": "echo"} | attributes
    return dicom_bytes(samples, syntax, fragments=fragments, **given)


def _encoded(samples: UInt8Array, syntax: str, encode: Callable[..., bytes], **options: object) -> bytes:
    return _dicom(samples, syntax, [encode(np.ascontiguousarray(frame), **options) for frame in samples])


def _rle(frame: UInt8Array) -> bytes:
    about = {"rows": frame.shape[0], "columns": frame.shape[1], "samples_per_pixel": 1 if frame.ndim == 2 else 3}
    kind = {"photometric_interpretation": "MONOCHROME2" if frame.ndim == 2 else "RGB", "number_of_frames": 1}
    depth = {"bits_allocated": 8, "bits_stored": 8, "pixel_representation": 0, "pixel_keyword": "PixelData"}
    planes = {"planar_configuration": 0, "transfer_syntax_uid": uid.RLELossless}
    runner = {"encoding_plugin": "pydicom", "index": 0}
    return bytes(RLELosslessEncoder.encode(frame.tobytes(), **runner, **about, **kind, **depth, **planes))


def _stream(codec: str, container: str, syntax: str) -> bytes:
    return _dicom(FRAMES, syntax, [video_bytes(FRAMES, container, codec, "yuv420p", **QUIET)])


def _webm(codec: str) -> bytes:
    """Write WebM without the random number that its writer gives the track."""
    data = video_bytes(FRAMES, "webm", codec, "yuv420p")
    at = data.index(b"\x73\xc5\x88") + 3  # TrackUID, 8 bytes
    return data.replace(data[at : at + 8], bytes(range(1, 9)))


def meta_image(fields: dict[str, str], pixels: bytes) -> bytes:
    """Write MetaImage: lines of text, then the pixels."""
    lines = {"ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False"}
    lines |= {"DimSize": "64 48 12", "ElementSpacing": "0.5 0.5 1", "ElementType": "MET_UCHAR"} | fields
    return (
        "".join(f"{key} = {value}\n" for key, value in (lines | {"ElementDataFile": "LOCAL"}).items()).encode() + pixels
    )


def _mha_zlib() -> bytes:
    packed = zlib.compress(FRAMES.tobytes())
    return meta_image({"CompressedData": "True", "CompressedDataSize": str(len(packed))}, packed)


def nifti(version: type = nib.Nifti1Image) -> bytes:
    """Write NIfTI with the frames along the third axis."""
    image = version(FRAMES.transpose(2, 1, 0), np.diag([0.5, 0.5, 40.0, 1.0]))  # [T, H, W] -> [W, H, T]
    return bytes(image.to_bytes())


_BUILDERS: dict[str, tuple[Grammar, Callable[[], bytes]]] = {
    "raw DICOM": (
        Grammar.DICOM,
        lambda: dicom_bytes(
            RGB, photometric="RGB", planar=1, SequenceOfUltrasoundRegions=[region_item(0, 0, 60, 40)], CineRate=25
        ),
    ),
    "implicit DICOM": (Grammar.DICOM, lambda: _dicom(FRAMES, uid.ImplicitVRLittleEndian)),
    "big endian DICOM": (Grammar.DICOM, lambda: _dicom(FRAMES, uid.ExplicitVRBigEndian)),
    "deflated DICOM": (Grammar.DICOM, lambda: _dicom(FRAMES, uid.DeflatedExplicitVRLittleEndian)),
    "palette DICOM": (
        Grammar.DICOM,
        lambda: dicom_bytes(
            FRAMES,
            photometric="PALETTE COLOR",
            **{
                f"{colour}PaletteColorLookupTable{part}": value
                for colour in ("Red", "Green", "Blue")
                for part, value in (("Descriptor", [256, 0, 8]), ("Data", bytes(range(256))))
            },
        ),
    ),
    "RLE DICOM": (Grammar.DICOM, lambda: _encoded(RGB, uid.RLELossless, _rle)),
    "JPEG DICOM": (
        Grammar.DICOM,
        lambda: dicom_bytes(
            FRAMES, "jpeg", FrameTime=None, FrameTimeVector=[0, 40, 44, 41, 39, 40, 40, 36, 40, 40, 40, 40]
        ),
    ),
    "colour JPEG DICOM": (Grammar.DICOM, lambda: dicom_bytes(RGB, "jpeg", photometric="YBR_FULL_422")),
    "lossless JPEG DICOM": (Grammar.DICOM, lambda: _encoded(FRAMES, uid.JPEGLosslessSV1, imagecodecs.ljpeg_encode)),
    "JPEG-LS DICOM": (Grammar.DICOM, lambda: _encoded(FRAMES, uid.JPEGLSLossless, imagecodecs.jpegls_encode)),
    "JPEG 2000 DICOM": (
        Grammar.DICOM,
        lambda: _encoded(FRAMES, uid.JPEG2000Lossless, imagecodecs.jpeg2k_encode, codecformat="j2k", reversible=True),
    ),
    "MPEG-2 DICOM": (Grammar.DICOM, lambda: _stream("mpeg2video", "mpegts", uid.MPEG2MPML)),
    "H.264 DICOM": (Grammar.DICOM, lambda: _stream("libx264", "h264", uid.MPEG4HP41)),
    "HEVC DICOM": (Grammar.DICOM, lambda: _stream("libx265", "hevc", uid.HEVCMP51)),
    "AVI": (Grammar.RIFF, lambda: avi_bytes(FRAMES)),
    "raw AVI": (Grammar.RIFF, lambda: avi_bytes(FRAMES, "rawvideo", "gray")),
    "MP4": (Grammar.BOXES, lambda: mp4_bytes(FRAMES)),
    "HEVC MP4": (Grammar.BOXES, lambda: video_bytes(FRAMES, "mp4", "libx265", "yuv420p", **QUIET)),
    "MOV": (Grammar.BOXES, lambda: video_bytes(FRAMES, "mov", "mjpeg", "yuvj420p", is_full_range=True)),
    "WebM VP8": (Grammar.EBML, lambda: _webm("libvpx")),
    "WebM VP9": (Grammar.EBML, lambda: _webm("libvpx-vp9")),
    "GIF": (Grammar.GIF, lambda: gif_bytes(FRAMES)),
    "PNG": (Grammar.PNG, lambda: png_bytes(RGB[0])),
    "JPEG": (Grammar.JPEG, lambda: jpeg_bytes(RGB[0])),
    "MetaImage": (Grammar.LINES, lambda: meta_image({}, FRAMES.tobytes())),
    "compressed MetaImage": (Grammar.LINES, _mha_zlib),
    "NIfTI-1": (Grammar.NIFTI, nifti),
    "NIfTI-2": (Grammar.NIFTI, lambda: nifti(nib.Nifti2Image)),
    "gzipped NIfTI": (Grammar.GZIPPED_NIFTI, lambda: gzip.compress(nifti(), mtime=0)),
}

NAMES = tuple(_BUILDERS)


def grammar_of(name: str) -> Grammar:
    """Say how a seed is divided."""
    return _BUILDERS[name][0]


@cache
def seed_bytes(name: str) -> bytes:
    """Make a seed, the same each time."""
    return _BUILDERS[name][1]()
