"""One ordered cine from the simulator, and what is true of it: all that the classifier's training asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.cine.cine import FloatArray, TimesArray
from services.cine.views import ANSWERED_VIEWS, View
from training.simulator import styles
from training.simulator.anatomy import draw_subject
from training.simulator.cine import SimulatedCine, Truth, simulate_cine

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
    is_far = order.variant != "b_mode"
    cine = _simulate(order)
    shares = np.zeros((len(cine.frames), len(ANSWERED_VIEWS)), np.float32)
    if is_far:
        shares[:, ANSWERED_VIEWS.index(View.OTHER)] = 1.0
        return LabelledCine(cine, shares, f"{order.variant}.{order.kind}", np.full(3, np.nan, np.float32))
    shares[:] = _shares(cine)
    truth, heart = cine.truth, draw_subject(order.subject)
    traits = np.array([truth.lvef_fraction, truth.heart_rate_bpm, heart.septum_mm], np.float32)
    return LabelledCine(cine, shares, _plane(cine), traits)


def families() -> dict[str, tuple[str, ...]]:
    """Give the families of styles and the styles of each."""
    return _FAMILIES


def random_style(left_out: tuple[str, ...]) -> str:
    """Name the style whose every factor is drawn by itself, from the sources of all families but those left out."""
    return "-".join(("random", *left_out)) if HAS_CONTRACT else styles.SEEN_STYLES[0]


# ---- ADAPTER to the simulator of before the heart: to be deleted when `simulate_cine` keeps the contract ------------
# Then: _simulate(order) is one call of simulate_cine with order's fields and without=frozenset(order.without);
# _shares(cine) is cine.truth.shares, _plane(cine) is cine.truth.plane, _FAMILIES is styles.FAMILIES.

HAS_CONTRACT = "shares" in Truth.__dataclass_fields__

_FAMILIES: dict[str, tuple[str, ...]] = styles.FAMILIES


def _simulate(order: CineOrder) -> SimulatedCine:
    variant, kind, view = order.variant, order.kind, order.view
    if not HAS_CONTRACT and view is View.OTHER:
        view = View.A4C  # has no other planes: something far stands in
        if variant == "b_mode":
            variant, kind = FAR_KINDS[order.subject % len(FAR_KINDS)]
    extra: dict[str, Any] = {"without": frozenset(order.without)} if HAS_CONTRACT and order.without else {}
    times_ms: TimesArray = np.array(order.frame_times_ms)
    return simulate_cine(
        order.subject,
        view.value,
        order.style,
        variant=variant,
        kind=kind,
        frame_times_ms=times_ms,
        size_px=order.size_px,
        **extra,
    )


def _shares(cine: SimulatedCine) -> FloatArray:
    if HAS_CONTRACT:
        return np.asarray(cine.truth.shares, np.float32)  # type: ignore[attr-defined, unused-ignore]
    shares = np.zeros((len(cine.frames), len(ANSWERED_VIEWS)), np.float32)
    label = View(cine.truth.view) if cine.truth.variant == "b_mode" else View.OTHER
    shares[:, ANSWERED_VIEWS.index(label)] = 1.0
    return shares


def _plane(cine: SimulatedCine) -> str:
    return str(getattr(cine.truth, "plane", f"{cine.truth.view} {cine.truth.variety}".lower()))


# ---- end of the adapter ---------------------------------------------------------------------------------------------
