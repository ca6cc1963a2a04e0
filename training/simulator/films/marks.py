"""What a console draws over a sector: its outline, a focus line, a needle guide, curves and words that cross it."""

import cv2
import numpy as np

from training.simulator.arrays import ByteArray, TimeArray, as_float32
from training.simulator.display.overlays import INKS, draw_ecg
from training.simulator.films.canvas import Pane
from training.simulator.films.dressing import WHITE, write
from training.simulator.studio import Order

OUTLINE_INK = (120, 120, 120)
NEEDLE_CHANCE = 0.5
DOT_EVERY = 3


def draw_guides(picture: ByteArray, pane: Pane, rng: np.random.Generator) -> None:
    """The sector's outline, a dotted line at the focus and often a needle guide, on [H, W, 3] in place."""
    screen, radius = pane.studio.screen, max(picture.shape[0] // 500, 1)
    half = np.deg2rad(screen.opening_deg) / 2
    near, far = _arc(pane, screen.start_mm, half), _arc(pane, screen.depth_mm, half)
    cv2.polylines(picture, [np.concatenate([near, far[::-1]])], True, OUTLINE_INK, 1, cv2.LINE_AA)
    focus_mm = float(rng.uniform(0.4, 0.8)) * screen.depth_mm
    for dot in _arc(pane, focus_mm, half)[::DOT_EVERY].tolist():
        cv2.circle(picture, dot, radius, WHITE, -1)
    if rng.random() < NEEDLE_CHANCE:
        across = np.linspace(-0.5, 0.35, 40) * screen.depth_mm * np.tan(half)
        down = np.linspace(0.12, 0.9, 40) * screen.depth_mm
        for dot in _to_px(pane, np.stack([across, down], axis=1)).tolist():
            cv2.circle(picture, dot, radius, (90, 220, 240), -1)


def draw_crossing(picture: ByteArray, pane: Pane, order: Order) -> None:
    """ECG through the sector's foot, depth scale along its edge, words over its corner, on [H, W, 3] in place."""
    rng, screen = order.rng(139), pane.studio.screen
    ink = INKS[int(rng.integers(len(INKS)))]
    foot = (pane.box[1] + screen.probe_y_px + screen.cut_mm * screen.px_per_mm) / picture.shape[0]
    draw_ecg(picture, order.rhythm, min(float(foot - rng.uniform(0.0, 0.05)), 0.97))
    half = np.deg2rad(screen.opening_deg) / 2
    for centimetre in range(1, int(screen.depth_mm / 10)):
        x, y = _arc(pane, centimetre * 10.0, half)[-1].tolist()
        cv2.line(picture, (x - 2, y), (x + picture.shape[1] // 120, y), ink, 1)
    corner = _arc(pane, screen.depth_mm * 0.85, half)[0]
    write(picture, f"HR {rng.integers(52, 98)}", (float(corner[0]), float(corner[1])), ink)
    write(picture, "Adult Echo", tuple(_to_px(pane, np.array([[-30.0, 16.0]]))[0].tolist()), ink)


def _arc(pane: Pane, depth_mm: float, half_rad: float) -> np.ndarray:
    """Places [60, 2] in whole pixels of the screen across the sector at a depth, from left to right."""
    turn = np.linspace(-half_rad, half_rad, 60)
    places = _to_px(pane, depth_mm * np.stack([np.sin(turn), np.cos(turn)], axis=1))
    return places[::-1] if pane.studio.screen.is_flipped else places


def _to_px(pane: Pane, places_mm: TimeArray) -> np.ndarray:
    """Places [N, 2] mm in whole pixels of the screen."""
    return np.rint(pane.studio.screen.to_px(as_float32(places_mm)) + pane.box[:2]).astype(np.int32)
