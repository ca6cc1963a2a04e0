"""Random fields made once and shared: scatterers, slow clouds of echo level, and where to look into them."""

from functools import cache

import cv2
import numpy as np

from training.simulator.arrays import Float32Array, as_float32

BANK_PX = 768
BANK_MM_PER_PX = 0.5
SCATTERER_SIGMA_PX = 0.95  # keeps the bank band-limited, so that moving tissue does not flicker
CLOUD_PX = 512
CLOUD_MM_PER_PX = 1.0


@cache
def scatterer_bank() -> Float32Array:
    """Complex scatterers [768, 768, 2], unit power a pixel, 0.5 mm apart; it wraps round."""
    rng = np.random.default_rng(7)
    return _wrapped_noise(rng, BANK_PX, SCATTERER_SIGMA_PX, 2)


@cache
def cloud(sigma_mm: float) -> Float32Array:
    """Smooth unit-variance field [512, 512], 1 mm apart; it wraps round."""
    rng = np.random.default_rng(int(sigma_mm * 10))
    return _wrapped_noise(rng, CLOUD_PX, sigma_mm / CLOUD_MM_PER_PX, 1)


def _wrapped_noise(rng: np.random.Generator, size_px: int, sigma_px: float, channels: int) -> Float32Array:
    """Blurred normal noise [size, size(, channels)] without a seam, unit mean square summed over channels."""
    noise = rng.standard_normal((size_px, size_px, channels), dtype=np.float32)
    margin = int(4 * sigma_px) + 1
    wide = np.pad(noise, ((margin, margin), (margin, margin), (0, 0)), mode="wrap")
    smooth = cv2.GaussianBlur(wide, (0, 0), sigma_px).reshape(wide.shape)[margin:-margin, margin:-margin]
    smooth = smooth / np.float32(np.sqrt((smooth**2).sum(axis=2).mean()))
    field: Float32Array = np.ascontiguousarray(smooth.squeeze(), dtype=np.float32)
    return field


def look_up(field: Float32Array, places_mm: Float32Array, mm_per_px: float, shift_px: Float32Array) -> Float32Array:
    """Read a wrapping field at places [rows, beams, 2] mm after a shift [2] in pixels; returns [rows, beams(, C)]."""
    at_px = places_mm * np.float32(1 / mm_per_px) + shift_px
    nothing = np.empty((0, 2), dtype=np.float32)  # the places are all in the first map
    return as_float32(cv2.remap(field, at_px, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))
