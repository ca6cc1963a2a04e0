"""One seeded description in, one cine and its truth out."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from training.simulator.anatomy import draw_subject
from training.simulator.arrays import BoolArray, ByteArray, Float32Array, TimeArray, as_bytes
from training.simulator.doppler import add_colour, colour_lines, draw_colour_box
from training.simulator.motion import HeartState, Rhythm, draw_rhythm
from training.simulator.overlays import draw_static, draw_sweep
from training.simulator.planes import VIEWS, Plane, draw_plane, name_variety
from training.simulator.polar import PolarGrid
from training.simulator.screen import Screen, lay_out
from training.simulator.shapes import area_mm2
from training.simulator.styles import STYLES, VARIANTS, StyleDraw, draw_style
from training.simulator.ultrasound import Scanner

SMALL_PICTURE_PX = 260  # up to this height the coarse scan-line grid resolves all that is shown
COARSE_GRID, FINE_GRID = (176, 112), (320, 192)
PROBE_START_MM = (3.0, 8.0)
DURATION_BEATS = (1.2, 2.0)
FRAMES_LIMIT = 110
END_DIASTOLE = HeartState(0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 800.0)


@dataclass(frozen=True)
class Truth:
    """What is known of a cine because it was made; lengths in mm, volumes in ml, arrays over the T frames."""

    view: str
    style: str
    variant: str
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
    sector_mask: BoolArray  # [H, W]
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


@dataclass(frozen=True)
class _Studio:
    """All that stays the same over a cine."""

    plane: Plane
    rhythm: Rhythm
    style: StyleDraw
    scanner: Scanner
    screen: Screen
    seed: tuple[int, ...]


def simulate_cine(
    seed: int,
    view: str,
    style: str,
    *,
    variant: str = "b_mode",
    frame_times_ms: TimeArray | None = None,
    size_px: int | None = None,
) -> SimulatedCine:
    """Simulate one cine; the same arguments give the same bits.

    Args:
        seed: the subject; its views show the same heart.
        view: A2C, A4C, PLAX or PSAX.
        style: one of `STYLES`.
        variant: `b_mode`, `colour_doppler` (coloured box over B-mode) or `still` (one frame).
        frame_times_ms: wanted times, shape [T], ms; each frame depends on its own time only. None: 1.2-2 beats at
            the style's frame rate.
        size_px: side of a square picture of the same sector; None keeps the style's own canvas.

    Raises:
        ValueError: unknown view, style or variant; the message names the known ones.
    """
    if variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}, expected one of {', '.join(VARIANTS)}")
    if view not in VIEWS:
        raise ValueError(f"unknown view {view!r}, expected one of {', '.join(VIEWS)}")
    studio = _set_up(seed, view, style, size_px, variant)
    times_ms = _draw_times_ms(studio) if frame_times_ms is None else np.asarray(frame_times_ms, dtype=np.float64)
    if variant == "still":
        times_ms = times_ms[:1]
    frames, states, cavities = _film(studio, times_ms, variant)
    contraction = np.array([state.contraction for state in states], dtype=np.float32)
    subject = studio.rhythm.subject
    truth = Truth(
        view=view,
        style=style,
        variant=variant,
        seed=seed,
        variety=name_variety(studio.plane),
        lvef_fraction=subject.lvef_fraction,
        heart_rate_bpm=subject.heart_rate_bpm,
        lv_ed_volume_ml=subject.lv_ed_volume_ml,
        ed_frame=int(contraction.argmin()),
        es_frame=int(contraction.argmax()),
        contraction=contraction,
        lv_area_mm2=np.array([area_mm2(cavity) for cavity in cavities], dtype=np.float32),
        lv_contour_px=studio.screen.to_px(np.stack(cavities)),
        sector_mask=studio.screen.sector_mask,
        pixel_spacing_mm=1 / studio.screen.px_per_mm,
        depth_mm=studio.screen.depth_mm,
        probe_px=(studio.screen.probe_x_px, studio.screen.probe_y_px),
        is_flipped=studio.screen.is_flipped,
    )
    return SimulatedCine(frames, times_ms, truth)


def _set_up(seed: int, view: str, style: str, size_px: int | None, variant: str) -> _Studio:
    """Draw subject, plane, style and scanner of a cine."""
    subject = draw_subject(seed)
    recording = (seed, VIEWS.index(view), STYLES.index(style) if style in STYLES else 99)
    drawn = draw_style(style, recording)
    if variant == "colour_doppler":
        drawn = replace(drawn, channels=3)
    plane = draw_plane(subject, view, seed)
    start_mm = float(np.random.default_rng([*recording, 73]).uniform(*PROBE_START_MM))
    screen = lay_out(drawn, start_mm, size_px)
    rows, beams = COARSE_GRID if screen.height_px <= SMALL_PICTURE_PX else FINE_GRID
    grid = PolarGrid(rows, beams, start_mm, drawn.scanner.depth_mm, drawn.scanner.opening_deg)
    scanner = Scanner(drawn.scanner, plane.scene(END_DIASTOLE), recording, grid)
    return _Studio(plane, draw_rhythm(subject, seed + 7919 * (1 + recording[1])), drawn, scanner, screen, recording)


def _draw_times_ms(studio: _Studio) -> TimeArray:
    """Even frame times over 1.2-2 beats."""
    beats = np.random.default_rng([*studio.seed, 79]).uniform(*DURATION_BEATS)
    step_ms = 1000 / studio.style.frame_rate_hz
    count = int(np.clip(beats * 60000 / studio.rhythm.subject.heart_rate_bpm / step_ms, 16, FRAMES_LIMIT))
    return np.arange(count, dtype=np.float64) * step_ms


def _film(studio: _Studio, times_ms: TimeArray, variant: str) -> tuple[ByteArray, list[HeartState], list[Float32Array]]:
    """Make every frame; returns frames [T, H, W, C], states and ventricle outlines [N, 2] mm."""
    screen, scanner, grid = studio.screen, studio.scanner, studio.scanner.grid
    maps, mask = screen.maps(grid), screen.sector_mask
    overlay = draw_static(screen, studio.style, studio.rhythm, studio.seed)
    frames = np.empty((len(times_ms), screen.height_px, screen.width_px, overlay.shape[2]), dtype=np.uint8)
    reference = studio.plane.scene(END_DIASTOLE)
    box = draw_colour_box(grid, scanner.blood(reference), studio.seed) if variant == "colour_doppler" else None
    states, cavities = [], []
    for index, time_ms in enumerate(times_ms):
        state = studio.rhythm.state_at(float(time_ms))
        scene = studio.plane.scene(state)
        grey = cv2.remap(scanner.scan(scene, float(time_ms)), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        picture = _dress(as_bytes(grey), mask, studio.style)[..., None] | overlay
        if box is not None:
            lines = colour_lines(
                box, grid, scanner.blood(scene), state, scene.flow_axis, scanner.places_mm, float(time_ms)
            )
            add_colour(picture, lines, maps, mask, screen.to_px(box.outline_mm(grid)))
        draw_sweep(picture, screen, studio.style, float(time_ms))
        frames[index] = picture[..., ::-1] if overlay.shape[2] == 3 else picture
        states.append(state)
        cavities.append(scene.lv_cavity)
    return frames, states, cavities


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
