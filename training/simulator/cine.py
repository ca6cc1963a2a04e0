"""One seeded description in, one cine and its truth out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array, TimeArray
from training.simulator.films.composites import film_dual, film_split
from training.simulator.films.doppler import film_colour
from training.simulator.films.foreign import film_foreign
from training.simulator.films.m_mode import film_m_mode
from training.simulator.films.screens import film_screen
from training.simulator.films.sectors import (
    film_black,
    film_frozen,
    film_plain,
    film_saturated,
    film_short,
    film_still,
    film_tinted,
)
from training.simulator.films.spectral import film_spectral
from training.simulator.films.text_screens import film_text
from training.simulator.heart.heart import Heart
from training.simulator.studio import PHYSICS, Order, Take
from training.simulator.truth.recording import Recording
from training.simulator.truth.views import frame_shares
from training.simulator.variants import KINDS, USABLE_VARIANTS, VARIANTS
from training.simulator.views.names import PLANES, VIEW_CLASSES

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
    """What is known of a cine because it was made; what costs something is computed when it is asked for.

    Where there are several sectors, what describes a sector and its heart is that of the ordered view's (the first).
    A cine without a sector has an empty mask and outline, and 0 for what describes a sector. Masks, contours,
    landmarks, motion and volumes: the functions of `training.simulator.truth`, from `recording`.
    """

    view: str  # as ordered, one of `VIEW_CLASSES`
    plane: str  # one of `PLANES`; as drawn where none was ordered
    style: str
    variant: str
    kind: str  # of the variant, one of `KINDS`
    seed: int
    heart_rate_bpm: float
    sector_mask: BoolArray  # [H, W], union of all sectors
    sectors: int  # how many are shown
    colour_fraction: float  # largest share of the sectors that Doppler colours in one frame
    strip_px: tuple[int, int, int, int] | None  # left, top, right, bottom of an M-mode or spectral strip
    contraction: Float32Array  # [T], 0 at end-diastole, 1 at end-systole
    heart: Heart
    recording: Recording | None  # None where no sector is shown

    @property
    def ed_frame(self) -> int:
        """Index of the frame nearest to end-diastole."""
        return int(self.contraction.argmin())

    @property
    def es_frame(self) -> int:
        """Index of the frame nearest to end-systole."""
        return int(self.contraction.argmax())

    @property
    def lvef_fraction(self) -> float:
        """Ejection fraction from the model's volumes, 0-1."""
        return self.heart.lvef_fraction

    @property
    def lv_ed_volume_ml(self) -> float:
        """Volume of the left ventricle's cavity at end-diastole."""
        return self.heart.lv_volume_ml(0.0)

    @cached_property
    def shares(self) -> Float32Array:
        """Share of each of `VIEW_CLASSES` in each frame, by what the plane cuts, [T, 5]; rows sum to 1."""
        if self.recording is None or self.variant not in USABLE_VARIANTS:
            shares = np.zeros((len(self.contraction), len(VIEW_CLASSES)), dtype=np.float32)
            shares[:, VIEW_CLASSES.index("OTHER")] = 1
            return shares
        return frame_shares(self.recording)

    @property
    def pixel_spacing_mm(self) -> tuple[float, float]:
        """Millimetres a pixel: down and across; 0 without a sector."""
        return self.recording.screen.pixel_spacing_mm if self.recording else (0.0, 0.0)

    @property
    def depth_mm(self) -> float:
        """Depth of the sector."""
        return self.recording.screen.depth_mm if self.recording else 0.0

    @property
    def probe_px(self) -> tuple[float, float]:
        """Where the beams meet, (x, y)."""
        return (self.recording.screen.probe_x_px, self.recording.screen.probe_y_px) if self.recording else (0.0, 0.0)

    @property
    def is_flipped(self) -> bool:
        """Whether left and right are exchanged."""
        return self.recording.screen.is_flipped if self.recording else False


@dataclass(frozen=True)
class SimulatedCine:
    """Frames [T, H, W, C] uint8 (C 1 grey or 3 RGB), their times [T] in ms from 0, and the truth."""

    frames: ByteArray
    frame_times_ms: TimeArray
    truth: Truth


def simulate_cine(  # noqa: PLR0913 - the one door: each argument is one choice, all but three by name
    seed: int,
    view: str,
    style: str,
    *,
    plane: str | None = None,
    variant: str = "b_mode",
    kind: str | None = None,
    frame_times_ms: TimeArray | None = None,
    size_px: int | None = None,
    without: frozenset[str] = frozenset(),
) -> SimulatedCine:
    """Simulate one cine; the same arguments give the same bits.

    Args:
        seed: the subject; its views show the same heart.
        view: A2C, A4C, PLAX, PSAX or OTHER.
        style: one of `STYLES`, or `random`.
        plane: one of `PLANES`; None draws one of the view's until what it cuts is that view.
        variant: what the cine is, one of `VARIANTS`; `b_mode` is the plain view.
        kind: which of the variant's `KINDS`; None draws one.
        frame_times_ms: wanted times, shape [T], ms; each frame depends on its own time only. None: 1.2-2 beats at
            the style's frame rate.
        size_px: side of a square picture of the same sector; None keeps the style's own canvas.
        without: what is left out of the physics, of `PHYSICS`; for ablations.

    Raises:
        ValueError: unknown view, plane, style, variant, kind or part of the physics; the message names the known ones.
    """
    _check("variant", variant, VARIANTS)
    _check("view", view, VIEW_CLASSES)
    if plane is not None:
        _check("plane", plane, PLANES)
    for part in without:
        _check("part of the physics", part, PHYSICS)
    kinds = KINDS[variant]
    order = Order(seed, view, style, variant, "", plane, frame_times_ms, size_px, without)
    if kind is None:
        kind = kinds[int(order.rng(97).integers(len(kinds)))]
    _check(f"kind of {variant}", kind, kinds)
    order = replace(order, kind=kind)
    take = FILMS[variant](order)
    return SimulatedCine(take.frames, take.times_ms, _tell_truth(order, take))


def _check(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"unknown {name} {given!r}, expected one of {', '.join(known)}")


def _tell_truth(order: Order, take: Take) -> Truth:
    """Collect what is known of a film."""
    studio = take.studio
    held = np.full_like(take.times_ms, take.times_ms[0]) if take.is_held else take.times_ms
    recording = None
    if studio is not None:
        poses = tuple(studio.aim.pose_at(float(time)) for time in held)
        recording = Recording(order.heart, order.rhythm, poses, studio.screen, held)
    return Truth(
        view=order.view,
        plane=order.aim.plane,
        style=order.style,
        variant=order.variant,
        kind=order.kind,
        seed=order.seed,
        heart_rate_bpm=order.subject.heart_rate_bpm,
        sector_mask=take.sector_mask,
        sectors=take.sectors,
        colour_fraction=take.colour_fraction,
        strip_px=take.strip_px,
        contraction=np.array([order.rhythm.state_at(float(time)).contraction for time in held], dtype=np.float32),
        heart=order.heart,
        recording=recording,
    )
