"""One scanner before one heart: what was ordered, and the B-mode picture of any instant."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, TimeArray, as_bytes
from training.simulator.display.export import conversion, dress, tint
from training.simulator.display.overlays import draw_static, draw_sweep
from training.simulator.display.screen import Screen, lay_out
from training.simulator.heart.heart import Heart, heart_of
from training.simulator.heart.rhythm import HeartState, Rhythm, draw_rhythm
from training.simulator.heart.subject import Subject, draw_subject
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.scanner import PARTS, Scanner
from training.simulator.scanner.settings import ScannerSettings
from training.simulator.sources.catalogue import catalogue
from training.simulator.styles import StyleDraw, draw_style, zoomed
from training.simulator.views.aim import Aim, draw_aim, draw_view
from training.simulator.views.cutting import CutHeart
from training.simulator.views.names import VIEW_CLASSES
from training.simulator.views.scene import Scene

SMALL_PICTURE_PX = 260  # up to this height the coarse scan-line grid resolves all that is shown
COARSE_GRID, FINE_GRID = (160, 96), (320, 192)
DURATION_BEATS = (1.2, 2.0)
FRAMES_LIMIT = 110
PHYSICS = ("moving_speckle", "specular_angle", "dropout", "haze", "far_gain", "plane_jitter")
"""What an ablation may leave out."""

NUMBERS, RANDOM_NUMBER = {name: source.number for name, source in catalogue().items()}, 99  # of styles, in seeds
NO_DB = -60.0  # nothing that a screen would show
END_DIASTOLE = HeartState(0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 800.0)


@dataclass(frozen=True)
class Order:
    """What is asked for: one view of one subject in one style, as one kind of a variant.

    `plane` may be left to the view (None), `times_ms` [T] of the frames, ms, and `size_px`, the side of a square
    picture, to the style (None). `without` names what is left out of the physics, for ablations.
    """

    seed: int
    view: str
    style: str
    variant: str = "b_mode"
    kind: str = "plain"
    plane: str | None = None
    times_ms: TimeArray | None = None
    size_px: int | None = None
    without: frozenset[str] = frozenset()

    @property
    def recording(self) -> tuple[int, ...]:
        """Seed of everything that belongs to this recording and not to the subject."""
        return (self.seed, VIEW_CLASSES.index(self.view), NUMBERS.get(self.style, RANDOM_NUMBER))

    @cached_property
    def subject(self) -> Subject:
        """Sizes and rhythm of the heart."""
        return draw_subject(self.seed)

    @cached_property
    def heart(self) -> Heart:
        """The heart."""
        return heart_of(self.seed)

    @property
    def rhythm(self) -> Rhythm:
        """Its beats in this recording."""
        return draw_rhythm(self.subject, self.seed + 7919 * (1 + VIEW_CLASSES.index(self.view)))

    @cached_property
    def aim(self) -> Aim:
        """Where the probe is held."""
        rng = np.random.default_rng([self.seed, VIEW_CLASSES.index(self.view), 31])
        scale = 0.0 if "plane_jitter" in self.without else 1.0
        if self.plane is None:
            return draw_view(self.heart, self.view, rng, scale)
        return draw_aim(self.heart, self.plane, rng, scale)

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

    cut: CutHeart
    aim: Aim
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

    @cached_property
    def reference(self) -> Scene:
        """What the plane cuts at end-diastole, as the cine begins."""
        return self.cut.scene(END_DIASTOLE, self.aim.pose_at(0.0))

    def scene_at(self, time_ms: float) -> Scene:
        """What the plane cuts at a time in ms."""
        if time_ms not in self._scenes:
            self._scenes[time_ms] = self.cut.scene(self.rhythm.state_at(time_ms), self.aim.pose_at(time_ms))
        return self._scenes[time_ms]

    def grey(self, time_ms: float) -> ByteArray:
        """The sector alone [H, W] at a time in ms, black round it."""
        lines = self.scanner.scan(self.scene_at(time_ms), time_ms)
        how = conversion(self.style, self.screen)
        grey = cv2.remap(lines, *self.maps, how, borderMode=cv2.BORDER_REPLICATE)
        return dress(as_bytes(grey), self.screen, self.style, self.seed, time_ms)

    def picture(self, time_ms: float) -> ByteArray:
        """The sector with what stands still round it, [H, W, C] BGR; the ECG cursor is still to be drawn."""
        return as_bytes(tint(self.grey(time_ms), self.style) | self.overlay)

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
    if order.aim.zoom_down_mm is not None:
        drawn = zoomed(drawn, order.aim.zoom_down_mm, order.rng(83))
    if adjust is not None:
        drawn = adjust(drawn)
    cut = CutHeart(order.heart, order.aim.pose_at(0.0))
    screen = lay_out(drawn, order.size_px)
    rows, beams = COARSE_GRID if screen.height_px <= SMALL_PICTURE_PX else FINE_GRID
    settings = _leave_out(drawn.scanner, order.without)
    grid = PolarGrid(rows, beams, screen.start_mm, settings.depth_mm, settings.opening_deg, screen.steer_deg)
    reference = cut.scene(END_DIASTOLE, order.aim.pose_at(0.0))
    scanner = Scanner(settings, reference, order.recording, grid, without=order.without & PARTS)
    return Studio(cut, order.aim, order.rhythm, drawn, scanner, screen, order.recording)


def _leave_out(settings: ScannerSettings, without: frozenset[str]) -> ScannerSettings:
    """Settings without drop-out or haze, where an ablation asks for it; the rest is the scanner's own."""
    if "dropout" in without:
        settings = replace(settings, dropout=0.0)
    if "haze" in without:
        settings = replace(settings, cavity_clutter_db=NO_DB, near_clutter_db=NO_DB, reverberation_db=NO_DB)
    return settings


def in_colour(drawn: StyleDraw) -> StyleDraw:
    """The same style on a colour screen, with the whole sector in sight."""
    return replace(drawn.without_zoom(), channels=3)


def film(studio: Studio, times_ms: TimeArray, draw: Callable[[float], ByteArray]) -> ByteArray:
    """Draw a BGR or grey picture [H, W, C] for each time and stack them, [T, H, W, C] RGB or grey."""
    screen, channels = studio.screen, studio.style.channels
    frames = np.empty((len(times_ms), screen.height_px, screen.width_px, channels), dtype=np.uint8)
    for frame, time_ms in zip(frames, times_ms, strict=True):
        frame[:] = draw(float(time_ms))[..., ::-1]
    return frames
