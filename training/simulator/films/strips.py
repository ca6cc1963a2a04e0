"""A strip of time beside a sector: where each instant is drawn, and the screen round it."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from training.simulator.arrays import ByteArray, TimeArray, as_float32
from training.simulator.display.overlays import ecg_mv
from training.simulator.display.screen import Screen
from training.simulator.films.canvas import Box, Canvas, Pane, lay_pane, union
from training.simulator.films.dressing import FAINT, WHITE, Ink, draw_head, draw_parameters, line_px, write
from training.simulator.heart.rhythm import Rhythm
from training.simulator.studio import Order, Studio, Take

Ticks = npt.NDArray[np.int64]
SPANS_MS = (1800.0, 2600.0, 3600.0)
GAP_SHARE = 0.02  # of the strip, empty ahead of a sweeping cursor
SIDE_CHANCE = 0.2  # sector at the left of the strip instead of above it
HEAD_CHANCE, LIVE_CHANCE, ECG_CHANCE = 0.7, 0.5, 0.8
HALF_GATE_MM = 5.0
ECG_INK: Ink = (90, 230, 120)


@dataclass(frozen=True)
class StripClock:
    """Which instant each of `columns` shows; time is counted in ticks of one column."""

    columns: int
    span_ms: float
    is_sweep: bool  # the cursor runs and the picture stands; else the picture runs

    @property
    def tick_ms(self) -> float:
        """Time of one column in ms."""
        return self.span_ms / self.columns

    def times_ms(self, ticks: Ticks) -> TimeArray:
        """The instants of ticks [N], ms."""
        return ticks.astype(np.float64) * self.tick_ms

    def window(self, time_ms: float) -> tuple[Ticks, npt.NDArray[np.bool_]]:
        """Ticks shown at a time in ms, and which columns are empty; both [columns]."""
        now, x = int(time_ms // self.tick_ms), np.arange(self.columns)
        if not self.is_sweep:
            return now - (self.columns - 1 - x), np.zeros(self.columns, dtype=np.bool_)
        cursor = now % self.columns
        gap = int(np.ceil(GAP_SHARE * self.columns))
        empty = (x > cursor) & (x <= cursor + gap)
        return now - cursor + x - np.where(x > cursor, self.columns, 0), empty

    def ticks(self, times_ms: TimeArray) -> Ticks:
        """Every tick that frames at these times [T] ms show, sorted, [N]."""
        return np.unique(np.concatenate([self.window(float(time))[0] for time in times_ms]))


@dataclass(frozen=True)
class StripLayout:
    """Where sector (None: there is none) and strip lie on a screen."""

    sector: Box | None
    strip: Box

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the strip in pixels."""
        left, top, right, bottom = self.strip
        return bottom - top, right - left


def draw_layout(canvas: Canvas, rng: np.random.Generator, is_full: bool) -> StripLayout:
    """Draw where sector and strip lie: strip alone, under the sector, or to the right of it."""
    bottom = float(rng.uniform(0.88, 0.95))
    if is_full:
        return StripLayout(None, canvas.box(0.03, float(rng.uniform(0.08, 0.2)), 0.93, bottom))
    if canvas.width_px > 1.2 * canvas.height_px and rng.random() < SIDE_CHANCE:
        return StripLayout(canvas.box(0.01, 0.1, 0.37, 0.75), canvas.box(0.39, 0.12, 0.94, bottom))
    middle, across = float(rng.uniform(0.38, 0.52)), float(rng.uniform(0.42, 0.55))
    sector = canvas.box(across - 0.26, 0.05, across + 0.26, middle)
    return StripLayout(sector, canvas.box(0.03, middle + 0.03, 0.93, bottom))


def dress(canvas: Canvas, layout: StripLayout, order: Order, rng: np.random.Generator) -> ByteArray:
    """The screen round sector and strip, [H, W, 3] BGR."""
    picture = canvas.blank()
    if rng.random() < HEAD_CHANCE:
        draw_head(picture, rng)
    left, top = (0.012 * canvas.width_px, 2.4 * line_px(picture))
    if layout.sector is None:
        write(
            picture,
            f"{order.variant.replace('_', '-').upper()}   HR {rng.integers(52, 98)} bpm",
            (left, top),
            WHITE,
            0.85,
        )
    else:
        draw_parameters(picture, rng, (left, top), (200, 200, 200), int(rng.integers(5, 10)))
    return picture


def draw_scale(picture: ByteArray, layout: StripLayout, low: float, high: float, unit: str) -> None:
    """A scale at the right of a strip from `high` on top to `low`, in place."""
    _, top, right, bottom = layout.strip
    step = max(round((high - low) / 6, 1), 0.1)
    for mark in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
        y = int(bottom - (mark - low) / (high - low) * (bottom - top))
        cv2.line(picture, (right, y), (right + picture.shape[1] // 120, y), FAINT, 1)
        write(picture, f"{abs(mark):.1f}".rstrip("0").rstrip("."), (right + picture.shape[1] // 90, y + 4), FAINT, 0.7)
    write(picture, unit, (right, top - 6), FAINT, 0.75)


def draw_time_marks(picture: ByteArray, layout: StripLayout, clock: StripClock) -> None:
    """Short marks every fifth of a second under a strip, in place."""
    left, _, right, bottom = layout.strip
    for x in np.arange(left, right, 200 / clock.tick_ms):
        cv2.line(picture, (int(x), bottom), (int(x), bottom + picture.shape[0] // 120), FAINT, 1)


def draw_beam(picture: ByteArray, screen: Screen, angle_deg: float, gate_mm: float | None) -> None:
    """The line of a beam over a pane's sector [h, w, 3], in place: dotted, or with a sample volume at a depth in mm."""
    direction = np.array([np.sin(np.deg2rad(angle_deg)), np.cos(np.deg2rad(angle_deg))])
    for depth in np.arange(screen.start_mm, screen.depth_mm - 4, 6.0):
        _draw_piece(picture, screen, np.stack([direction * depth, direction * (depth + 3)]), 1)
    if gate_mm is None:
        return
    across = np.array([direction[1], -direction[0]]) * HALF_GATE_MM
    for depth in (gate_mm - 2, gate_mm + 2):
        piece = np.stack([direction * depth - across, direction * depth + across])
        _draw_piece(picture, screen, piece, max(screen.height_px // 250, 1))


def _draw_piece(picture: ByteArray, screen: Screen, ends_mm: TimeArray, thickness: int) -> None:
    """A white line between two places [2, 2] mm, in place."""
    (x, y), (right, bottom) = np.rint(screen.to_px(as_float32(ends_mm))).astype(int).tolist()
    cv2.line(picture, (x, y), (right, bottom), WHITE, thickness)


def strip_pane(studio: Studio, box: Box, angle_deg: float, gate_mm: float | None, rng: np.random.Generator) -> Pane:
    """The small sector with its beam; it is live, or stands still while the strip runs."""
    is_live, held = rng.random() < LIVE_CHANCE, studio.picture(float(rng.uniform(0, 800)))

    def draw(time_ms: float) -> ByteArray:
        picture = studio.picture(time_ms) if is_live else held.copy()
        draw_beam(picture, studio.screen, angle_deg, gate_mm)
        return picture

    return Pane(box, studio, draw)


@dataclass(frozen=True)
class Strip:
    """A strip's picture: a column [height, N, 3] BGR for each tick [N] that is shown, and its voltage [N] or None."""

    clock: StripClock
    layout: StripLayout
    ticks: Ticks
    columns: ByteArray
    ecg_mv: TimeArray | None

    def lay(self, picture: ByteArray, time_ms: float) -> None:
        """Draw what the strip shows at a time in ms on a screen [H, W, 3], in place."""
        left, top, right, bottom = self.layout.strip
        shown, empty = self.clock.window(time_ms)
        at = np.searchsorted(self.ticks, shown)
        picture[top:bottom, left:right] = self.columns[:, at] * ~empty[None, :, None]
        if self.ecg_mv is None:
            return
        y = bottom - (0.03 + 0.09 * self.ecg_mv[at]) * (bottom - top)
        path = np.stack([left + np.arange(right - left), y], axis=1).astype(np.int32)
        cuts = np.nonzero(np.diff(empty.astype(int)))[0] + 1
        for piece, gone in zip(np.split(path, cuts), np.split(empty, cuts), strict=True):
            if not gone[0]:
                cv2.polylines(picture, [piece], False, ECG_INK, max(picture.shape[0] // 500, 1), cv2.LINE_AA)


def film_strip(order: Order, canvas: Canvas, standing: ByteArray, strip: Strip, pane: Pane | None) -> Take:
    """Film a strip, and the sector beside it where there is one, before what stands still [H, W, 3]."""
    frames = canvas.frames(len(order.frame_times_ms))
    for frame, time_ms in zip(frames, order.frame_times_ms, strict=True):
        picture = standing.copy()
        if pane is not None:
            lay_pane(picture, pane, float(time_ms))
        strip.lay(picture, float(time_ms))
        frame[:] = canvas.export(picture)
    panes = [pane] if pane else []
    return Take(
        frames,
        canvas.export_mask(union(canvas, panes)),
        order.frame_times_ms,
        canvas.export_studio(pane) if pane else None,
        sectors=len(panes),
        strip_px=canvas.export_box(strip.layout.strip),
    )


def draw_ecg_mv(rhythm: Rhythm, times_ms: TimeArray, rng: np.random.Generator) -> TimeArray | None:
    """The voltage at the strip's times [N] ms, or None where no ECG is connected."""
    return ecg_mv(rhythm, times_ms) if rng.random() < ECG_CHANCE else None
