"""Measures every rule of validation on simulated cines of all variants and styles, over the ways that cines travel."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from services.cine.cine import TimesArray, UInt8Array
from services.cine.intake import Intake, IntakeOptions, take_in
from services.cine.validation.findings import FindingCode
from training.evaluation.transports import Transport, draw_quality, pack
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.styles import STYLES
from training.simulator.variants import KINDS, USABLE_VARIANTS
from training.simulator.views.names import VIEW_CLASSES

WANTED: dict[str, FindingCode | None] = {
    "b_mode": None,
    "screens": None,
    "tinted": FindingCode.ABNORMAL_COLOURING,
    "colour_doppler": FindingCode.COLOUR_DOPPLER,
    "still": FindingCode.STILL,
    "frozen": FindingCode.FROZEN,
    "short": FindingCode.TOO_SHORT,
    "black": FindingCode.DARK,
    "saturated": FindingCode.SATURATED,
    "split": FindingCode.SPLIT_VIEW,
    "dual": FindingCode.SPLIT_VIEW,
    "spectral": FindingCode.SPECTRAL_DOPPLER,
    "m_mode": FindingCode.M_MODE,
    "text": FindingCode.FOREIGN_PICTURE,
    "foreign": FindingCode.FOREIGN_PICTURE,
}
"""What each variant must get."""

RULES = tuple(dict.fromkeys(code for code in WANTED.values() if code))
TRANSPORTS = (Transport.JPEG, Transport.MJPEG, Transport.H264)
FRAME_TIMES_MS: TimesArray = np.arange(28, dtype=np.float64) * 35.0
"""A second, about a beat; only `short` has times of its own."""

SMALL_SIDE_PX = 112
SMALL_CHANCE = 0.2
"""Share of the cines that come as the small crops of public data sets, besides the styles that always do."""

Z_95 = 1.96  # of the normal distribution, two-sided
_MOST_MISSES = 40
_TILE_PX = 220


@dataclass(frozen=True)
class Order:
    """One cine to make and send; the same order gives the same bytes."""

    subject: int
    view: str
    style: str
    variant: str
    kind: str
    transport: Transport
    quality: int
    size_px: int | None


@dataclass(frozen=True)
class Measured:
    """What one cine got.

    Attributes:
        order: the cine.
        codes: of its findings.
        is_accepted: whether nothing rejects it.
        has_view: whether a model is asked.
        still_has_view: whether one is asked about a PNG of its middle frame, which is rejected as a still at least.
    """

    order: Order
    codes: tuple[FindingCode, ...]
    is_accepted: bool
    has_view: bool
    still_has_view: bool

    @property
    def is_missed(self) -> bool:
        """Whether it did not get what its variant must get, or was rejected though it is usable."""
        wanted = WANTED[self.order.variant]
        usable = self.order.variant in USABLE_VARIANTS
        return (wanted is not None and not self.is_told(wanted)) or (usable and not self.is_accepted)

    def is_told(self, rule: FindingCode) -> bool:
        """Whether it got a finding; a foreign picture may be told by its box."""
        return rule in self.codes or (rule is FindingCode.FOREIGN_PICTURE and FindingCode.ZOOMED in self.codes)


@dataclass(frozen=True)
class Rate:
    """A share, with its Wilson interval at 95 % (Wilson 1927)."""

    hits: int
    count: int

    def __str__(self) -> str:
        """Write the share, its interval and its counts."""
        if not self.count:
            return "-"
        low, high = self.interval
        return f"{self.hits / self.count:.3f} ({low:.2f}-{high:.2f}) {self.hits}/{self.count}"

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound."""
        share, n, z2 = self.hits / self.count, self.count, Z_95**2
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        return max(0.0, middle - half), min(1.0, middle + half)


def plan(cines: int, seed: int, variants: Sequence[str] = tuple(WANTED)) -> list[Order]:
    """Order cines over all kinds of variants and all styles in turn, the rest by chance; subjects start at `seed`."""
    kinds = [(variant, kind) for variant in variants for kind in KINDS[variant]]
    orders = []
    for index in range(cines):
        rng = np.random.default_rng([seed + index, 163])
        turn, place = divmod(index, len(kinds))
        variant, kind = kinds[place]
        transport = TRANSPORTS[int(rng.integers(len(TRANSPORTS)))]
        order = Order(
            subject=seed + index,
            view=VIEW_CLASSES[int(rng.integers(len(VIEW_CLASSES)))],
            style=STYLES[(place + turn) % len(STYLES)],
            variant=variant,
            kind=kind,
            transport=transport,
            quality=draw_quality(transport, rng),
            size_px=SMALL_SIDE_PX if rng.random() < SMALL_CHANCE and variant != "screens" else None,
        )
        orders.append(order)
    return orders


def measure(order: Order) -> Measured:
    """Make one cine, send it, and take it in as the service does; then its middle frame alone."""
    cv2.setNumThreads(1)
    cine = make(order)
    intake = receive(cine, order)
    middle = np.ascontiguousarray(cine.frames[len(cine.frames) // 2][..., ::-1])
    still = take_in(cv2.imencode(".png", middle)[1].tobytes(), IntakeOptions())
    return Measured(
        order=order,
        codes=tuple(finding.code for finding in intake.findings),
        is_accepted=intake.is_accepted,
        has_view=len(intake.model_input) > 0,
        still_has_view=len(still.model_input) > 0,
    )


def make(order: Order) -> SimulatedCine:
    """Render an ordered cine."""
    return simulate_cine(
        order.subject,
        order.view,
        order.style,
        variant=order.variant,
        kind=order.kind,
        frame_times_ms=None if order.variant == "short" else FRAME_TIMES_MS,
        size_px=order.size_px,
    )


def receive(cine: SimulatedCine, order: Order) -> Intake:
    """Send a cine and take it in at the other end."""
    return take_in(pack(cine, order.transport, order.quality), IntakeOptions())


def sensitivity(measured: Sequence[Measured], rule: FindingCode) -> Rate:
    """Give the share of the cines that must get a finding and do."""
    wanted = [one for one in measured if WANTED[one.order.variant] is rule]
    return Rate(sum(one.is_told(rule) for one in wanted), len(wanted))


def specificity(measured: Sequence[Measured], rule: FindingCode, usable_only: bool = False) -> Rate:
    """Give the share of the cines that must not get a finding and do not; colour compare may get colour too."""
    others = [one for one in measured if WANTED[one.order.variant] is not rule]
    others = [one for one in others if not (rule is FindingCode.COLOUR_DOPPLER and one.order.variant == "dual")]
    if usable_only:
        others = [one for one in others if one.order.variant in USABLE_VARIANTS]
    return Rate(sum(rule not in one.codes for one in others), len(others))


def accepted(measured: Sequence[Measured], variant: str) -> Rate:
    """Give the share of a variant's cines that are accepted."""
    group = [one for one in measured if one.order.variant == variant]
    return Rate(sum(one.is_accepted for one in group), len(group))


def told(measured: Sequence[Measured], variant: str, still: bool) -> Rate:
    """Give the share of a variant's cines, or of stills of them, of which a view is told."""
    group = [one for one in measured if one.order.variant == variant]
    return Rate(sum(one.still_has_view if still else one.has_view for one in group), len(group))


def write_cines(measured: Sequence[Measured], path: Path) -> None:
    """Write one line a cine."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        described = ["subject", "view", "style", "variant", "kind", "transport", "quality", "size_px"]
        writer.writerow([*described, "codes", "accepted", "has_view", "still_has_view"])
        for one in measured:
            o = one.order
            cells = (o.subject, o.view, o.style, o.variant, o.kind, o.transport, o.quality, o.size_px or "")
            flags = (int(one.is_accepted), int(one.has_view), int(one.still_has_view))
            writer.writerow([*cells, " ".join(one.codes), *flags])


def write_rules(measured: Sequence[Measured], path: Path) -> None:
    """Write one line a rule and style, all styles together first."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rule", "style", "found", "of", "silent", "of", "silent_on_usable", "of"])
        for rule in RULES:
            for style in ("all", *STYLES):
                group = [one for one in measured if style in ("all", one.order.style)]
                rates = (sensitivity(group, rule), specificity(group, rule), specificity(group, rule, True))
                writer.writerow([rule, style, *(number for rate in rates for number in (rate.hits, rate.count))])


def draw_misses(measured: Sequence[Measured]) -> UInt8Array:
    """Draw the middle frames of the cines that were judged wrongly, accepted ones first; BGR, [H, W, 3]."""
    misses = sorted((one for one in measured if one.is_missed), key=lambda one: not one.is_accepted)[:_MOST_MISSES]
    tiles = [_tile(one) for one in misses] or [np.zeros((_TILE_PX + 32, _TILE_PX, 3), np.uint8)]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 8)
    return np.vstack([np.hstack(tiles[start : start + 8]) for start in range(0, len(tiles), 8)])


def _tile(one: Measured) -> UInt8Array:
    frames = make(one.order).frames
    middle = np.broadcast_to(frames[len(frames) // 2], (*frames.shape[1:3], 3))[..., ::-1].copy()
    factor = _TILE_PX / max(middle.shape)
    shown = cv2.resize(middle, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    image = np.zeros((_TILE_PX + 32, _TILE_PX, 3), np.uint8)
    image[: shown.shape[0], : shown.shape[1]] = shown
    order = one.order
    lines = (f"{order.variant}.{order.kind} {order.style}", f"{order.transport.name}: {' '.join(one.codes) or 'none'}")
    for row, line in enumerate(lines):
        place = (3, _TILE_PX + 12 + 14 * row)
        cv2.putText(image, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (200, 200, 200), 1, cv2.LINE_AA)
    return image
