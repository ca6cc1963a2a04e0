"""Echoes of nothing in the plane: haze, near-field clutter, repeated skin layers, lung, noise, side lobes."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.settings import ScannerSettings
from training.simulator.scanner.speckle import (
    BANK_MM_PER_PX,
    BANK_PX,
    CLOUD_MM_PER_PX,
    CLOUD_PX,
    cloud,
    look_up,
    noise_bank,
    scatterer_bank,
)

CLUTTER_TURNS_MS = ((500.0, 1100.0), (80.0, 150.0))
"""Quarter of the time in which haze changes and comes back: half of it lies nearly still, half flickers like blood."""

CLUTTER_STRETCH = (0.6, 1.0)  # haze has wider grain than tissue: it comes from off the axis
NEAR_REACH_MM = (12.0, 26.0)
SKIN_SPACING_MM = (3.0, 6.5)
SKIN_LAYER_MM = 0.9
SKIN_DECAY = 2.2  # repetitions until it has fallen to a third
STEADY_SHARE, STEADY_TURN = 0.8, 1.5
"""Of the haze's power that is no speckle: it is the mean of many echoes from aside; radians its phase wanders."""

HAZE_UNEVEN_DB = 1.8
NOISE_GROWTH_DB = 12.0  # from the skin to the bottom: gain grows with depth
PLEURA_MM = (12.0, 24.0)
PLEURA_DB, LUNG_HAZE_DB, LUNG_LOSS_DB = 6.0, -9.0, 26.0
LUNG_DECAY_MM = 70.0
LUNG_EDGE = 0.045  # softness of its border, share of the opening
LOBE_REACH = 3  # side lobes reach a third of the sector to both sides together
LOBE_CELLS = 4.0  # beams in one independent reflector


@dataclass(frozen=True)
class Lung:
    """Lung at the sides of the sector: how much it covers, 0-1, and its own amplitude, [rows, beams] each."""

    cover: Float32Array
    amplitude: Float32Array

    @property
    def loss_db(self) -> Float32Array:
        """What it takes from all behind it, [rows, beams] dB, at most 0."""
        return as_float32(self.cover * np.float32(-LUNG_LOSS_DB))


def draw_lung(settings: ScannerSettings, grid: PolarGrid, rng: np.random.Generator) -> Lung:
    """Draw bright pleura with grey, repeating haze behind it."""
    depth, pleura_mm = grid.depths_mm[:, None], float(rng.uniform(*PLEURA_MM))
    shift = rng.uniform(0, CLOUD_PX, 2).astype(np.float32)
    places = grid.places_mm(grid.rows, grid.beams)
    ragged = 0.03 * look_up(cloud(14.0), places * as_float32([0.0, 1.0]), CLOUD_MM_PER_PX, shift)
    cover = np.zeros((grid.rows, grid.beams), dtype=np.float32)
    for side, share in ((grid.across, settings.lung_fraction[0]), (1 - grid.across, settings.lung_fraction[1])):
        if share > 0:
            cover = np.maximum(cover, 1 / (1 + np.exp((side + ragged - share) / LUNG_EDGE * 2)))
    cover = as_float32(cover * np.clip((depth - pleura_mm) / 2, 0, 1))
    line = np.exp(-0.5 * ((depth - pleura_mm - 1.5) / 1.2) ** 2)
    repeats = 0.7 + 0.3 * np.cos(2 * np.pi * depth / pleura_mm)
    haze = 10 ** (LUNG_HAZE_DB / 20) * np.exp(-(depth - pleura_mm) / LUNG_DECAY_MM) * repeats
    return Lung(cover, as_float32(cover * (haze + 10 ** (PLEURA_DB / 20) * line)))


class Clutter:
    """Haze that fills cavities, near-field clutter, repeated skin layers and lung: nearly still."""

    def __init__(
        self, settings: ScannerSettings, grid: PolarGrid, loss_db: Float32Array, lung: Lung, rng: np.random.Generator
    ) -> None:
        """Draw it; `loss_db` [rows, beams] takes half as much from clutter, which comes from aside, as from tissue."""
        places = grid.places_mm(grid.rows, grid.beams)
        depth, shifts = grid.depths_mm[:, None], rng.uniform(0, CLOUD_PX, (2, 2)).astype(np.float32)
        uneven_db = HAZE_UNEVEN_DB * look_up(cloud(14.0), places, CLOUD_MM_PER_PX, shifts[0])
        haze = 10 ** ((settings.cavity_clutter_db + uneven_db) / 20)
        near = 10 ** ((settings.near_clutter_db + uneven_db) / 20) * np.exp(
            -((depth / float(rng.uniform(*NEAR_REACH_MM))) ** 2)
        )
        spacing_mm = float(rng.uniform(*SKIN_SPACING_MM))
        layers = np.zeros_like(depth)
        for order in range(1, 8):
            height = np.exp(-(order - 1) / SKIN_DECAY)
            layers = layers + height * np.exp(-0.5 * ((depth - order * spacing_mm) / SKIN_LAYER_MM) ** 2)
        skin = 10 ** (settings.reverberation_db / 20) * layers
        amplitude = (haze + near + skin) * 10 ** (loss_db / 40) + lung.amplitude
        stretched = places * as_float32(CLUTTER_STRETCH)
        draws = rng.uniform(0, BANK_PX, (4, 2)).astype(np.float32)
        turn = np.float32(STEADY_TURN) * look_up(cloud(14.0), places, CLOUD_MM_PER_PX, shifts[1])
        steady = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * np.float32(np.sqrt(STEADY_SHARE))
        loose = np.float32(np.sqrt(1 - STEADY_SHARE))
        fields = [loose * look_up(scatterer_bank(), stretched, BANK_MM_PER_PX, draw) + steady for draw in draws]
        shared = as_float32(amplitude * np.sqrt(0.5))[..., None]
        self._fields = [as_float32(field * shared) for field in fields]
        self._turns_ms = [float(rng.uniform(*limits)) / (1 - settings.persistence) for limits in CLUTTER_TURNS_MS]

    def at(self, time_ms: float) -> Float32Array:
        """Complex echoes [rows, beams, 2]."""
        slow, quick = (time_ms / turn_ms * np.pi / 2 for turn_ms in self._turns_ms)
        one, two, three, four = self._fields
        still = cv2.addWeighted(one, float(np.cos(slow)), two, float(np.sin(slow)), 0.0)
        flicker = cv2.addWeighted(three, float(np.cos(quick)), four, float(np.sin(quick)), 0.0)
        return as_float32(cv2.add(still, flicker))


class ReceiverNoise:
    """Noise that is new in every frame, and the same for the same time."""

    def __init__(self, settings: ScannerSettings, grid: PolarGrid, seed: tuple[int, ...]) -> None:
        self._seed, self._grid = seed, grid
        place = np.linspace(-0.5, 0.5, grid.rows)
        calmed = (1 - settings.persistence) / (1 + settings.persistence)  # power left by averaging over frames
        amplitude = 10 ** ((settings.noise_db + NOISE_GROWTH_DB * place) / 20) * np.sqrt(calmed)
        self._amplitude = np.repeat(as_float32(amplitude)[:, None], grid.beams, axis=1)

    def at(self, time_ms: float) -> Float32Array:
        """Complex noise [rows, beams, 2]."""
        grid, bank = self._grid, noise_bank()
        rng = np.random.default_rng([*self._seed, 71, round(time_ms * 1000) & 0x7FFFFFFF])
        top, left = rng.integers(0, BANK_PX - grid.rows), rng.integers(0, BANK_PX - grid.beams)
        piece = bank[top : top + grid.rows, left : left + grid.beams]
        return as_float32(cv2.multiply(piece, cv2.merge([self._amplitude, self._amplitude])))


def add_side_lobes(power: Float32Array, level_db: float) -> Float32Array:
    """Smear echo power [rows, beams] along the arcs of equal depth; `level_db` is under the main lobe, negative."""
    reach = max(power.shape[1] // LOBE_REACH, 3)
    smeared = cv2.blur(power, (reach, 1), borderType=cv2.BORDER_REFLECT_101)
    return as_float32(power + smeared * np.float32(10 ** (level_db / 10) * reach / LOBE_CELLS))
