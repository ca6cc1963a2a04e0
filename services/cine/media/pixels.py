"""One frame of FFmpeg's, in whatever pixel format, to grey and to RGB."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from services.cine.cine import UInt8Array

_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_PACKED_LUMA = {"yuyv422": 0, "yvyu422": 0, "uyvy422": 1}  # where the first luma byte of a pair of pixels stands
_OPAQUE = 255
_TRANSPARENT = ("rgba", "bgra", "ya", "pal8")


class FramePainter:
    """Turns frames into arrays; holds the conversion tables from frame to frame.

    Args:
        is_transparent: whether the alpha channel means something. It does in GIF and PNG, where what is transparent
            becomes black as on a scanner's screen; the fourth byte of 32-bit AVI is only padding.
    """

    def __init__(self, is_transparent: bool) -> None:
        self._is_transparent = is_transparent
        self._converter = VideoReformatter()

    def paint(self, frame: VideoFrame, wants_colour: bool) -> tuple[UInt8Array, UInt8Array | None]:
        """Give luma in full range, [H, W], and RGB, [H, W, 3], where it is wanted or had to be made anyway."""
        grey = None if self._is_seen_through(frame) else _luma(frame)
        if grey is not None and not wants_colour:
            return grey, None
        colour = self.colour(frame)
        if grey is None:
            grey = np.asarray(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), np.uint8)
        return grey, colour

    def colour(self, frame: VideoFrame) -> UInt8Array:
        """Give RGB, [H, W, 3]."""
        wanted = "rgba" if self._is_seen_through(frame) else "rgb24"
        converted = self._converter.reformat(frame, format=wanted, threads=1)  # the sandbox allows no thread
        pixels = np.asarray(converted.to_ndarray(), np.uint8)
        if wanted == "rgb24":
            return pixels
        colour, opacity = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), cv2.extractChannel(pixels, 3)
        if opacity.min() < _OPAQUE:
            colour = cv2.multiply(colour, cv2.merge([opacity] * 3), scale=1 / _OPAQUE)
        return np.asarray(colour, np.uint8)

    def _is_seen_through(self, frame: VideoFrame) -> bool:
        return self._is_transparent and frame.format.name.startswith(_TRANSPARENT)


def _luma(frame: VideoFrame) -> UInt8Array | None:
    """Give the luma of a frame in full range, [H, W], or None where the format has none of its own."""
    name, bits = frame.format.name, frame.format.components[0].bits
    is_packed = name in _PACKED_LUMA
    if not is_packed and not (name.startswith(("yuv", "nv12", "gray")) and 8 <= bits <= 16):
        return None
    plane = frame.planes[0]
    samples = np.frombuffer(memoryview(plane), f"{'>' if name.endswith('be') else '<'}u{1 if bits == 8 else 2}")
    lines = samples.reshape(plane.height, -1)  # [H, at least W]
    luma = lines[:, _PACKED_LUMA[name] :: 2] if is_packed else lines
    luma = luma[:, : frame.width]
    is_full = name.startswith(("yuvj", "gray")) or frame.color_range == _FULL_RANGE
    if bits == 8:
        return luma.copy() if is_full else np.asarray(cv2.LUT(luma, _table(8, False)), np.uint8)
    return _table(bits, is_full).take(luma, mode="clip")  # damage may decode to more than the format holds


@lru_cache
def _table(bits: int, is_full: bool) -> UInt8Array:
    """Tabulate luma codes to grey levels: the whole range, or that of ITU-R BT.601 and BT.709, [2**bits]."""
    codes = np.arange(2**bits, dtype=np.float64)
    black, span = (0, 2**bits - 1) if is_full else (16 << (bits - 8), 219 << (bits - 8))
    return np.clip((codes - black) * (255 / span) + 0.5, 0, 255).astype(np.uint8)
