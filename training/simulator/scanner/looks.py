"""How each structure shows in one cine: its level, its uneven brightness, and the parts that drop out."""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from training.simulator.arrays import Float32Array, IntArray, as_float32
from training.simulator.heart.surfaces import Surface

KNOTS = (8, 16)  # of the smooth fading over a surface
TABLE = (24, 48)  # the same, fine enough to be read without interpolation

DROPOUT_CHANCE = {
    "atrial_septum": 0.5,
    "la_wall": 0.4,
    "ra_wall": 0.4,
    "rv_wall": 0.4,
    "rvot_wall": 0.35,
    "aorta_wall": 0.3,
    "pericardium": 0.35,
    "papillary": 0.3,
    "moderator_band": 0.4,
    "chordae": 0.4,
    "aortic_cusp": 0.4,
    "pulmonary_cusp": 0.5,
}
"""Chance that part of a structure is not seen, by the beginning of its name; real outlines are rarely closed."""

LATERAL_CHANCE, APEX_CHANCE, LEAFLET_CHANCE, OTHER_CHANCE = 0.4, 0.3, 0.5, 0.1
LEAFLETS = ("mitral_anterior", "mitral_posterior", "tricuspid_septal", "tricuspid_anterior")
DROPOUT_DB = (-18.0, -8.0)
RIGHT_HEART = ("rv_wall", "rvot_wall", "ra_wall", "moderator_band", "tricuspid")
RIGHT_HEART_CHANCE = 0.25
"""Of a right heart that is not seen at all: in clinical four-chamber views its free wall often lies behind lung."""

DROPOUT_SIZE = (0.1, 0.28)  # standard deviation, as a share of the surface

LATERAL_DB, LATERAL_DEG, LATERAL_WIDTH_DEG = -4.0, 30.0, 65.0
APICAL_DB, APICAL_FROM = -5.5, 0.55
"""Usual loss of the lateral and the apical muscle. 1,000 research A4C stills: septum 127, lateral wall 101, apex 96
grey of 255; 25 grey are 5.5 dB at 55 dB from black to white."""

LEVEL_SPREAD_DB, UNUSUAL_SPREAD_DB, UNUSUAL_SHARE = 1.8, 5.0, 0.15
FADING_DB = 2.5


@dataclass(frozen=True)
class Looks:
    """Levels of all structures of a cine.

    Attributes:
        shift_db: [S], of each whole structure.
        fading_db: [S, 24, 48], over rows and columns of each surface, drop-out included.
    """

    shift_db: Float32Array
    fading_db: Float32Array

    def at(self, structures: IntArray, places: Float32Array) -> Float32Array:
        """Level in dB, [M], at places [M, 2] (0-1) of structures [M]; the whole structure's shift included."""
        rows = (places[:, 0] * np.float32(TABLE[0] - 0.01)).astype(np.int64)
        columns = (places[:, 1] * np.float32(TABLE[1] - 0.01)).astype(np.int64)
        return as_float32(self.fading_db[structures, rows, columns] + self.shift_db[structures])


def draw_looks(surfaces: tuple[Surface, ...], seed: tuple[int, ...], dropout: float) -> Looks:
    """Draw how the structures of a cine show; each by its own name, so that one more structure changes no other.

    Args:
        surfaces: S of them.
        seed: of the recording.
        dropout: factor on how often and how much structures fade, 0 never, 1 usual.
    """
    hidden_leaflet, right_heart_db = _hidden_leaflet(seed, dropout), _right_heart_db(seed, dropout)
    shifts = np.zeros(len(surfaces), dtype=np.float32)
    fading = np.zeros((len(surfaces), *TABLE), dtype=np.float32)
    for index, surface in enumerate(surfaces):
        rng = np.random.default_rng([*seed, 59, zlib.crc32(surface.name.encode())])
        spread = UNUSUAL_SPREAD_DB if rng.random() < UNUSUAL_SHARE else LEVEL_SPREAD_DB
        shifts[index] = rng.normal(0, spread) + (right_heart_db if surface.name.startswith(RIGHT_HEART) else 0)
        fading[index] = _smooth_field(rng, not surface.is_sheet) * np.float32(FADING_DB)
        if surface.name == "lv_wall":
            fading[index] += _usual_loss(surface, rng, dropout)
        elif rng.random() < (1.0 if surface.name == hidden_leaflet else _chance(surface.name) * dropout):
            fading[index] += _patch(rng, not surface.is_sheet, float(rng.random()), float(rng.random())) * dropout
    return Looks(shifts, fading)


def _chance(name: str) -> float:
    if name in LEAFLETS:
        return 0.0
    return next((chance for prefix, chance in DROPOUT_CHANCE.items() if name.startswith(prefix)), OTHER_CHANCE)


def _hidden_leaflet(seed: tuple[int, ...], dropout: float) -> str:
    """Which of the leaflets is not seen, if any."""
    rng = np.random.default_rng([*seed, 67])
    return str(rng.choice(LEAFLETS)) if rng.random() < LEAFLET_CHANCE * dropout else ""


def _right_heart_db(seed: tuple[int, ...], dropout: float) -> float:
    """What all of the right heart loses together, dB; mostly nothing."""
    rng = np.random.default_rng([*seed, 73])
    return float(rng.uniform(*DROPOUT_DB)) * dropout if rng.random() < RIGHT_HEART_CHANCE * dropout else 0.0


def _smooth_field(rng: np.random.Generator, is_closed: bool) -> Float32Array:
    """Smooth unit-variance noise over a surface, [24, 48]; a closed surface has no seam."""
    drawn = rng.standard_normal(KNOTS, dtype=np.float32)
    knots = cv2.copyMakeBorder(drawn, 2, 2, 2, 2, cv2.BORDER_WRAP if is_closed else cv2.BORDER_REPLICATE)
    wide = (TABLE[1] // KNOTS[1] * knots.shape[1], TABLE[0] // KNOTS[0] * knots.shape[0])  # (columns, rows)
    field = cv2.GaussianBlur(cv2.resize(knots, wide, interpolation=cv2.INTER_CUBIC), (0, 0), 1.5)[6:-6, 6:-6]
    return as_float32(field / max(float(field.std()), 1e-3))


def _patch(rng: np.random.Generator, is_closed: bool, row: float, column: float) -> Float32Array:
    """A part that drops out, about a place (0-1), dB [24, 48]."""
    rows = (np.arange(TABLE[0], dtype=np.float32)[:, None] + 0.5) / TABLE[0] - row
    columns = (np.arange(TABLE[1], dtype=np.float32)[None] + 0.5) / TABLE[1] - column
    if is_closed:
        columns -= np.rint(columns)
    high, wide = rng.uniform(*DROPOUT_SIZE) * 1.6, rng.uniform(*DROPOUT_SIZE)
    return as_float32(rng.uniform(*DROPOUT_DB) * np.exp(-0.5 * ((rows / high) ** 2 + (columns / wide) ** 2)))


def _usual_loss(wall: Surface, rng: np.random.Generator, dropout: float) -> Float32Array:
    """What the lateral and apical muscle usually loses, and the chance that it loses more: dB [24, 48]."""
    grid = wall.keys[0, 0]  # [U, V, 3]
    rows = np.rint(np.linspace(0, grid.shape[0] - 1, TABLE[0])).astype(int)
    columns = np.rint(np.linspace(0, grid.shape[1] - 1, TABLE[1])).astype(int)
    places = grid[rows][:, columns]
    theta = np.rad2deg(np.arctan2(places[..., 1], places[..., 0]))
    away = (theta - LATERAL_DEG - rng.normal(0, 15) + 180) % 360 - 180
    lateral = np.exp(-0.5 * (away / LATERAL_WIDTH_DEG) ** 2)
    height = places[..., 2]
    share = (height - height.min()) / max(float(np.ptp(height)), 1e-3)
    apical = np.clip((share - APICAL_FROM) / (1 - APICAL_FROM), 0, 1)
    loss = LATERAL_DB * lateral * rng.uniform(0.4, 1.6) + APICAL_DB * apical * rng.uniform(0, 2)
    if rng.random() < LATERAL_CHANCE * dropout:
        along = np.exp(-0.5 * ((share - rng.uniform(0.1, 0.9)) / rng.uniform(0.2, 0.5)) ** 2)
        loss = loss + dropout * rng.uniform(*DROPOUT_DB) * lateral**2 * along
    if rng.random() < APEX_CHANCE * dropout:
        loss = loss + dropout * rng.uniform(*DROPOUT_DB) * apical
    return as_float32(loss)
