"""Random fields made once and shared, and the scatterers that travel with tissue and are slowly renewed."""

from functools import cache

import cv2
import numpy as np

from training.simulator.arrays import Float32Array, as_float32

BANK_PX = 768
BANK_MM_PER_PX = 0.5
SCATTERER_SIGMA_MM = 0.75
"""Grain of the scatterers: as wide as a cell of the coarse grid, so that tissue keeps its speckle as it moves by less."""

CLUMP_SIGMA_MM, CLUMP_DB = 3.0, 2.2
"""Muscle is uneven in itself: real hearts give partial speckle, not a Rayleigh field (pubmed 18019258)."""

CLOUD_PX = 512
CLOUD_MM_PER_PX = 1.0

RENEWAL_MS = 170.0
"""Time in which the renewed scatterers are replaced once. With `RENEWED_SHARE` of the power it gives the measured
correlations of the high-pass residual 1, 2, 4, 8 frames apart at 50 a second: .89, .78, .60, .46 (11 A4C clips)."""

RENEWED_SHARE = 0.75
KNOT_STEP_PX = 137.3
NO_SECOND_MAP = np.empty((0, 2), dtype=np.float32)


@cache
def scatterer_bank() -> Float32Array:
    """Complex scatterers [768, 768, 2], unit power a pixel, 0.5 mm apart; it wraps round."""
    grain = _wrapped_noise(np.random.default_rng(7), BANK_PX, SCATTERER_SIGMA_MM / BANK_MM_PER_PX, 2)
    clumps = _wrapped_noise(np.random.default_rng(8), BANK_PX, CLUMP_SIGMA_MM / BANK_MM_PER_PX, 1)
    grain = grain * np.exp(clumps[..., None] * np.float32(CLUMP_DB * np.log(10) / 20))
    return as_float32(grain / np.sqrt((grain**2).sum(axis=2).mean()))


@cache
def noise_bank() -> Float32Array:
    """Complex receiver noise [768, 768, 2], unit power, without correlation between cells."""
    noise = np.random.default_rng(9).standard_normal((BANK_PX, BANK_PX, 2), dtype=np.float32)
    return as_float32(noise / np.float32(np.sqrt(2)))


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
    return np.ascontiguousarray(as_float32(smooth.squeeze()))


def look_up(field: Float32Array, places_mm: Float32Array, mm_per_px: float, shift_px: Float32Array) -> Float32Array:
    """Read a wrapping field at places [rows, beams, 2] mm after a shift [2] in pixels; returns [rows, beams(, C)]."""
    at_px = places_mm * np.float32(1 / mm_per_px) + shift_px
    return as_float32(cv2.remap(field, at_px, NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


class Scatterers:
    """Scatterers of one cine: a share stays with its tissue, the rest is replaced as tissue moves through the plane."""

    def __init__(self, rng: np.random.Generator, renewal_ms: float) -> None:
        self._shifts = rng.uniform(0, BANK_PX, (2, 2)).astype(np.float32)  # [which, (x, y)]
        self._renewal_ms = renewal_ms

    def at(self, moved_mm: Float32Array, time_ms: float) -> Float32Array:
        """Complex scatterers [rows, beams, 2] of unit power, of tissue that came from `moved_mm` [rows, beams, 2]."""
        bank, at_px = scatterer_bank(), moved_mm * np.float32(1 / BANK_MM_PER_PX)
        knot, share = divmod(time_ms / self._renewal_ms, 1.0)
        weights = (
            (self._shifts[0], np.sqrt(1 - RENEWED_SHARE)),
            (self._knot_shift(int(knot)), np.sqrt(RENEWED_SHARE) * np.cos(share * np.pi / 2)),
            (self._knot_shift(int(knot) + 1), np.sqrt(RENEWED_SHARE) * np.sin(share * np.pi / 2)),
        )
        parts = [
            cv2.remap(bank, at_px + shift, NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            for shift, _ in weights
        ]
        renewed = cv2.addWeighted(parts[1], float(weights[1][1]), parts[2], float(weights[2][1]), 0.0)
        return as_float32(cv2.addWeighted(parts[0], float(weights[0][1]), renewed, 1.0, 0.0))

    def _knot_shift(self, knot: int) -> Float32Array:
        """Where the scatterers of one knot of time lie in the bank, [2] pixels."""
        step = np.float32(KNOT_STEP_PX) * np.float32(knot % 4096)
        return as_float32((self._shifts[1] + step * as_float32([1.0, 0.61])) % BANK_PX)
