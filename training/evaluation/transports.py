"""Packs a simulated cine as the ways do on which cines reach the service, with the losses of each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import OutputContainer

from services.cine.cine import UInt8Array
from training.simulator.cine import SimulatedCine
from training.simulator.sets.writers import frame_step_ms, write_dicom

MJPEG_QUALITIES = range(70, 91)
H264_RATE_FACTORS = range(23, 31)
"""What exports and messengers use: smaller shows blocks, larger saves no space."""


class Transport(StrEnum):
    """How a cine gets to the service."""

    RAW = "raw DICOM"
    JPEG = "JPEG DICOM"
    NAMED = "JPEG DICOM that names the tissue region"
    MJPEG = "Motion JPEG AVI, quality 70-90"
    H264 = "H.264 MP4, crf 23-30"


def draw_quality(transport: Transport, rng: np.random.Generator) -> int:
    """Draw how much is lost: a JPEG quality, or x264's rate factor for H.264."""
    return int(rng.choice(H264_RATE_FACTORS if transport is Transport.H264 else MJPEG_QUALITIES))


def pack(cine: SimulatedCine, transport: Transport, quality: int) -> bytes:
    """Give the bytes of the file that a transport makes of a cine; `quality` counts for MJPEG and H264 only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("cine.mp4" if transport is Transport.H264 else "cine.avi")  # FFmpeg goes by the name
        _PACKERS[transport](cine, path, quality)
        return path.read_bytes()


def _pack_mjpeg(cine: SimulatedCine, path: Path, quality: int) -> None:
    """Put frames that libjpeg coded into AVI as they are: FFmpeg and OpenCV count quality otherwise."""
    with av.open(str(path), "w") as output:
        stream = _add_stream(output, "mjpeg", "yuvj420p", cine, {})
        for index, frame in enumerate(_as_rgb(cine.frames)):
            coded = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            packet = av.Packet(coded.tobytes())
            packet.stream, packet.time_base = stream, stream.codec_context.time_base
            packet.pts = packet.dts = index
            output.mux(packet)


def _pack_h264(cine: SimulatedCine, path: Path, rate_factor: int) -> None:
    with av.open(str(path), "w") as output:
        stream = _add_stream(output, "libx264", "yuv420p", cine, {"crf": str(rate_factor), "preset": "veryfast"})
        stream.thread_count = 1
        for frame in _as_rgb(cine.frames):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        output.mux(stream.encode())


def _add_stream(
    output: OutputContainer, codec: str, pixel_format: str, cine: SimulatedCine, options: dict[str, str]
) -> Any:
    rate = Fraction(1000 / frame_step_ms(cine)).limit_denominator(1000)
    stream: Any = output.add_stream(codec, rate=rate, options=options)
    stream.height, stream.width, stream.pix_fmt = *cine.frames.shape[1:3], pixel_format
    stream.codec_context.time_base = 1 / rate
    return stream


_PACKERS: dict[Transport, Callable[[SimulatedCine, Path, int], None]] = {
    Transport.RAW: lambda cine, path, _: write_dicom(cine, path, "raw"),
    Transport.JPEG: lambda cine, path, _: write_dicom(cine, path, "jpeg"),
    Transport.NAMED: lambda cine, path, _: write_dicom(cine, path, "jpeg"),
    Transport.MJPEG: _pack_mjpeg,
    Transport.H264: _pack_h264,
}


def _as_rgb(frames: UInt8Array) -> UInt8Array:
    return np.broadcast_to(frames, (*frames.shape[:3], 3))
