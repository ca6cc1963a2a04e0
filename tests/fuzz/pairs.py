"""No pixel of one cine appears in another: a good cine, then a truncated one, through the same sandbox.

`python -m tests.fuzz.pairs --pairs 2000` does so for every codec. What the sandbox answers to the truncated cine must
be, bit for bit, what one answers that has never seen a good cine.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from pydicom import uid

from services.cine.cine import UInt8Array
from services.cine.errors import InputError
from services.cine.intake import Intake, IntakeOptions
from services.runtime.sandbox import Sandbox
from tests.builders import (
    as_rgb,
    avi_bytes,
    dicom_bytes,
    fan_frames,
    gif_bytes,
    jpeg_bytes,
    metaimage_bytes,
    mp4_bytes,
    nifti_bytes,
    png_bytes,
    video_bytes,
    webm_bytes,
)
from tests.fuzz.seeds import QUIET, _rle

DISTINCT = 250
"""Truncated cines a codec; more pairs than that take them again, each time after another good cine."""

_OPTIONS = IntakeOptions()
_SHAPE = (9, 48, 64)
_EQUAL_ARRAYS = ("outline_px", "frame_indices", "frame_times_ms", "model_input")

Cut = Callable[[bytes], bytes]
Build = Callable[[UInt8Array, Cut], bytes]
"""Writes frames [T, H, W], with every codestream in the file cut."""

Answer = Intake | tuple[str, str]


def _file(build: Callable[[UInt8Array], bytes]) -> Build:
    return lambda frames, cut: cut(build(frames))


def _frames(syntax: str, encode: Callable[[UInt8Array], bytes]) -> Build:
    return lambda frames, cut: dicom_bytes(frames, syntax, fragments=[cut(encode(frame)) for frame in frames])


def _stream(syntax: str, codec: str, container: str) -> Build:
    return lambda frames, cut: dicom_bytes(
        frames, syntax, fragments=[cut(video_bytes(frames, container, codec, "yuv420p", **QUIET))]
    )


CODECS: dict[str, Build] = {
    "raw DICOM": _file(dicom_bytes),
    "deflated DICOM": _file(lambda frames: dicom_bytes(frames, uid.DeflatedExplicitVRLittleEndian)),
    "RLE DICOM": _frames(uid.RLELossless, _rle),
    "JPEG DICOM": _frames(uid.JPEGBaseline8Bit, jpeg_bytes),
    "lossless JPEG DICOM": _frames(uid.JPEGLosslessSV1, lambda f: imagecodecs.jpeg8_encode(f, lossless=True)),
    "JPEG-LS DICOM": _frames(uid.JPEGLSLossless, imagecodecs.jpegls_encode),
    "JPEG 2000 DICOM": _frames(
        uid.JPEG2000Lossless, lambda f: imagecodecs.jpeg2k_encode(f, codecformat="j2k", reversible=True)
    ),
    "MPEG-2 DICOM": _stream(uid.MPEG2MPML, "mpeg2video", "mpegts"),
    "H.264 DICOM": _stream(uid.MPEG4HP41, "libx264", "h264"),
    "HEVC DICOM": _stream(uid.HEVCMP51, "libx265", "hevc"),
    "AVI": _file(avi_bytes),
    "raw AVI": _file(lambda frames: avi_bytes(frames, "rawvideo", "gray")),
    "H.264 MP4": _file(mp4_bytes),
    "MPEG-4 MP4": _file(lambda frames: mp4_bytes(frames, "mpeg4")),
    "HEVC MP4": _file(lambda frames: video_bytes(frames, "mp4", "libx265", "yuv420p", **QUIET)),
    "MJPEG MOV": _file(lambda frames: video_bytes(frames, "mov", "mjpeg", "yuvj420p", is_full_range=True)),
    "VP8 WebM": _file(webm_bytes),
    "VP9 WebM": _file(lambda frames: webm_bytes(frames, "libvpx-vp9")),
    "GIF": _file(gif_bytes),
    "PNG": _file(lambda frames: png_bytes(as_rgb(frames)[0])),
    "JPEG": _file(lambda frames: jpeg_bytes(as_rgb(frames)[0])),
    "MetaImage": _file(metaimage_bytes),
    "compressed MetaImage": _file(lambda frames: metaimage_bytes(frames, is_compressed=True)),
    "NIfTI": _file(nifti_bytes),
    "gzipped NIfTI": _file(lambda frames: gzip.compress(nifti_bytes(frames), mtime=0)),
}


@dataclass
class Tally:
    """What came of the pairs of one codec.

    Attributes:
        pairs: how many.
        shown: truncated cines of which a model would see something all the same: they could show another's.
        different: answers that were not what an untouched sandbox says.
    """

    pairs: int = 0
    shown: int = 0
    different: int = 0


def good_cines(build: Build) -> list[bytes]:
    """Write speckle of its own, no two alike."""
    return [build(fan_frames(*_SHAPE, seed=seed, beats=2.0), lambda data: data) for seed in range(100, 104)]


def truncated_cines(build: Build, count: int) -> Iterator[bytes]:
    """Write other speckle, cut: the file, or every codestream in it, with zeros or nothing where the rest was."""
    rng = np.random.default_rng(0)
    for number in range(count):
        share, keeps_size = rng.uniform(0.02, 0.99), bool(number & 1)

        def cut(data: bytes, share: float = share, keeps_size: bool = keeps_size) -> bytes:
            size = int(len(data) * share)
            return data[:size] + bytes((len(data) - size) if keeps_size else size % 2)

        frames = fan_frames(*_SHAPE, seed=number % 7)
        yield build(frames, cut) if number & 2 else cut(build(frames, lambda data: data))


def try_pairs(build: Build, pairs: int, sandbox: Sandbox, untouched: Sandbox) -> Tally:
    """Send pairs of a good and a truncated cine to `sandbox` and compare with `untouched`.

    Raises:
        ValueError: nothing of a good cine is shown.
    """
    tally, good = Tally(), good_cines(build)
    truncated = list(truncated_cines(build, min(pairs, DISTINCT)))
    expected = [_answer(untouched, data) for data in truncated]
    for number in range(pairs):
        if not _is_shown(_answer(sandbox, good[number % len(good)])):
            raise ValueError("a good cine is not shown to the model")
        which = number % len(truncated)
        found = _answer(sandbox, truncated[which])
        tally.pairs += 1
        tally.shown += _is_shown(found)
        tally.different += not _is_same(found, expected[which])
    return tally


def _answer(sandbox: Sandbox, data: bytes) -> Answer:
    try:
        return sandbox.take_in(data, _OPTIONS)
    except InputError as error:
        return error.reason, str(error)


def _is_shown(answer: Answer) -> bool:
    return isinstance(answer, Intake) and len(answer.model_input) > 0


def _is_same(one: Answer, other: Answer) -> bool:
    if not isinstance(one, Intake) or not isinstance(other, Intake):
        return one == other
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in _EQUAL_ARRAYS)
    return arrays and (one.cine, one.findings) == (other.cine, other.findings)


def main() -> int:
    """Try the pairs of every codec; 0 where none shows anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2_000, help="for each codec")
    parser.add_argument("--codec", choices=CODECS, action="append", help="only this one; may be repeated")
    asked = parser.parse_args()
    is_clean = True
    with Sandbox() as sandbox, Sandbox() as untouched:
        for name in asked.codec or CODECS:
            start = time.monotonic()
            tally = try_pairs(CODECS[name], asked.pairs, sandbox, untouched)
            is_clean &= tally.different == 0
            spent_s = time.monotonic() - start
            told = f"{tally.pairs} pairs, {tally.shown} truncated ones shown, {tally.different} different"
            print(f"{name:22s} {told}, {spent_s:.0f} s", flush=True)
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
