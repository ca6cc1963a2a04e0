"""A screen that holds more than one sector: panes on it, and the frame that an export makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, as_bytes
from training.simulator.studio import Order, Studio, set_up
from training.simulator.styles import StyleDraw, draw_style

LEAST_SIDE_PX = 400  # a smaller frame is a full screen made small, letters and all
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the drawn screen
PANE_OVERLAYS = frozenset({"depth_ticks", "marker", "focus"})


@dataclass(frozen=True)
class Pane:
    """One sector on a screen: its box, and the picture [h, w, 3] BGR of any time in ms."""

    box: Box
    studio: Studio
    draw: Callable[[float], ByteArray]


@dataclass(frozen=True)
class Canvas:
    """A screen of `width_px` x `height_px` that is drawn in full and exported `shrink` times smaller."""

    width_px: int
    height_px: int
    shrink: int
    channels: int

    def blank(self) -> ByteArray:
        """A black screen, [H, W, 3] BGR."""
        return np.zeros((self.height_px, self.width_px, 3), dtype=np.uint8)

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """A box from shares of width and height."""
        w, h = self.width_px, self.height_px
        return int(left * w), int(top * h), int(right * w), int(bottom * h)

    def frames(self, count: int) -> ByteArray:
        """Room for exported frames, [T, h, w, C]."""
        shape = (count, self.height_px // self.shrink, self.width_px // self.shrink, self.channels)
        return np.empty(shape, dtype=np.uint8)

    def export(self, picture: ByteArray) -> ByteArray:
        """A drawn screen [H, W, 3] BGR as a frame, [h, w, C] RGB or grey."""
        if self.shrink > 1:
            size = (self.width_px // self.shrink, self.height_px // self.shrink)
            picture = as_bytes(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        if self.channels == 1:
            return as_bytes(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))[..., None]
        return as_bytes(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    def export_mask(self, mask: BoolArray) -> BoolArray:
        """A mask [H, W] of the drawn screen on the frame, [h, w]."""
        size = (self.width_px // self.shrink, self.height_px // self.shrink)
        return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5)

    def export_box(self, box: Box) -> Box:
        """A box of the drawn screen on the frame."""
        left, top, right, bottom = (side // self.shrink for side in box)
        return left, top, right, bottom

    def export_studio(self, pane: Pane) -> Studio:
        """The studio of a pane with its screen in pixels of the frame."""
        screen, box = pane.studio.screen, pane.box
        placed = replace(
            screen,
            width_px=self.width_px // self.shrink,
            height_px=self.height_px // self.shrink,
            probe_x_px=(screen.probe_x_px + box[0]) / self.shrink,
            probe_y_px=(screen.probe_y_px + box[1]) / self.shrink,
            px_per_mm=screen.px_per_mm / self.shrink,
        )
        return replace(pane.studio, screen=placed)


def open_canvas(order: Order, is_colour: bool = False) -> Canvas:
    """The screen of an order's style, in colour where the style has it or the variant needs it."""
    drawn = draw_style(order.style, order.recording)
    width, height = (order.size_px, order.size_px) if order.size_px else (drawn.width_px, drawn.height_px)
    shrink = -(-LEAST_SIDE_PX // min(width, height))
    return Canvas(width * shrink, height * shrink, shrink, 3 if is_colour else drawn.channels)


def set_up_pane(order: Order, box: Box, overlays: frozenset[str] = PANE_OVERLAYS, fill: float = 0.9) -> Studio:
    """One sector fitted into a box, with such of the style's overlays as are allowed there.

    `fill` is the greatest width of the sector over that of the box; above 1 the box cuts its sides.
    """
    width, height = box[2] - box[0], box[3] - box[1]

    def fit(drawn: StyleDraw) -> StyleDraw:
        return replace(
            drawn.without_zoom(),
            width_px=width,
            height_px=height,
            channels=3,
            sector_height=min(drawn.sector_height, 0.95),
            overflow=fill,
            sector_x=0.5,
            steer_deg=0.0,
            overlays=drawn.overlays & overlays | {"depth_ticks"},
        )

    return set_up(replace(order, size_px=None), fit)


def lay_pane(picture: ByteArray, pane: Pane, time_ms: float) -> None:
    """Draw a pane on a screen [H, W, 3], in place; what is round the sector lies over what is there."""
    left, top, right, bottom = pane.box
    place = picture[top:bottom, left:right]
    np.maximum(place, pane.draw(time_ms), out=place)


def union(canvas: Canvas, panes: Sequence[Pane]) -> BoolArray:
    """All sectors of a drawn screen, [H, W]."""
    mask = np.zeros((canvas.height_px, canvas.width_px), dtype=np.bool_)
    for pane in panes:
        left, top, right, bottom = pane.box
        mask[top:bottom, left:right] |= pane.studio.screen.sector_mask
    return mask
