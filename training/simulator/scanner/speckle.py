"""Random fields made once and shared, and the scatterers that travel with tissue and are slowly renewed."""

from functools import cache

import cv2
import numpy as np

from training.simulator.arrays import Float32Array, as_float32

BANK_PX = 768
BANK_MM_PER_PX = 0.75
SHIFT_FROM_PX, SHIFT_SPAN_PX = 190 + 10j, 388 + 460j
"""Where a sector's apex may lie in a bank, (x, y): a sector of 22 cm from there stays inside, which is twice as quick
as wrapping round; a larger one wraps."""

SCATTERER_SIGMA_MM = 0.75
"""Grain of the scatterers: as wide as a cell of the coarse grid, so that tissue keeps its speckle from cell to cell."""

TEXTURE_MM_DB = ((1.8, 2.0), (4.5, 3.2), (11.0, 2.6))
"""Scales and strengths of what is uneven in tissue: real hearts give partial speckle (pubmed 18019258); grey varies by
a standard deviation of 38 of 255 within muscle, and speckle alone makes about half of that."""

CLOUD_PX = 512
CLOUD_MM_PER_PX = 1.0

RENEWAL_MS = 220.0
"""Time in which all scatterers are replaced once: measured correlations of the high-pass residual 1, 2, 4, 8 frames
apart at 50 a second are .89, .78, .60, .46 (11 A4C clips)."""

KNOT_STEP = (0.618, 0.4142)  # of the span, from one set of renewed scatterers to the next
NO_SECOND_MAP = np.empty((0, 2), dtype=np.float32)


@cache
def scatterer_bank() -> Float32Array:
    """Complex scatterers [768, 768, 2], unit power a pixel, 0.75 mm apart; it wraps round."""
    return _wrapped_noise(np.random.default_rng(7), BANK_PX, SCATTERER_SIGMA_MM / BANK_MM_PER_PX, 2)


@cache
def texture_bank() -> Float32Array:
    """How uneven tissue is in itself, dB [768, 768], 0.75 mm apart; it wraps round and travels with the tissue."""
    rng = np.random.default_rng(8)
    return as_float32(
        sum(_wrapped_noise(rng, BANK_PX, mm / BANK_MM_PER_PX, 1) * np.float32(db) for mm, db in TEXTURE_MM_DB)
    )


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
    """Scatterers of one cine: they travel with the tissue, and are renewed steadily: it moves through the plane."""

    def __init__(self, rng: np.random.Generator, renewal_ms: float) -> None:
        self._start = rng.uniform(0, 1, 2)  # (x, y)
        self._renewal_ms = renewal_ms

    def texture_db(self, moved_mm: Float32Array) -> Float32Array:
        """How strong tissue that came from `moved_mm` [rows, beams, 2] is beside its kind: [rows, beams] dB."""
        return self._read(texture_bank(), moved_mm, 0)

    def at(self, moved_mm: Float32Array, time_ms: float) -> Float32Array:
        """Complex scatterers [rows, beams, 2] of unit power, of tissue that came from `moved_mm` [rows, beams, 2]."""
        knot, share = divmod(time_ms / self._renewal_ms, 1.0)
        angle = share * np.pi / 2
        old, new = (self._read(scatterer_bank(), moved_mm, int(knot) + step) for step in (0, 1))
        return as_float32(cv2.addWeighted(old, float(np.cos(angle)), new, float(np.sin(angle)), 0.0))

    def _read(self, bank: Float32Array, moved_mm: Float32Array, knot: int) -> Float32Array:
        """What lies in a bank at places [rows, beams, 2] mm for one knot of time: [rows, beams(, C)]."""
        x, y = (self._start + np.array(KNOT_STEP) * (knot % 4096)) % 1
        shift = SHIFT_FROM_PX + complex(x * SHIFT_SPAN_PX.real, y * SHIFT_SPAN_PX.imag)
        at_px = (moved_mm * np.float32(1 / BANK_MM_PER_PX)).view(np.complex64) + np.complex64(shift)
        found = cv2.remap(bank, at_px.view(np.float32), NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return as_float32(found)
