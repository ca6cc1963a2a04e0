"""Why places are brighter than their tissue: attenuation against the gain that makes up for it, sliders, losses."""

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, Float32Array, as_float32
from training.simulator.heart.surfaces import Surface
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.settings import ScannerSettings
from training.simulator.scanner.speckle import CLOUD_MM_PER_PX, CLOUD_PX, cloud, look_up

MEAN_FREQUENCY_SHARE = 0.75
"""Of the received frequency: a harmonic picture sends at half of what it receives."""

AROUND_DB = 0.75
"""Attenuation round the heart, dB/cm/MHz: skeletal muscle .96 (across its fibres), fat .63 (PMC10001275, table 4)."""

LEFT_SHARE = 0.6
"""Of the gain too much behind blood: what sonographers leave. Ten centimetres of blood at 2.4 MHz give 17 dB."""

MOST_EXCESS_DB, MOST_LACK_DB = 14.0, 25.0
ROW_STEP, BEAM_STEP = 4, 2  # attenuation is summed on every fourth row of every second beam
SLIDER_PLACES = (0.17, 0.5, 0.83)  # of the depth: near, middle and far third
EDGE_REACH = 0.1  # of the opening
UNEVEN_MM, UNEVEN_DB = 14.0, 1.6


class Attenuation:
    """What the beam loses to what it passes, against what the fixed gain compensation assumes."""

    def __init__(self, settings: ScannerSettings, surfaces: tuple[Surface, ...], grid: PolarGrid) -> None:
        self._grid = grid
        real = np.full(256, AROUND_DB, dtype=np.float32)
        real[1 : len(surfaces) + 1] = [s.tissue.value.attenuation_db for s in surfaces]
        per_cm = 2 * settings.frequency_mhz * MEAN_FREQUENCY_SHARE * (settings.assumed_attenuation_db - real)
        self._excess_db_per_mm = as_float32(per_cm / 10)
        tops = np.arange(0, grid.rows, ROW_STEP)
        passed = np.clip(np.arange(grid.rows)[:, None] - tops, 0, ROW_STEP) * grid.row_mm
        self._passed_mm = as_float32(passed)  # [rows, coarse rows], of each coarse row above each row

    def excess_db(self, labels: ByteArray) -> Float32Array:
        """Gain too much at each place, [rows, beams] dB, behind tissues `labels` [rows, beams]."""
        coarse = self._excess_db_per_mm[labels[::ROW_STEP, ::BEAM_STEP]]
        left = self._passed_mm @ coarse * np.float32(LEFT_SHARE)
        limit = np.where(left > 0, np.float32(MOST_EXCESS_DB), np.float32(MOST_LACK_DB))
        size = (self._grid.beams, self._grid.rows)
        return as_float32(cv2.resize(np.tanh(left / limit) * limit, size, interpolation=cv2.INTER_LINEAR))


def slider_gain_db(settings: ScannerSettings, grid: PolarGrid) -> Float32Array:
    """Error of the gain sliders over depth, [rows, beams] dB."""
    gain = as_float32(np.interp(np.linspace(0, 1, grid.rows), SLIDER_PLACES, settings.tgc_error_db))
    return np.repeat(gain[:, None], grid.beams, axis=1)


def loss_db(settings: ScannerSettings, grid: PolarGrid, rng: np.random.Generator) -> Float32Array:
    """What edges, shadows and an uneven chest wall take away, [rows, beams] dB, at most 0 but for the unevenness."""
    depth = np.linspace(0, 1, grid.rows, dtype=np.float32)[:, None]
    across = grid.across
    left, right = (np.exp(-side / np.float32(EDGE_REACH)) for side in (across, 1 - across))
    edges = settings.edge_loss_db[0] * left + settings.edge_loss_db[1] * right
    total = -edges * (0.3 + 0.7 * depth)
    shift = rng.uniform(0, CLOUD_PX, 2).astype(np.float32)
    streaks = grid.places_mm(grid.rows, grid.beams) * as_float32([1.0, 0.25])  # along the beams
    total = total + UNEVEN_DB * look_up(cloud(UNEVEN_MM), streaks, CLOUD_MM_PER_PX, shift)
    for shadow in settings.shadows:
        wedge = np.exp(-0.5 * ((across - shadow.place_fraction) / shadow.width_fraction) ** 2)
        total = total - shadow.loss_db * wedge * np.clip(depth * 12 - 0.3, 0, 1)
    return as_float32(total)
