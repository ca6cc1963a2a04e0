"""What the vendor writes round the sector, never inside it: marks, scale, grey bar, text and the running ECG."""

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, TimeArray
from training.simulator.motion import Rhythm
from training.simulator.screen import Screen
from training.simulator.styles import StyleDraw

WORDS = (
    "Adult Echo",
    "TIS0.8 MI 1.3",
    "FR 52Hz",
    "C 50",
    "P Low",
    "HGen",
    "Gn 58",
    "2D",
    "HR 71",
    "S5-1",
    "M3",
    "62%",
    "PAT T: 37.0C",
)
INKS = ((200, 200, 200), (90, 200, 235), (120, 230, 120), (235, 235, 235))
ECG_BEAT_MS = (
    (-160, 0.0),
    (-120, 0.14),
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


def draw_static(screen: Screen, style: StyleDraw, rhythm: Rhythm, seed: tuple[int, ...]) -> ByteArray:
    """Draw everything that stands still on a black canvas; returns [H, W, C] uint8, zero where nothing is."""
    rng = np.random.default_rng([*seed, 67])
    picture = np.zeros((screen.height_px, screen.width_px, 3), dtype=np.uint8)
    ink = INKS[int(rng.integers(len(INKS)))]
    if "text" in style.overlays:
        _write_words(picture, rng, ink)
    if "grey_bar" in style.overlays:
        _draw_grey_bar(picture)
    if "depth_ticks" in style.overlays:
        _draw_ticks(picture, screen, ink)
    if "marker" in style.overlays:
        _draw_marker(picture, screen, ink)
    if "focus" in style.overlays:
        x = int(min(screen.width_px - 4, screen.probe_x_px + 0.46 * screen.height_px))
        y = int(screen.probe_y_px + screen.px_per_mm * screen.depth_mm * rng.uniform(0.4, 0.8))
        cv2.drawMarker(picture, (x, y), ink, cv2.MARKER_TRIANGLE_UP, max(screen.height_px // 50, 3), 1)
    if "ecg" in style.overlays:
        draw_ecg(picture, rhythm)
    picture[screen.sector_mask] = 0
    return picture if style.channels == 3 else picture.max(axis=2, keepdims=True)


def draw_sweep(picture: ByteArray, screen: Screen, style: StyleDraw, time_ms: float) -> None:
    """Draw the ECG cursor at a time in ms, in place, on [H, W, C], outside the sector."""
    if "ecg" not in style.overlays:
        return
    draw_cursor(picture, time_ms, ~screen.sector_mask)


def draw_cursor(picture: ByteArray, time_ms: float, where: BoolArray | None = None) -> None:
    """Draw the ECG cursor at a time in ms, in place, on [H, W, C], where a mask [H, W] allows it."""
    height, width = picture.shape[:2]
    x = int((time_ms % SWEEP_MS) / SWEEP_MS * width)
    strip = np.s_[int(height * 0.9) : height - 1, x : x + max(width // 400, 1)]
    picture[strip][... if where is None else where[strip]] = 255


def _write_words(picture: ByteArray, rng: np.random.Generator, ink: tuple[int, int, int]) -> None:
    height = picture.shape[0]
    scale = height / 1500
    step = max(int(height * 0.035), 4)
    for row, word in enumerate(rng.permutation(WORDS)[: int(rng.integers(3, 11))]):
        cv2.putText(
            picture,
            str(word),
            (max(height // 100, 1), 2 * step + row * step),
            cv2.FONT_HERSHEY_SIMPLEX,
            max(scale, 0.16),
            ink,
            1,
            cv2.LINE_AA,
        )


def _draw_grey_bar(picture: ByteArray) -> None:
    height, width = picture.shape[:2]
    bar = max(width // 60, 2)
    top, bottom = int(0.06 * height), int(0.3 * height)
    ramp = np.linspace(255, 0, bottom - top).astype(np.uint8)
    picture[top:bottom, width - 2 * bar : width - bar] = ramp[:, None, None]


def _draw_ticks(picture: ByteArray, screen: Screen, ink: tuple[int, int, int]) -> None:
    """A tick each centimetre, a longer one each five, at the right of the sector."""
    reach = screen.depth_mm * np.sin(np.deg2rad(screen.opening_deg) / 2) * screen.px_per_mm
    x = int(min(screen.width_px - 3, screen.probe_x_px + reach + 0.03 * screen.height_px))
    for centimetre in range(1, int(screen.depth_mm / 10) + 1):
        y = int(screen.probe_y_px + centimetre * 10 * screen.px_per_mm)
        length = max(screen.height_px // (60 if centimetre % 5 == 0 else 120), 1)
        cv2.line(picture, (x - length, y), (x, y), ink, 1)


def _draw_marker(picture: ByteArray, screen: Screen, ink: tuple[int, int, int]) -> None:
    """The probe's orientation mark beside the top of the sector."""
    side = -1 if screen.is_flipped else 1
    x = int(screen.probe_x_px + side * 0.07 * screen.height_px)
    y = int(max(screen.probe_y_px, 0) + 0.03 * screen.height_px)
    cv2.circle(picture, (x, y), max(screen.height_px // 90, 1), ink, -1, cv2.LINE_AA)


def ecg_mv(rhythm: Rhythm, times_ms: TimeArray) -> TimeArray:
    """The ECG's voltage at times [N] ms, mV; the drawn beats repeat for ever."""
    voltage = np.zeros(len(times_ms))
    shape_ms, shape_mv = zip(*ECG_BEAT_MS, strict=True)
    first, span = rhythm.starts_ms[0], rhythm.starts_ms[-1] - rhythm.starts_ms[0]
    wrapped = (times_ms - first) % span + first
    for start in rhythm.starts_ms:
        voltage += np.interp(wrapped - start, shape_ms, shape_mv, left=0.0, right=0.0)
    return voltage


def draw_ecg(picture: ByteArray, rhythm: Rhythm, baseline: float = 0.965) -> None:
    """One screen-wide sweep of the ECG along the bottom, over the picture; `baseline` is a share of its height."""
    height, width = picture.shape[:2]
    voltage = ecg_mv(rhythm, np.linspace(0, SWEEP_MS, width))
    y = np.rint(height * (baseline - 0.05 * voltage)).astype(np.int32)
    path = np.stack([np.arange(width, dtype=np.int32), y], axis=1)
    cv2.polylines(picture, [path], False, (90, 230, 120), max(height // 400, 1), cv2.LINE_AA)
