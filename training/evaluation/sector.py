"""Measures the sector finder on simulated screens, whose sector is known, over every way that cines travel."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from services.cine.budget import ReadLimits
from services.cine.cine import BoolArray, Cine, FloatArray, TimesArray, UInt8Array
from services.cine.reading import read_cine
from services.cine.sector import Sector, find_sector
from training.evaluation.transports import Transport, draw_quality, pack
from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.sets.writers import to_grey
from training.simulator.styles import STYLES
from training.simulator.views.names import VIEWS

LEAST_MEDIAN_IOU = 0.95
LEAST_FIFTH_IOU = 0.85
"""What is promised of the intersection over union: its median and its 5th percentile over all cines."""

FRAME_TIMES_MS: TimesArray = np.arange(24, dtype=np.float64) * 35.0
"""0.8 s, about a beat: what the shortest usable cines show."""

SMALL_SIDE_PX = 112
SMALL_CHANCE = 0.25
"""Share of the cines that come as the small crops of public data sets, besides the styles that always do."""

_OVERLAY_GREY = 48  # darker than every ink
_ZOOMED_PROBE_FRACTION = 0.05  # of the height, that the probe of a zoomed sector lies above the frame
_WORST = 12
_TILE_PX = 320
_TRUE, _FOUND = (90, 200, 90), (80, 80, 250)  # BGR


class Framing(StrEnum):
    """What the screen looks like; a cine may be several of them."""

    BARE = "bare sector"
    OVERLAYS = "screen with overlays"
    SMALL = "112 x 112 px"
    CUT = "cut by the border"
    ZOOMED = "zoomed box"


@dataclass(frozen=True)
class Order:
    """One cine to make and send; the same order gives the same bytes."""

    subject: int
    view: str
    style: str
    transport: Transport
    quality: int
    size_px: int | None


@dataclass(frozen=True)
class Measured:
    """How well the sector of one cine was found.

    Attributes:
        order: the cine.
        framings: what its screen looks like.
        iou: intersection over union of the found sector with the true one, 0 where none was found.
        still_iou: the same from its first frame alone.
    """

    order: Order
    framings: frozenset[Framing]
    iou: float
    still_iou: float


@dataclass(frozen=True)
class Row:
    """A group of cines in the table: quantiles of the intersection over union, and how many were missed."""

    name: str
    cines: int
    median: float
    fifth: float
    missed: int
    still_median: float
    still_missed: int


def plan(cines: int, seed: int) -> list[Order]:
    """Order cines over styles and transports in turn, views and sizes by chance; subjects are numbered from `seed`."""
    orders = []
    for index in range(cines):
        rng = np.random.default_rng([seed + index, 97])
        transport = tuple(Transport)[(index + index // len(STYLES)) % len(Transport)]  # each style meets each
        order = Order(
            subject=seed + index,
            view=VIEWS[int(rng.integers(len(VIEWS)))],
            style=STYLES[index % len(STYLES)],
            transport=transport,
            quality=draw_quality(transport, rng),
            size_px=SMALL_SIDE_PX if rng.random() < SMALL_CHANCE else None,
        )
        orders.append(order)
    return orders


def measure(order: Order) -> Measured:
    """Make one cine, send it, read it as the service does, find its sector and hold it against the truth."""
    cv2.setNumThreads(1)
    cine = make(order)
    truth = cine.truth.sector_mask
    received, thumbnails = receive(cine, order)
    return Measured(
        order=order,
        framings=tell_framings(cine),
        iou=overlap(find(received, thumbnails, order), truth),
        still_iou=overlap(find(received, thumbnails[:1], order), truth),
    )


def make(order: Order) -> SimulatedCine:
    """Render an ordered cine."""
    return simulate_cine(order.subject, order.view, order.style, frame_times_ms=FRAME_TIMES_MS, size_px=order.size_px)


def receive(cine: SimulatedCine, order: Order) -> tuple[Cine, UInt8Array]:
    """Send a cine and open it at the other end; also its thumbnails, [T, h, w]."""
    received = read_cine(pack(cine, order.transport, order.quality), ReadLimits())
    return received, received.thumbnails()


def find(received: Cine, thumbnails: UInt8Array, order: Order) -> Sector | None:
    """Find the sector as the service does; only one transport tells the region that its file names."""
    tissue = received.tissue_region if order.transport is Transport.NAMED else None
    return find_sector(thumbnails, received.rows, received.columns, tissue)


def overlap(sector: Sector | None, truth: BoolArray) -> float:
    """Give the intersection over union with the truth, [H, W]; 0 without a sector."""
    if sector is None:
        return 0.0
    found = sector.mask()
    return float((found & truth).sum() / (found | truth).sum())


def tell_framings(cine: SimulatedCine) -> frozenset[Framing]:
    """Tell what a screen looks like from its pixels and its truth."""
    truth = cine.truth.sector_mask
    has_overlays = bool((to_grey(cine.frames[:1])[0][~truth] > _OVERLAY_GREY).any())
    tests = {
        Framing.BARE: not has_overlays,
        Framing.OVERLAYS: has_overlays,
        Framing.SMALL: truth.shape == (SMALL_SIDE_PX, SMALL_SIDE_PX),
        Framing.CUT: bool(truth[:, 0].any() or truth[:, -1].any() or truth[-1].any()),
        Framing.ZOOMED: cine.truth.probe_px[1] < -_ZOOMED_PROBE_FRACTION * truth.shape[0],
    }
    return frozenset(framing for framing, applies in tests.items() if applies)


def summarise(measured: Sequence[Measured]) -> list[Row]:
    """Give the table: all cines, then each style, transport and framing that occurs."""
    groups = {"all": list(measured)}
    groups |= {style: [one for one in measured if one.order.style == style] for style in STYLES}
    groups |= {way.value: [one for one in measured if one.order.transport is way] for way in Transport}
    groups |= {framing.value: [one for one in measured if framing in one.framings] for framing in Framing}
    return [_row(name, group) for name, group in groups.items() if group]


def _row(name: str, group: Sequence[Measured]) -> Row:
    ious: FloatArray = np.array([one.iou for one in group], np.float32)
    still: FloatArray = np.array([one.still_iou for one in group], np.float32)
    return Row(
        name=name,
        cines=len(group),
        median=float(np.median(ious)),
        fifth=float(np.percentile(ious, 5)),
        missed=int((ious == 0).sum()),
        still_median=float(np.median(still)),
        still_missed=int((still == 0).sum()),
    )


def keeps_promise(everything: Row) -> bool:
    """Tell whether the row of all cines holds what is promised."""
    return everything.median >= LEAST_MEDIAN_IOU and everything.fifth >= LEAST_FIFTH_IOU


def write_csv(measured: Sequence[Measured], path: Path) -> None:
    """Write one line a cine."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "view", "style", "transport", "quality", "size_px", "framings", "iou", "still_iou"])
        for one in measured:
            order, framings = one.order, "; ".join(sorted(one.framings))
            described = (order.subject, order.view, order.style, order.transport, order.quality, order.size_px or "")
            writer.writerow([*described, framings, f"{one.iou:.4f}", f"{one.still_iou:.4f}"])


def draw_worst(measured: Sequence[Measured]) -> UInt8Array:
    """Draw the cines whose sector was found worst, the true outline green and the found one red; BGR, [H, W, 3]."""
    worst = sorted(measured, key=lambda one: one.iou)[:_WORST]
    tiles = [_tile(one) for one in worst]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 4)
    return np.vstack([np.hstack(tiles[start : start + 4]) for start in range(0, len(tiles), 4)])


def _tile(one: Measured) -> UInt8Array:
    cine = make(one.order)
    received, thumbnails = receive(cine, one.order)
    sector = find(received, thumbnails, one.order)
    middle = received.grey_frames([received.frame_count // 2], 1)[0]
    factor = _TILE_PX / max(middle.shape)
    image = np.zeros((_TILE_PX + 18, _TILE_PX, 3), np.uint8)
    shown = cv2.cvtColor(cv2.resize(middle, None, fx=factor, fy=factor), cv2.COLOR_GRAY2BGR)
    image[: shown.shape[0], : shown.shape[1]] = shown
    outlines, _ = cv2.findContours(cine.truth.sector_mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for outline, colour in ((outlines[0][:, 0], _TRUE), (() if sector is None else sector.outline_px, _FOUND)):
        corners = np.round((np.asarray(outline).reshape(-1, 2) + 0.5) * factor - 0.5).astype(np.int32)
        cv2.polylines(image, [corners], True, colour, 1, cv2.LINE_AA)
    title = f"{one.order.subject} {one.order.style} {one.order.transport.name} {one.iou:.3f}"
    cv2.putText(image, title, (4, _TILE_PX + 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (200, 200, 200), 1, cv2.LINE_AA)
    return image
