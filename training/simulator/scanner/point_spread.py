"""The beam: how wide an echo is along and across the scan lines, and how that grows with depth."""

from itertools import pairwise

import cv2
import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.settings import ScannerSettings

SOUND_MM_PER_US = 1.54
FWHM_PER_SIGMA = 2.355
BANDS = 4  # of depth, each with one width
DEFOCUS_SHARE = 0.15  # of the geometric width off the focus: receiving is focused at every depth, sending at one
SMALLEST_SIGMA_PX = 0.35


def lateral_sigma_mm(settings: ScannerSettings, depth_mm: Float32Array) -> Float32Array:
    """Standard deviation of the beam across, mm, at depths in mm, same shape.

    Reference:
        Full width lambda z / D in focus: 1.2 / 2.4 / 3.6 mm at 5 / 10 / 15 cm for 20 mm and 3.2 MHz.
    """
    wavelength_mm = SOUND_MM_PER_US / settings.frequency_mhz
    focused = wavelength_mm * depth_mm / settings.aperture_mm
    off = settings.aperture_mm * np.abs(1 - depth_mm / settings.focus_mm) * DEFOCUS_SHARE
    return as_float32(np.hypot(focused, off) * (settings.beam_spread / FWHM_PER_SIGMA))


def axial_sigma_mm(settings: ScannerSettings) -> float:
    """Standard deviation of the pulse along the beam, mm: half its length, there and back."""
    return settings.cycles * SOUND_MM_PER_US / settings.frequency_mhz / 2 / FWHM_PER_SIGMA


class PointSpread:
    """Blurs echoes on the grid in bands of depth."""

    def __init__(self, settings: ScannerSettings, grid: PolarGrid) -> None:
        self._axial_px = max(axial_sigma_mm(settings) / grid.row_mm, SMALLEST_SIGMA_PX)
        halo = int(np.ceil(4 * self._axial_px)) + 1
        cuts = np.linspace(0, grid.rows, BANDS + 1).astype(int)
        self._bands: list[tuple[int, int, int, int, float]] = []
        for top, bottom in pairwise(cuts):
            middle = float(grid.depths_mm[(top + bottom) // 2])
            sigma_mm = float(lateral_sigma_mm(settings, as_float32([middle]))[0])
            sigma_px = max(sigma_mm / (middle * grid.beam_rad), SMALLEST_SIGMA_PX)
            self._bands.append((int(top), int(bottom), max(int(top) - halo, 0), int(bottom) + halo, sigma_px))

    def __call__(self, echo: Float32Array) -> Float32Array:
        """Blur [rows, beams, 2]; same shape."""
        blurred = np.empty_like(echo)
        for top, bottom, first, last, sigma_px in self._bands:
            band = cv2.GaussianBlur(echo[first:last], (0, 0), sigma_px, sigmaY=self._axial_px)
            blurred[top:bottom] = band[top - first : bottom - first]
        return blurred
