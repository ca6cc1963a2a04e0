"""One scanner before one heart: what was ordered, and the B-mode picture of any instant."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from training.simulator.anatomy import Subject, draw_subject
from training.simulator.arrays import BoolArray, ByteArray, TimeArray, as_bytes
from training.simulator.motion import HeartState, Rhythm, draw_rhythm
from training.simulator.overlays import draw_static, draw_sweep
from training.simulator.planes import VIEWS, Plane, draw_plane
from training.simulator.polar import PolarGrid
from training.simulator.scene import Scene
from training.simulator.screen import Screen, lay_out
from training.simulator.styles import STYLES, StyleDraw, draw_style
from training.simulator.ultrasound import Scanner

SMALL_PICTURE_PX = 260  # up to this height the coarse scan-line grid resolves all that is shown
COARSE_GRID, FINE_GRID = (176, 112), (320, 192)
PROBE_START_MM = (3.0, 8.0)
DURATION_BEATS = (1.2, 2.0)
FRAMES_LIMIT = 110
END_DIASTOLE = HeartState(0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 800.0)


@dataclass(frozen=True)
class Order:
    """What is asked for: one view of one subject in one style, as one kind of a variant.

    `times_ms` [T] of the frames, ms, and `size_px`, the side of a square picture, may be left to the style (None).
    """

    seed: int
    view: str
    style: str
    variant: str
    kind: str
    times_ms: TimeArray | None
    size_px: int | None

    @property
    def recording(self) -> tuple[int, ...]:
        """Seed of everything that belongs to this recording and not to the subject."""
        return (self.seed, VIEWS.index(self.view), STYLES.index(self.style) if self.style in STYLES else 99)

    @property
    def subject(self) -> Subject:
        """The heart."""
        return draw_subject(self.seed)

    @property
    def rhythm(self) -> Rhythm:
        """Its beats in this recording."""
        return draw_rhythm(self.subject, self.seed + 7919 * (1 + VIEWS.index(self.view)))

    @cached_property
    def frame_times_ms(self) -> TimeArray:
        """Wanted times, or even ones over 1.2-2 beats, [T] ms."""
        if self.times_ms is not None:
            return np.asarray(self.times_ms, dtype=np.float64)
        beats = np.random.default_rng([*self.recording, 79]).uniform(*DURATION_BEATS)
        step_ms = 1000 / draw_style(self.style, self.recording).frame_rate_hz
        count = int(np.clip(beats * 60000 / self.subject.heart_rate_bpm / step_ms, 16, FRAMES_LIMIT))
        return np.arange(count, dtype=np.float64) * step_ms

    def rng(self, salt: int) -> np.random.Generator:
        """Chance of one purpose, the same for the same order."""
        return np.random.default_rng([*self.recording, salt])


@dataclass(frozen=True)
class Studio:
    """All that stays the same over a cine."""

    plane: Plane
    rhythm: Rhythm
    style: StyleDraw
    scanner: Scanner
    screen: Screen
    seed: tuple[int, ...]
    _scenes: dict[float, Scene] = field(default_factory=dict, repr=False, compare=False)  # by time in ms

    @cached_property
    def maps(self) -> tuple[ByteArray, ByteArray]:
        """From scan lines to the canvas, for `cv2.remap`."""
        return self.screen.maps(self.scanner.grid)

    @cached_property
    def overlay(self) -> ByteArray:
        """What stands still round the sector, [H, W, C] BGR."""
        return draw_static(self.screen, self.style, self.rhythm, self.seed)

    def scene_at(self, time_ms: float) -> Scene:
        """What the plane cuts at a time in ms."""
        if time_ms not in self._scenes:
            self._scenes[time_ms] = self.plane.scene(self.rhythm.state_at(time_ms))
        return self._scenes[time_ms]

    def grey(self, time_ms: float) -> ByteArray:
        """The sector alone [H, W] at a time in ms, black round it."""
        lines = self.scanner.scan(self.scene_at(time_ms), time_ms)
        grey = cv2.remap(lines, *self.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return _dress(as_bytes(grey), self.screen.sector_mask, self.style)

    def picture(self, time_ms: float) -> ByteArray:
        """The sector with what stands still round it, [H, W, C] BGR; the ECG cursor is still to be drawn."""
        return as_bytes(self.grey(time_ms)[..., None] | self.overlay)

    def draw_cursor(self, picture: ByteArray, time_ms: float) -> None:
        """Draw the ECG cursor on a picture [H, W, C], in place."""
        draw_sweep(picture, self.screen, self.style, time_ms)


@dataclass(frozen=True)
class Take:
    """A finished film: frames [T, H, W, C] RGB or grey, and what is known of it.

    `studio` shows the ordered view, its screen lying on the canvas of the frames; None where no sector is shown.
    `sector_mask` [H, W] is the union of all sectors. `strip_px` is the box (left, top, right, bottom) of the curve or
    line over time. `colour_fraction` is the largest share of the sectors that Doppler colours in a frame.
    """

    frames: ByteArray
    sector_mask: BoolArray
    times_ms: TimeArray
    studio: Studio | None
    sectors: int = 1
    colour_fraction: float = 0.0
    strip_px: tuple[int, int, int, int] | None = None
    is_held: bool = False  # every frame shows the first one's instant


Adjust = Callable[[StyleDraw], StyleDraw]


def set_up(order: Order, adjust: Adjust | None = None) -> Studio:
    """Draw plane, style and scanner of an order; `adjust` changes what was drawn of the style."""
    drawn = draw_style(order.style, order.recording)
    if adjust is not None:
        drawn = adjust(drawn)
    plane = draw_plane(order.subject, order.view, order.seed)
    start_mm = float(order.rng(73).uniform(*PROBE_START_MM))
    screen = lay_out(drawn, start_mm, order.size_px)
    rows, beams = COARSE_GRID if screen.height_px <= SMALL_PICTURE_PX else FINE_GRID
    grid = PolarGrid(rows, beams, start_mm, drawn.scanner.depth_mm, drawn.scanner.opening_deg)
    scanner = Scanner(drawn.scanner, plane.scene(END_DIASTOLE), order.recording, grid)
    return Studio(plane, order.rhythm, drawn, scanner, screen, order.recording)


def in_colour(drawn: StyleDraw) -> StyleDraw:
    """The same style on a colour screen."""
    return replace(drawn, channels=3)


def film(studio: Studio, times_ms: TimeArray, draw: Callable[[float], ByteArray]) -> ByteArray:
    """Draw a BGR or grey picture [H, W, C] for each time and stack them, [T, H, W, C] RGB or grey."""
    screen, channels = studio.screen, studio.style.channels
    frames = np.empty((len(times_ms), screen.height_px, screen.width_px, channels), dtype=np.uint8)
    for frame, time_ms in zip(frames, times_ms, strict=True):
        frame[:] = draw(float(time_ms))[..., ::-1]
    return frames


def _dress(grey: ByteArray, mask: BoolArray, style: StyleDraw) -> ByteArray:
    """What export does to a picture [H, W] of a sector: fewer pixels and back, JPEG."""
    height, width = grey.shape
    picture: cv2.typing.MatLike = grey * mask
    if style.resample < 0.95:
        small = cv2.resize(picture, None, fx=style.resample, fy=style.resample, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if style.jpeg_quality is not None and height <= SMALL_PICTURE_PX:
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, style.jpeg_quality])[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    return as_bytes(picture * mask)
