"""Where the chambers of a simulated A4C lie on its canvas."""

from __future__ import annotations

import cv2
import numpy as np

from services.cine.cine import BoolArray, FloatArray, TimesArray
from training.simulator.studio import Order, set_up

Masks = dict[str, BoolArray]
"""`lv_cavity`, `lv_wall` and `la_cavity`, [H, W] each."""


def structure_masks(subject: int, view: str, style: str, times_ms: TimesArray) -> list[Masks]:
    """Give the masks of a plain cine at some times; papillary muscles count as cavity, as readers trace them."""
    studio = set_up(Order(subject, view, style, "b_mode", "", times_ms, None))
    shape = studio.screen.sector_mask.shape
    found = []
    for time_ms in times_ms:
        regions = {region.name: region.contour for region in studio.scene_at(float(time_ms)).regions}
        names = ("lv_cavity", "lv_wall", "la_cavity", "rv_cavity")
        filled = {name: _fill(studio.screen.to_px(regions[name]), shape) for name in names}
        wall = filled["lv_wall"] & ~filled["lv_cavity"] & ~filled["la_cavity"] & ~filled["rv_cavity"]
        found.append({"lv_cavity": filled["lv_cavity"], "lv_wall": wall, "la_cavity": filled["la_cavity"]})
    return found


def _fill(outline_px: FloatArray, shape: tuple[int, ...]) -> BoolArray:
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [np.round(outline_px).astype(np.int32)], 1)
    return canvas.astype(bool)
