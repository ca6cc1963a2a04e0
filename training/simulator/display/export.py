"""What a site's export does to the sector: fewer pixels and back, soft lenses, tapes, coding, shades, tint."""

from collections.abc import Sequence

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, Float32Array, as_bytes, as_float32
from training.simulator.display.screen import Screen
from training.simulator.sources.recipes import Codec, Kernel
from training.simulator.styles import Export, StyleDraw

KERNELS = {
    Kernel.NEAREST: cv2.INTER_NEAREST,
    Kernel.LINEAR: cv2.INTER_LINEAR,
    Kernel.CUBIC: cv2.INTER_CUBIC,
    Kernel.AREA: cv2.INTER_AREA,
}
LEAST_LOSS = 0.95  # a picture that keeps this share of its pixels along an axis looks the same
LEAST_SIGMA_PX = 0.25  # a narrower blur or tremble does not show
LEAST_NOISE_GREY = 0.5
CODED_FROM_SCALE = 0.6  # pictures much smaller than their export do not show its blocks
SMALL_CLIP_PX = 260  # up to this height lines may have been left out
CODED = (Codec.JPEG, Codec.MJPEG, Codec.H264)
DEBLOCKED_SIGMA_PX = 0.6  # of H.264's in-loop filter, by eye
NOISE_ALONG_PX = 1.2  # a tape's noise is longer than high
DITHER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], dtype=np.float32) / 16 - 0.5


def conversion(style: StyleDraw, screen: Screen) -> int:
    """OpenCV's flag for scan conversion: a small clip made by leaving out pixels has its lines left out too."""
    is_sampled = style.export.kernel is Kernel.NEAREST and screen.height_px <= SMALL_CLIP_PX
    return cv2.INTER_NEAREST if is_sampled else cv2.INTER_LINEAR


def dress(grey: ByteArray, screen: Screen, style: StyleDraw, seed: Sequence[int], time_ms: float) -> ByteArray:
    """Give the sector [H, W] as the site's export shows it, black round it; the same for the same time."""
    export, scale, mask = style.export, screen.export_scale, screen.sector_mask
    picture = _resample(as_bytes(grey * mask), export, scale)
    if export.line_jitter_px * scale > LEAST_SIGMA_PX or export.noise_grey * scale > LEAST_NOISE_GREY:
        picture = _play_tape(picture, export, scale, np.random.default_rng([*seed, 83, _tick(time_ms)]))
    picture = _shade(picture, export)
    if export.codec in CODED and scale >= CODED_FROM_SCALE:
        picture = _code(picture, export)
    return as_bytes(picture * mask)


def tint(grey: ByteArray, style: StyleDraw) -> ByteArray:
    """Colour a picture [H, W] by the display's white: [H, W, 3] BGR, or [H, W, 1] where there is no colour."""
    if style.channels == 1 or min(style.export.tint) == 255:
        return grey[..., None]
    levels = np.arange(256, dtype=np.float32)[:, None] * as_float32(style.export.tint[::-1]) / np.float32(255)
    table = np.rint(levels).astype(np.uint8)[:, None]  # [256, 1, 3]
    return as_bytes(cv2.LUT(cv2.merge([grey, grey, grey]), table))


def _tick(time_ms: float) -> int:
    return round(time_ms * 1000) & 0x7FFFFFFF


def _resample(picture: ByteArray, export: Export, scale: float) -> ByteArray:
    """Lose pixels and detail as the export did; `scale` is pixels here for one of the export."""
    height, width = picture.shape
    kept = export.resample / scale
    if kept < LEAST_LOSS:
        size = (max(round(width * kept), 8), max(round(height * kept), 8))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        picture = as_bytes(cv2.resize(small, (width, height), interpolation=KERNELS[export.kernel]))
    sigma = export.blur_px * scale
    if sigma > LEAST_SIGMA_PX:
        picture = as_bytes(cv2.GaussianBlur(picture, (0, 0), sigma, sigmaY=sigma / 2))
    return picture


def _play_tape(picture: ByteArray, export: Export, scale: float, rng: np.random.Generator) -> ByteArray:
    """Shift the two fields and every line a little, and add noise that lies along the lines."""
    height, width = picture.shape
    shift: Float32Array = as_float32(rng.standard_normal(height, dtype=np.float32) * np.float32(0.5))
    shift[1::2] += rng.standard_normal(dtype=np.float32)  # the second field starts late or early
    x = np.arange(width, dtype=np.float32) + shift[:, None] * np.float32(export.line_jitter_px * scale)
    y = np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], x.shape)
    shaken = cv2.remap(picture, as_float32(x), as_float32(y), cv2.INTER_LINEAR)
    noise = cv2.GaussianBlur(
        rng.standard_normal((height, width), dtype=np.float32), (0, 0), NOISE_ALONG_PX, sigmaY=LEAST_SIGMA_PX
    )
    grain = np.float32(export.noise_grey * scale / max(float(noise.std()), 1e-3))
    return np.clip(np.rint(shaken + noise * grain), 0, 255).astype(np.uint8)


def _shade(picture: ByteArray, export: Export) -> ByteArray:
    """Lift black, and leave only some shades, dithered."""
    if export.lift_grey > 0:
        table = np.linspace(export.lift_grey, 255, 256, dtype=np.float32)
        picture = as_bytes(cv2.LUT(picture, np.rint(table).astype(np.uint8)))
    if export.grey_levels >= 256:
        return picture
    height, width = picture.shape
    step = np.float32(255 / (export.grey_levels - 1))
    pattern = np.tile(DITHER, (height // 4 + 1, width // 4 + 1))[:height, :width]
    return np.clip(np.rint(picture / step + pattern) * step, 0, 255).astype(np.uint8)


def _code(picture: ByteArray, export: Export) -> ByteArray:
    """Lose what a JPEG of that quality loses; H.264 smooths its blocks."""
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, export.quality])[1]
    lossy = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    if export.codec is Codec.H264:
        lossy = np.asarray(cv2.GaussianBlur(lossy, (0, 0), DEBLOCKED_SIGMA_PX))
    return as_bytes(lossy)
