"""One seeded description in, one cine and its truth out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array, TimeArray
from training.simulator.composites import film_dual, film_split
from training.simulator.doppler import film_colour
from training.simulator.foreign import film_foreign
from training.simulator.m_mode import film_m_mode
from training.simulator.planes import VIEWS, draw_plane, name_variety
from training.simulator.screens import film_screen
from training.simulator.sectors import (
    film_black,
    film_frozen,
    film_plain,
    film_saturated,
    film_short,
    film_still,
    film_tinted,
)
from training.simulator.shapes import area_mm2
from training.simulator.spectral import film_spectral
from training.simulator.studio import Order, Take
from training.simulator.text_screens import film_text
from training.simulator.variants import KINDS, VARIANTS

FILMS: dict[str, Callable[[Order], Take]] = {
    "b_mode": film_plain,
    "colour_doppler": film_colour,
    "still": film_still,
    "tinted": film_tinted,
    "frozen": film_frozen,
    "black": film_black,
    "saturated": film_saturated,
    "short": film_short,
    "split": film_split,
    "dual": film_dual,
    "spectral": film_spectral,
    "m_mode": film_m_mode,
    "text": film_text,
    "foreign": film_foreign,
    "screens": film_screen,
}


@dataclass(frozen=True)
class Truth:
    """What is known of a cine because it was made; lengths in mm, volumes in ml, arrays over the T frames.

    Where there are several sectors, what describes a sector and its heart is that of the ordered view's (the first).
    A cine without a sector has an empty mask and outline, and 0 for what describes a sector.
    """

    view: str
    style: str
    variant: str
    kind: str  # of the variant, one of `KINDS`
    seed: int
    variety: str  # kind of cut within the view, such as the short-axis level
    lvef_fraction: float
    heart_rate_bpm: float
    lv_ed_volume_ml: float
    ed_frame: int
    es_frame: int
    contraction: Float32Array  # [T], 0 at end-diastole, 1 at end-systole
    lv_area_mm2: Float32Array  # [T], cavity of the ventricle in the plane, 0 where not cut
    lv_contour_px: Float32Array  # [T, N, 2], (x, y) of the cavity's outline; N is 0 where not cut
    sector_mask: BoolArray  # [H, W], union of all sectors
    sectors: int  # how many are shown
    colour_fraction: float  # largest share of the sectors that Doppler colours in one frame
    strip_px: tuple[int, int, int, int] | None  # left, top, right, bottom of an M-mode or spectral strip
    pixel_spacing_mm: float
    depth_mm: float
    probe_px: tuple[float, float]  # (x, y) of the beams' common origin
    is_flipped: bool


@dataclass(frozen=True)
class SimulatedCine:
    """Frames [T, H, W, C] uint8 (C 1 grey or 3 RGB), their times [T] in ms from 0, and the truth."""

    frames: ByteArray
    frame_times_ms: TimeArray
    truth: Truth


def simulate_cine(
    seed: int,
    view: str,
    style: str,
    *,
    variant: str = "b_mode",
    kind: str | None = None,
    frame_times_ms: TimeArray | None = None,
    size_px: int | None = None,
) -> SimulatedCine:
    """Simulate one cine; the same arguments give the same bits.

    Args:
        seed: the subject; its views show the same heart.
        view: A2C, A4C, PLAX or PSAX.
        style: one of `STYLES`.
        variant: what the cine is, one of `VARIANTS`; `b_mode` is the plain view.
        kind: which of the variant's `KINDS`; None draws one.
        frame_times_ms: wanted times, shape [T], ms; each frame depends on its own time only. None: 1.2-2 beats at
            the style's frame rate.
        size_px: side of a square picture of the same sector; None keeps the style's own canvas.

    Raises:
        ValueError: unknown view, style, variant or kind; the message names the known ones.
    """
    _check("variant", variant, VARIANTS)
    _check("view", view, VIEWS)
    kinds = KINDS[variant]
    order = Order(seed, view, style, variant, kind or "", frame_times_ms, size_px)
    if kind is None:
        kind = kinds[int(order.rng(97).integers(len(kinds)))]
    _check(f"kind of {variant}", kind, kinds)
    order = Order(seed, view, style, variant, kind, frame_times_ms, size_px)
    take = FILMS[variant](order)
    return SimulatedCine(take.frames, take.times_ms, _tell_truth(order, take))


def _check(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"unknown {name} {given!r}, expected one of {', '.join(known)}")


def _tell_truth(order: Order, take: Take) -> Truth:
    """Collect what is known of a film."""
    subject, rhythm, studio = order.subject, order.rhythm, take.studio
    screen = studio.screen if studio else None
    held = np.full_like(take.times_ms, take.times_ms[0]) if take.is_held else take.times_ms
    states = [rhythm.state_at(float(time)) for time in held]
    cavities = np.zeros((len(held), 0, 2), dtype=np.float32)
    if studio is not None:
        cavities = np.stack([studio.scene_at(float(time)).lv_cavity for time in held])
    contraction = np.array([state.contraction for state in states], dtype=np.float32)
    return Truth(
        view=order.view,
        style=order.style,
        variant=order.variant,
        kind=order.kind,
        seed=order.seed,
        variety=name_variety(draw_plane(subject, order.view, order.seed)),
        lvef_fraction=subject.lvef_fraction,
        heart_rate_bpm=subject.heart_rate_bpm,
        lv_ed_volume_ml=subject.lv_ed_volume_ml,
        ed_frame=int(contraction.argmin()),
        es_frame=int(contraction.argmax()),
        contraction=contraction,
        lv_area_mm2=np.array([area_mm2(cavity) for cavity in cavities], dtype=np.float32),
        lv_contour_px=screen.to_px(cavities) if screen else cavities,
        sector_mask=take.sector_mask,
        sectors=take.sectors,
        colour_fraction=take.colour_fraction,
        strip_px=take.strip_px,
        pixel_spacing_mm=1 / screen.px_per_mm if screen else 0.0,
        depth_mm=screen.depth_mm if screen else 0.0,
        probe_px=(screen.probe_x_px, screen.probe_y_px) if screen else (0.0, 0.0),
        is_flipped=screen.is_flipped if screen else False,
    )
