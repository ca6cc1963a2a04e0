"""One ordered cine from the simulator, and what is true of it: all that the classifier's training asks of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import FloatArray, TimesArray
from services.cine.views import ANSWERED_VIEWS, View
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.heart.subject import draw_subject
from training.simulator.sources.catalogue import catalogue
from training.simulator.sources.recipes import ViewShares
from training.simulator.styles import FAMILIES, RANDOM_STYLE, STYLES

FAR_KINDS = (
    *(("spectral", "pw"), ("spectral", "cw"), ("spectral", "tissue"), ("m_mode", "sweep"), ("m_mode", "scroll")),
    *(("text", "report"), ("text", "worksheet"), ("text", "chart"), ("foreign", "photo"), ("foreign", "ct")),
    *(("foreign", "linear"), ("foreign", "convex"), ("foreign", "convex"), ("foreign", "shapes")),
    *(("foreign", "noise"), ("black", "off_chest"), ("black", "off_chest"), ("saturated", "noise")),
)
"""Variants and kinds that are no heart in B-mode; what meets a view classifier most often stands twice."""


@dataclass(frozen=True)
class CineOrder:
    """One cine to be simulated.

    Attributes:
        subject: seed of the heart.
        view, style: of the simulator; the view of a far variant is what lies under it, if anything does.
        plane: of the simulator; None leaves it to the view.
        variant, kind: `b_mode` and `plain`, or one of `FAR_KINDS`.
        size_px: side of a square picture; None keeps the style's canvas.
        frame_times_ms: wanted times, rising, ms.
        is_still: whether the sector is found in one frame.
        without: what the simulator leaves out.
    """

    subject: int
    view: View
    style: str
    size_px: int | None
    frame_times_ms: tuple[float, ...]
    plane: str | None = None
    variant: str = "b_mode"
    kind: str = "plain"
    is_still: bool = False
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelledCine:
    """A simulated cine and what it shows.

    Attributes:
        cine: frames, times and truth.
        shares: of each of ANSWERED_VIEWS in each frame, [T, K], rows summing to 1.
        plane: name of the plane that was cut, or of the far variant.
        traits: LVEF (fraction), heart rate (1/min), septal thickness (mm), [3]; NaN where there is no heart.
    """

    cine: SimulatedCine
    shares: FloatArray
    plane: str
    traits: FloatArray


def simulate(order: CineOrder) -> LabelledCine:
    """Render one ordered cine."""
    times_ms: TimesArray = np.array(order.frame_times_ms)
    cine = simulate_cine(
        order.subject,
        order.view.value,
        order.style,
        plane=order.plane,
        variant=order.variant,
        kind=order.kind,
        frame_times_ms=times_ms,
        size_px=order.size_px,
        without=frozenset(order.without),
    )
    truth = cine.truth
    if order.variant != "b_mode":
        shares = np.zeros((len(cine.frames), len(ANSWERED_VIEWS)), np.float32)
        shares[:, ANSWERED_VIEWS.index(View.OTHER)] = 1.0
        return LabelledCine(cine, shares, f"{order.variant}.{order.kind}", np.full(3, np.nan, np.float32))
    traits = (truth.lvef_fraction, truth.heart_rate_bpm, draw_subject(order.subject).septum_mm)
    return LabelledCine(cine, truth.shares, truth.plane, np.array(traits, np.float32))


def families() -> dict[str, tuple[str, ...]]:
    """Give the families of styles and the styles of each."""
    return FAMILIES


def random_style(left_out: tuple[str, ...]) -> str:
    """Name the style whose every factor is drawn by itself, from the sources of all families but those left out."""
    return "-".join((RANDOM_STYLE, *left_out))


def styles() -> tuple[str, ...]:
    """Give every named style, in the order of their numbers."""
    return tuple(STYLES)


def thesis_views(style: str) -> ViewShares | None:
    """Give the share of each view in the thesis's set of this name; None where it has none."""
    return catalogue()[style].view_shares
