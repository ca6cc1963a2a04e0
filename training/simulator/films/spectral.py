"""Spectral Doppler: the velocities in a sample volume (PW), along a beam (CW) or of the wall (tissue) over time."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, Float32Array, TimeArray, as_bytes, as_float32
from training.simulator.films.canvas import Box, Pane, open_canvas, set_up_pane
from training.simulator.films.sectors import tint_table
from training.simulator.films.strips import (
    SPANS_MS,
    Strip,
    StripClock,
    Ticks,
    draw_ecg_mv,
    draw_layout,
    draw_scale,
    draw_time_marks,
    dress,
    film_strip,
    strip_pane,
)
from training.simulator.heart.rhythm import Rhythm
from training.simulator.scanner.speckle import BANK_PX, scatterer_bank
from training.simulator.studio import Order, Take

INFLOW_M_PER_S, OUTFLOW_M_PER_S = (0.55, 1.1), (0.7, 1.3)
STENOSIS_M_PER_S, LEAK_M_PER_S, WALL_M_PER_S = (1.6, 4.5), (3.5, 5.5), (0.06, 0.13)
GREY_MAPS = ("grey", "grey", "sepia", "sepia", "blue", "ember")
INVERTED_CHANCE, SWEEP_CHANCE = 0.06, 0.6
SHOWN_DB, WHITE_DB = 26.0, 6.0  # dynamic range, and the power that is white
DERIVATIVE_MS = 12.0


@dataclass(frozen=True)
class Jet:
    """One stream of blood or muscle: speed [N] m/s, positive towards the probe, and how it fills its envelope."""

    speed: Float32Array
    strength: float
    is_filled: bool  # CW meets every speed up to the envelope; PW only those near it
    width: float  # spread of the speeds in m/s


@dataclass(frozen=True)
class SpectralScale:
    """Velocities from the bottom to the top of the strip, and what the wall filter takes away, m/s."""

    low: float
    high: float
    wall: float


def film_spectral(order: Order) -> Take:
    """A spectral strip below or beside a small sector, frozen or live, or alone on the screen."""
    canvas, rng = open_canvas(order), order.rng(127)
    layout = draw_layout(canvas, rng, order.kind.endswith("_full"))
    height, width = layout.size
    clock = StripClock(width, float(rng.choice(SPANS_MS)), bool(rng.random() < SWEEP_CHANCE))
    ticks = clock.ticks(order.frame_times_ms)
    times_ms = clock.times_ms(ticks)
    jets, scale = _draw_jets(order, times_ms, rng)
    grey = _spectrum(jets, scale, ticks, height, _clicks(order.rhythm, times_ms), rng)
    strip = _colour(grey, scale, rng)
    standing = dress(canvas, layout, order, rng)
    draw_scale(standing, layout, scale.low * 100, scale.high * 100, "cm/s")
    draw_time_marks(standing, layout, clock)
    voltage = draw_ecg_mv(order.rhythm, times_ms, rng)
    pane = _gated_pane(order, layout.sector, rng) if layout.sector else None
    return film_strip(order, canvas, standing, Strip(clock, layout, ticks, strip, voltage), pane)


def _gated_pane(order: Order, box: Box, rng: np.random.Generator) -> Pane:
    """The small sector with the beam, and the sample volume that PW has."""
    studio = set_up_pane(order, box)
    angle_deg, gate_mm = float(rng.uniform(-12, 12)), float(rng.uniform(0.45, 0.7)) * studio.screen.depth_mm
    return strip_pane(studio, box, angle_deg, None if order.kind == "cw" else gate_mm, rng)


def _draw_jets(order: Order, times_ms: TimeArray, rng: np.random.Generator) -> tuple[list[Jet], SpectralScale]:
    """Draw what the beam meets at times [N] ms, and the scale a sonographer would set for it."""
    states = [order.rhythm.state_at(float(time)) for time in times_ms]
    inflow = as_float32([state.inflow for state in states])
    outflow = as_float32([state.outflow for state in states])
    apical = order.view in ("A2C", "A4C")
    if order.kind == "tissue":
        later = as_float32([order.rhythm.state_at(float(time) + DERIVATIVE_MS).contraction for time in times_ms])
        rate = later - as_float32([state.contraction for state in states])
        peak = float(rng.uniform(*WALL_M_PER_S))
        speed = as_float32(rate / max(float(np.abs(rate).max()), 1e-6) * peak * (1 if apical else -1))
        return [Jet(speed, 1.0, False, 0.14 * peak)], SpectralScale(-1.5 * peak, 1.4 * peak, 0.02 * peak)
    if order.kind.startswith("pw"):
        filling = float(rng.uniform(*INFLOW_M_PER_S))
        ejection = float(rng.uniform(*OUTFLOW_M_PER_S))
        if apical and rng.random() < 0.7:
            jets = [Jet(inflow * filling, 1.0, False, 0.07), Jet(-outflow * ejection * 0.6, 0.12, False, 0.1)]
            return jets, SpectralScale(-0.5 * filling, 1.45 * filling, 0.05)
        jets = [Jet(-outflow * ejection, 1.0, False, 0.08), Jet(inflow * filling * 0.5, 0.08, False, 0.1)]
        return jets, SpectralScale(-1.45 * ejection, 0.5 * ejection, 0.05)
    if rng.random() < 0.5:
        peak, shape = float(rng.uniform(*STENOSIS_M_PER_S)), outflow
    else:
        peak, shape = float(rng.uniform(*LEAK_M_PER_S)), as_float32(outflow**0.45)
    jets = [Jet(-shape * peak, 1.0, True, 0.15), Jet(inflow * 0.9, 0.6, True, 0.1)]
    return jets, SpectralScale(-1.35 * peak, max(1.4, 0.3 * peak), 0.12)


def _spectrum(
    jets: list[Jet], scale: SpectralScale, ticks: Ticks, height: int, clicks: Float32Array, rng: np.random.Generator
) -> ByteArray:
    """Grey levels [height, N] of the strip's columns, highest velocity on top."""
    speed = np.linspace(scale.high, scale.low, height, dtype=np.float32)[:, None]  # [height, 1]
    power = np.full((height, len(ticks)), rng.uniform(0.002, 0.02), dtype=np.float32)
    for jet in jets:
        power += np.float32(jet.strength) * _envelope(jet, speed)
    slow = np.exp(-np.abs(speed) / np.float32(3 * scale.wall + 0.01))
    power += slow * np.float32(rng.uniform(0.1, 0.5)) + clicks * np.exp(-np.abs(speed) / np.float32(0.35 * scale.high))
    power *= np.abs(speed) > np.float32(scale.wall)
    bank = scatterer_bank()
    rows = (np.arange(height) + int(rng.integers(BANK_PX))) % BANK_PX
    piece = bank[np.ix_(rows, ticks % BANK_PX)]
    power *= (piece**2).sum(axis=2)
    power = as_float32(cv2.GaussianBlur(power, (0, 0), 0.8))
    shown_db = 10 * np.log10(power + np.float32(1e-6))
    return as_bytes(np.clip(((shown_db - WHITE_DB) / SHOWN_DB + 1) * 255, 0, 255).astype(np.uint8))


def _envelope(jet: Jet, speed: Float32Array) -> Float32Array:
    """Power [height, N] of one stream over velocities [height, 1]."""
    peak = jet.speed[None]
    spread = np.float32(jet.width) * (np.float32(0.5) + np.abs(peak) / np.float32(np.abs(jet.speed).max() + 1e-6))
    edge = np.exp(-(((speed - peak * np.float32(0.9)) / spread) ** 2))
    share = np.clip(speed * np.sign(peak) / (np.abs(peak) + np.float32(1e-6)), 0, 2)
    within = ((share > 0) & (share < 1)).astype(np.float32)
    flowing = np.minimum(np.abs(peak) / np.float32(0.25 * np.abs(jet.speed).max() + 1e-6), 1)
    if jet.is_filled:
        return as_float32(flowing * (0.35 * within * (0.4 + share**2) + 0.5 * edge))
    return as_float32(flowing * (edge + 0.04 * within))


def _clicks(rhythm: Rhythm, times_ms: TimeArray) -> Float32Array:
    """Power [N] of the valves' opening and closing in each column."""
    is_open = np.array([_valves(rhythm, float(time)) for time in times_ms])  # [N, 2]
    moved = np.abs(np.diff(is_open, axis=0, prepend=is_open[:1])).sum(axis=1)
    return as_float32(0.8 * (moved > 0))


def _valves(rhythm: Rhythm, time_ms: float) -> tuple[int, int]:
    """Whether mitral and aortic valve are open, 0 or 1."""
    state = rhythm.state_at(time_ms)
    return int(state.mitral_opening > 0.15), int(state.aortic_opening > 0.3)


def _colour(grey: ByteArray, scale: SpectralScale, rng: np.random.Generator) -> ByteArray:
    """A strip [h, N] through one of the usual maps, with its baseline; [h, N, 3] BGR."""
    name = str(rng.choice(GREY_MAPS))
    if rng.random() < INVERTED_CHANCE:
        grey = as_bytes(255 - grey)
    strip = cv2.merge([grey, grey, grey])
    if name != "grey":
        strip = cv2.LUT(strip, tint_table(name))
    row = int(scale.high / (scale.high - scale.low) * len(grey))
    strip[row : row + max(len(grey) // 250, 1)] = (200, 200, 60) if rng.random() < 0.5 else (190, 190, 190)
    return as_bytes(strip)
