"""From echo power to grey: logarithm, speckle reduction, smoothing and sharpening as vendors do, and the grey map."""

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, Float32Array, as_bytes, as_float32
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.settings import ScannerSettings

LEAST_POWER = 1e-7
SPECKLE_VARIANCE_DB2 = 5.6**2
"""Of fully developed speckle after the logarithm, one look: more than this is structure and is kept."""

CALMED_MM = 4.5  # neighbourhood in which speckle is calmed
SHARPENED_MM = 2.6  # sigma of the blur that sharpening subtracts
SHARPENING = 0.9  # of the difference, at full strength


class Display:
    """What a vendor's machine does to the echoes of one cine."""

    def __init__(self, settings: ScannerSettings, grid: PolarGrid) -> None:
        self._settings = settings
        beam_mm = 0.55 * grid.depth_mm * grid.beam_rad
        self._cell_mm = (beam_mm, grid.row_mm)  # (across, along), in the middle of the depth
        ramp = np.linspace(0, 1, 256) ** settings.gamma
        self._grey_map = as_bytes(np.rint(ramp * 255))
        self._window = (_odd(CALMED_MM / beam_mm), _odd(CALMED_MM / grid.row_mm))

    def to_db(self, power: Float32Array) -> Float32Array:
        """Echo power [rows, beams] to shown dB above muscle, vendor filters included."""
        settings = self._settings
        shown = as_float32(cv2.log(power + np.float32(LEAST_POWER))) * np.float32(10 / np.log(10))
        if settings.speckle_reduction > 0:
            shown = self._calm(shown, settings.speckle_reduction)
        if settings.smoothing_mm > 0:
            shown = self._blur(shown, settings.smoothing_mm)
        if settings.edge_enhancement > 0:
            strength = SHARPENING * settings.edge_enhancement
            soft = self._blur(shown, SHARPENED_MM)
            shown = as_float32(cv2.addWeighted(shown, 1 + strength, soft, -strength, 0.0))
        return as_float32(shown)

    def to_grey(self, shown_db: Float32Array) -> ByteArray:
        """Shown dB to bytes, same shape."""
        scale, offset = 255 / self._settings.dynamic_range_db, 255 * self._settings.muscle_grey_fraction
        grey = np.clip(shown_db * np.float32(scale) + np.float32(offset + 0.5), 0, 255)
        return as_bytes(cv2.LUT(grey.astype(np.uint8), self._grey_map))

    def _calm(self, shown: Float32Array, strength: float) -> Float32Array:
        """Pull even places to their local mean and leave edges (a local-statistics filter, Lee 1980)."""
        mean = as_float32(cv2.blur(shown, self._window))
        variance = as_float32(cv2.blur(shown * shown, self._window)) - mean * mean
        even = np.minimum(np.float32(SPECKLE_VARIANCE_DB2) / np.maximum(variance, np.float32(1)), np.float32(1))
        return as_float32(shown + even * (mean - shown) * np.float32(strength))

    def _blur(self, shown: Float32Array, sigma_mm: float) -> Float32Array:
        across, along = (max(sigma_mm / cell, 0.3) for cell in self._cell_mm)
        return as_float32(cv2.GaussianBlur(shown, (0, 0), across, sigmaY=along))


def _odd(size: float) -> int:
    return max(2 * round((size - 1) / 2) + 1, 3)
