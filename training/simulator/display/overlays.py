"""What the vendor draws round the sector, never inside it: marks, scale, grey bar, text and the running ECG."""

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, TimeArray
from training.simulator.display.captions import write_captions
from training.simulator.display.screen import Screen
from training.simulator.heart.rhythm import Rhythm
from training.simulator.sources.recipes import Colour, Cursor, Marker, Side
from training.simulator.styles import StyleDraw

INKS = ((200, 200, 200), (90, 200, 235), (120, 230, 120), (235, 235, 235))  # BGR
P_WAVE_MS = ((-160, 0.0), (-120, 0.14), (-80, 0.0))
BEAT_MS = (
    (-80, 0.0),
    (-62, -0.1),
    (-50, 1.0),
    (-36, -0.25),
    (-20, 0.0),
    (150, 0.05),
    (220, 0.28),
    (290, 0.0),
)
SWEEP_MS = 2400.0
ECG_INK = (90, 230, 120)
CURSOR_TOP = 0.9  # of the canvas height; the running ECG keeps below it
TICK_CM, LONG_TICK_CM = 1, 5


def draw_static(screen: Screen, style: StyleDraw, rhythm: Rhythm, seed: tuple[int, ...]) -> ByteArray:
    """Draw everything that stands still on a black canvas; returns [H, W, C] uint8 BGR, zero where nothing is."""
    rng = np.random.default_rng([*seed, 67])
    picture = np.zeros((screen.height_px, screen.width_px, 3), dtype=np.uint8)
    ink, extent = style.marks.ink[::-1], _extent_px(screen)
    write_captions(picture, screen, style, rhythm.subject.heart_rate_bpm, rng)
    if "grey_bar" in style.overlays:
        _draw_grey_bar(picture, style)
    if "depth_ticks" in style.overlays:
        _draw_ticks(picture, screen, style, extent)
    if "marker" in style.overlays:
        _draw_marker(picture, screen, style, extent)
    if "focus" in style.overlays:
        x = min(screen.width_px - 4, extent[2] + screen.height_px // 60)
        y = int(screen.probe_y_px + screen.px_per_mm * style.scanner.focus_mm)
        cv2.drawMarker(picture, (x, y), ink, cv2.MARKER_TRIANGLE_UP, max(screen.height_px // 50, 3), 1)
    if "rotation_icon" in style.overlays:
        _draw_rotation_icon(picture, ink, rng)
    if "ecg" in style.overlays:
        marks = style.marks
        draw_ecg(picture, rhythm, marks.ecg_baseline, marks.ecg_height, marks.ecg_ink[::-1], marks.ecg_sweep_ms)
    picture[screen.sector_mask] = 0
    return picture if style.channels == 3 else picture.max(axis=2, keepdims=True)


def draw_sweep(picture: ByteArray, screen: Screen, style: StyleDraw, time_ms: float) -> None:
    """Draw the ECG cursor at a time in ms, in place, on [H, W, C], outside the sector."""
    if "ecg" not in style.overlays:
        return
    marks = style.marks
    draw_cursor(picture, time_ms, ~screen.sector_mask, marks.ecg_sweep_ms, marks.ecg_cursor)


def draw_cursor(
    picture: ByteArray,
    time_ms: float,
    where: BoolArray | None = None,
    sweep_ms: float = SWEEP_MS,
    look: Cursor = Cursor.LINE,
) -> None:
    """Draw the ECG cursor at a time in ms, in place, on [H, W, C], where a mask [H, W] allows it."""
    height, width = picture.shape[:2]
    x = int((time_ms % sweep_ms) / sweep_ms * width)
    wide, top = max(width // 400, 1), int(height * CURSOR_TOP)
    strip = np.s_[top : height - 1, x : x + wide]
    if look is Cursor.GAP:
        strip = np.s_[top : height - 1, x : x + max(width // 40, 2)]
    if look is Cursor.DOT:
        strip = np.s_[height - 1 - 3 * wide : height - 1, x : x + 3 * wide]
    picture[strip][... if where is None else where[strip]] = 0 if look is Cursor.GAP else 255


def ecg_mv(rhythm: Rhythm, times_ms: TimeArray) -> TimeArray:
    """The ECG's voltage at times [N] ms, mV; no P waves in atrial fibrillation; the drawn beats repeat for ever."""
    voltage = np.zeros(len(times_ms))
    shape_ms, shape_mv = zip(*(() if rhythm.subject.is_fibrillating else P_WAVE_MS), *BEAT_MS, strict=True)
    first, span = rhythm.starts_ms[0], rhythm.starts_ms[-1] - rhythm.starts_ms[0]
    wrapped = (times_ms - first) % span + first
    for start in rhythm.starts_ms:
        voltage += np.interp(wrapped - start, shape_ms, shape_mv, left=0.0, right=0.0)
    return voltage


def draw_ecg(
    picture: ByteArray,
    rhythm: Rhythm,
    baseline: float = 0.965,
    height: float = 0.05,
    ink: Colour = ECG_INK,
    sweep_ms: float = SWEEP_MS,
) -> None:
    """One screen-wide sweep of the ECG over the picture; `baseline` and `height` are shares of its height, ink BGR."""
    rows, width = picture.shape[:2]
    voltage = ecg_mv(rhythm, np.linspace(0, sweep_ms, width))
    y = np.rint(rows * (baseline - height * voltage)).astype(np.int32)
    path = np.stack([np.arange(width, dtype=np.int32), y], axis=1)
    cv2.polylines(picture, [path], False, ink, max(rows // 400, 1), cv2.LINE_AA)


def _extent_px(screen: Screen) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is shown of the sector, pixels."""
    columns, rows = np.flatnonzero(screen.sector_mask.any(axis=0)), np.flatnonzero(screen.sector_mask.any(axis=1))
    if not len(rows):
        return 0, 0, screen.width_px, screen.height_px
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def _draw_grey_bar(picture: ByteArray, style: StyleDraw) -> None:
    height, width = picture.shape[:2]
    bar = max(width // 60, 2)
    top, bottom = int(0.06 * height), int(0.3 * height)
    left = width - 2 * bar if style.marks.bar_side is Side.RIGHT else bar
    ramp = np.linspace(1, 0, bottom - top, dtype=np.float32)[:, None] * np.array(style.export.tint[::-1], np.float32)
    picture[top:bottom, left : left + bar] = ramp[:, None]


def _draw_ticks(picture: ByteArray, screen: Screen, style: StyleDraw, extent: tuple[int, int, int, int]) -> None:
    """A tick each centimetre, a longer one each five, beside the sector, with or without numbers."""
    side, height = (1 if style.marks.tick_side is Side.RIGHT else -1), screen.height_px
    away = int(0.03 * height)
    x = min(screen.width_px - 3, extent[2] + away) if side > 0 else max(2, extent[0] - away)
    for centimetre in range(TICK_CM, int(screen.depth_mm / 10) + 1, TICK_CM):
        y = int(screen.probe_y_px + centimetre * 10 * screen.px_per_mm)
        is_long = centimetre % LONG_TICK_CM == 0
        length = max(height // (60 if is_long else 120), 1)
        cv2.line(picture, (x - side * length, y), (x, y), style.marks.ink[::-1], 1)
        if is_long and "depth_numbers" in style.overlays:
            at = (x + 3 if side > 0 else x - int(0.035 * height), y + height // 100)
            size = max(style.marks.text_height * height / 26, 0.16)
            cv2.putText(picture, str(centimetre), at, cv2.FONT_HERSHEY_SIMPLEX, size, style.marks.ink[::-1], 1, 16)


def _draw_marker(picture: ByteArray, screen: Screen, style: StyleDraw, extent: tuple[int, int, int, int]) -> None:
    """The probe's orientation mark beside the top of the sector."""
    side = -1 if screen.is_flipped else 1
    size, ink, kind = max(screen.height_px // 90, 1), style.marks.ink[::-1], style.marks.marker
    x = int(screen.probe_x_px + side * 0.07 * screen.height_px)
    y = int(max(extent[1], 0) + 0.03 * screen.height_px)
    if kind is Marker.VEE:
        corners = np.array([[x - size, y - size], [x, y + size], [x + size, y - size]], dtype=np.int32)
        cv2.polylines(picture, [corners], False, ink, max(size // 4, 1), cv2.LINE_AA)
    elif kind is Marker.LETTER:
        cv2.putText(picture, "P", (x - size, y + size), cv2.FONT_HERSHEY_SIMPLEX, max(size / 10, 0.2), ink, 1, 16)
    elif kind is Marker.LOGO:
        cv2.rectangle(picture, (x - size, y - size), (x + size, y + size), ink, -1)
        cv2.circle(picture, (x, y), max(size // 2, 1), (0, 0, 0), -1, cv2.LINE_AA)
    else:
        cv2.circle(picture, (x, y), size, ink, -1 if kind is Marker.DOT else max(size // 4, 1), cv2.LINE_AA)


def _draw_rotation_icon(picture: ByteArray, ink: Colour, rng: np.random.Generator) -> None:
    """A dial that shows how a matrix probe's plane is turned, at the lower left."""
    height = picture.shape[0]
    size = max(height // 28, 3)
    centre = (int(1.6 * size), int(0.86 * height))
    turn = float(rng.uniform(0, 2 * np.pi))
    tip = (int(centre[0] + size * np.cos(turn)), int(centre[1] + size * np.sin(turn)))
    cv2.circle(picture, centre, size, ink, max(size // 12, 1), cv2.LINE_AA)
    cv2.line(picture, centre, tip, ink, max(size // 8, 1), cv2.LINE_AA)
