"""What lies round the heart: uneven soft tissue, layers at the skin, fat with bright fasciae."""

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.speckle import CLOUD_MM_PER_PX, CLOUD_PX, cloud, look_up

LARGE_MM, LARGE_DB = 14.0, 7.5
MIDDLE_MM, MIDDLE_DB = 5.0, 2.5
FASCIA_MM, FASCIA_DB, FASCIA_SHARE = 7.0, 9.0, 0.16
"""Fasciae lie where a stretched smooth field crosses zero: bright, thin, curved, mostly across the beams."""

SKIN_MM, SKIN_DB = 14.0, 5.0
SKIN_STRETCH = (0.18, 1.5)  # layers of the chest wall lie across the beams
FASCIA_STRETCH = (0.35, 1.0)
DECAY_DB_PER_CM = (0.0, 1.0)  # behind the heart little is met that answers


def draw_background(level_db: float, grid: PolarGrid, rng: np.random.Generator) -> Float32Array:
    """Draw the echo power of what is round the heart, [rows, beams], above muscle's."""
    places = grid.places_mm(grid.rows, grid.beams)
    shifts = rng.uniform(0, CLOUD_PX, (5, 2)).astype(np.float32)

    def field(sigma_mm: float, which: int, stretch: tuple[float, float] = (1.0, 1.0)) -> Float32Array:
        return look_up(cloud(sigma_mm), places * as_float32(stretch), CLOUD_MM_PER_PX, shifts[which])

    where = np.clip(0.5 + field(LARGE_MM, 0), 0, 1)  # fasciae come in groups
    ridges = np.exp(-0.5 * (field(FASCIA_MM, 1, FASCIA_STRETCH) / FASCIA_SHARE) ** 2)
    skin = np.exp(-((grid.depths_mm / SKIN_MM) ** 2))[:, None]
    level = level_db + LARGE_DB * field(LARGE_MM, 2) + MIDDLE_DB * field(MIDDLE_MM, 3)
    level = level + FASCIA_DB * ridges * where + skin * (SKIN_DB + 5.0 * field(MIDDLE_MM, 4, SKIN_STRETCH))
    level = level - rng.uniform(*DECAY_DB_PER_CM) * np.maximum(grid.depths_mm - 60, 0)[:, None] / 10
    return as_float32(10 ** (level / 10))
