"""What screens lay over the echo: colour Doppler boxes once colour is grey, text, calipers, pointers, a trace."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from services.cine.cine import UInt8Array
from services.cine.preprocessing import MODEL_SIDE_PX
from training.classifier.config import AugmentationConfig
from training.classifier.geometry import Drawer, beam_angles, beam_lengths, change_some

_BANK_MARKS = 96
_WORDS = ("LV", "RV", "4.2 cm", "HR 71", "+ Dist", "V 1.8", "MI 1.1", "60 Hz", "LA", "12:04", "EDV 96", "M3", "Ao")
_FLOW_CELLS = 10
"""Cells across of the smooth noise whose hills are flow: about as many jets and eddies as a box shows."""

_EDGE = 0.02
"""Width of a box's outline, radians across the beams and sides of the picture along them: about 1.5 px."""


def lay_over(grey: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    """Lay a grey colour box over some frames and marks over others, [B, 1, H, W] in 0-1."""
    grey = change_some(grey, config.colour_box_chance, _lay_box, generator)
    return change_some(grey, config.marks_chance, _lay_marks, generator)


def _lay_box(grey: Tensor, draw: Drawer) -> Tensor:
    """Draw a box between two beams and two depths: an outline on most; flow where noise is high and blood is."""
    across = (beam_angles(grey) - draw.between((-0.3, 0.3))).abs() - draw.between((0.12, 0.45))
    half_length = draw.between((0.12, 0.3))
    along = (beam_lengths(grey) - draw.between((0.3, 0.8))).abs() - half_length
    beyond = torch.maximum(across, along)  # under 0 inside the box
    cells = draw.normal((1, _FLOW_CELLS, _FLOW_CELLS))
    hills = functional.interpolate(cells, size=grey.shape[2:], mode="bilinear", align_corners=False)
    is_blood = grey < draw.between((0.15, 0.7))  # walls stay in front
    has_flow = is_blood & (hills > draw.between((-0.5, 1.0))) & (beyond < -_EDGE)
    flow = draw.between((0.2, 0.7)) * (1.0 + 0.35 * hills + 0.15 * draw.normal(tuple(grey.shape[1:])))
    grey = torch.where(has_flow, flow, grey)
    is_outline = (beyond.abs() < _EDGE / 2) & draw.happens(0.7)
    return torch.where(is_outline, draw.between((0.4, 1.0)), grey)


def _lay_marks(grey: Tensor, draw: Drawer) -> Tensor:
    """Take a sheet of marks, shift it, and let its ink cover the echo."""
    bank = _bank_on(grey.device)
    sheets = bank[(draw.between((0.0, 1.0)).flatten() * len(bank)).long()]
    side = grey.shape[3]
    shifts = (draw.between((-0.3, 0.3)) * side).long()
    columns = (torch.arange(side, device=grey.device) - shifts.flatten()[:, None]) % side  # [B, W]
    moved = sheets.gather(3, columns[:, None, None, :].expand_as(sheets))
    return torch.lerp(grey, draw.between((0.5, 1.0)).expand_as(grey), moved)


@cache
def _bank_on(device: torch.device) -> Tensor:
    return torch.from_numpy(draw_marks(_BANK_MARKS)[:, None]).to(device).float() / 255.0


def draw_marks(count: int) -> UInt8Array:
    """Draw sheets of marks, [N, 112, 112], ink over 0; the same count gives the same sheets."""
    rng = np.random.default_rng(211)
    kinds = (_write, _measure, _point, _trace)
    sheets = np.zeros((count, MODEL_SIDE_PX, MODEL_SIDE_PX), np.uint8)
    for index, sheet in enumerate(sheets):
        for _ in range(int(rng.integers(1, 3))):
            kinds[index % len(kinds)](sheet, rng)
    return sheets


def _write(sheet: UInt8Array, rng: np.random.Generator) -> None:
    x, y = int(rng.integers(0, 80)), int(rng.integers(10, 108))
    for line in range(int(rng.integers(1, 4))):
        text, size = _WORDS[int(rng.integers(len(_WORDS)))], float(rng.uniform(0.22, 0.4))
        cv2.putText(sheet, text, (x, y + 10 * line), cv2.FONT_HERSHEY_SIMPLEX, size, 255.0, 1, cv2.LINE_AA)


def _measure(sheet: UInt8Array, rng: np.random.Generator) -> None:
    ends = rng.uniform(20, 92, (2, 2))
    for end in ends:
        cv2.drawMarker(sheet, tuple(int(at) for at in end), 255.0, cv2.MARKER_CROSS, 6, 1)
    for share in np.linspace(0, 1, 12):
        x, y = (ends[0] + share * (ends[1] - ends[0])).astype(int)
        sheet[y, x] = 255


def _point(sheet: UInt8Array, rng: np.random.Generator) -> None:
    tip, angle = rng.uniform(25, 87, 2), float(rng.uniform(0, 2 * np.pi))
    tail = tip + rng.uniform(8, 18) * np.array([np.cos(angle), np.sin(angle)])
    start, end = (tuple(int(at) for at in point) for point in (tail, tip))
    cv2.arrowedLine(sheet, start, end, 255.0, 1, cv2.LINE_AA, tipLength=0.4)


def _trace(sheet: UInt8Array, rng: np.random.Generator) -> None:
    """Draw an electrocardiogram: a wave that repeats, sharp once a beat."""
    x = np.arange(MODEL_SIDE_PX)
    phase = (x / rng.uniform(25, 60) + rng.random()) % 1.0
    wave = 12 * np.exp(-(((phase - 0.2) / 0.03) ** 2)) + 3 * np.exp(-(((phase - 0.5) / 0.08) ** 2))
    y = np.clip(rng.uniform(80, 108) - wave, 0, MODEL_SIDE_PX - 1)
    points = np.stack([x, y], axis=1).round().astype(np.int32)[None]  # [1, N, 2]
    cv2.polylines(sheet, list(points), False, 255.0, 1, cv2.LINE_AA)
