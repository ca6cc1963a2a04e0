"""What a plane shows at one instant: filled regions and thin lines in mm, each with its echo level."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from training.simulator.arrays import Float32Array


class Echo(Enum):
    """Backscatter of a tissue in dB above heart muscle (blood and specular levels: literature spread, see each)."""

    BLOOD = -32.0  # 20-30 dB under muscle; clutter, not blood, sets what the screen shows
    MUSCLE = 0.0
    THIN_WALL = 0.5
    LEAFLET = 1.5
    AORTIC_WALL = 1.0
    PERICARDIUM = 7.0
    SOFT_TISSUE = -7.0
    LUNG = -15.0


@dataclass(frozen=True)
class Region:
    """A filled outline: `contour` [N, 2] mm, painted over what came before it."""

    name: str
    contour: Float32Array
    echo: Echo
    is_handle: bool = False  # its points carry the tissue around them
    is_blood_flowing: bool = False
    fading_db: Float32Array | None = None  # [N], level along the outline beside what chance takes away


@dataclass(frozen=True)
class Line:
    """A thin bright layer: `path` [N, 2] mm; `specular_db` is added where the beam meets it face on."""

    name: str
    path: Float32Array
    width_mm: float
    echo: Echo
    specular_db: float = 0.0


@dataclass(frozen=True)
class Scene:
    """Everything a plane cuts at one instant, in painting order; the number of points never changes over a cine."""

    regions: Sequence[Region]
    lines: Sequence[Line]
    lv_cavity: Float32Array  # [N, 2] mm, no points where the plane misses the ventricle
    flow_axis: Float32Array  # [2], unit vector from the atrium to the ventricle, for Doppler


@dataclass(frozen=True)
class Look:
    """How one structure shows in one cine: a level shift and a fading along its length, dB."""

    shift_db: float
    fading_db: Float32Array  # [16], along the outline

    def along(self, samples: int) -> Float32Array:
        """Level in dB at `samples` places along the structure."""
        knots = np.linspace(0, 1, len(self.fading_db))
        return (np.interp(np.linspace(0, 1, samples), knots, self.fading_db) + self.shift_db).astype(np.float32)


# Chance that part of a structure cannot be seen, by name prefix; real outlines are rarely closed.
DROPOUT_CHANCE = {
    "atrial_septum": 0.5,
    "la_wall": 0.4,
    "ra_wall": 0.45,
    "rv_free_wall": 0.35,
    "lv_wall": 0.65,
    "rv_cavity": 0.35,
    "la_cavity": 0.4,
    "ra_cavity": 0.45,
    "mitral": 0.3,
    "tricuspid": 0.4,
    "aortic_cusp": 0.55,
    "root_wall": 0.8,
    "root_front": 0.4,
    "pericardium": 0.4,
}
DROPOUT_DB = -16.0
UNUSUAL_CONTRAST_SHARE = 0.15


def draw_look(name: str, seed: Sequence[int]) -> Look:
    """Draw how a structure shows; the same name and seed give the same look."""
    rng = np.random.default_rng([*seed, zlib.crc32(name.encode())])
    spread = 4.5 if rng.random() < UNUSUAL_CONTRAST_SHARE else 2.0
    knots = rng.normal(0, 1.0, 18)
    fading = 2.0 * (knots[:-2] + 2 * knots[1:-1] + knots[2:]) / 2
    chance = next((value for prefix, value in DROPOUT_CHANCE.items() if name.startswith(prefix)), 0.1)
    if rng.random() < chance:
        place, width = rng.uniform(0, 1), rng.uniform(0.08, 0.25)
        along = np.linspace(0, 1, len(fading))
        fading = fading + DROPOUT_DB * rng.uniform(0.4, 1.2) * np.exp(-0.5 * ((along - place) / width) ** 2)
    return Look(float(rng.normal(0, spread)), fading.astype(np.float32))
