"""Colour Doppler: an outlined box in which speed towards the probe is shown through one of the scanners' maps."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array, as_bytes, as_float32
from training.simulator.films.flow import ColourBox, Flow, blood_flow, draw_colour_box, jet_share, muscle_motion
from training.simulator.films.sectors import tint_table
from training.simulator.studio import Order, Studio, Take, film, in_colour, set_up

ColourMap = Callable[[Float32Array, Float32Array], Float32Array]  # speed and disturbance to BGR, [rows, beams, 3]
OUTLINE_INK = (230, 230, 230)


@dataclass(frozen=True)
class ColourRecipe:
    """How one kind of colour Doppler is set up; sizes are shares of the depth and of the opening."""

    colours: ColourMap
    height: tuple[float, float] = (0.28, 0.45)
    width: tuple[float, float] = (0.3, 0.55)
    nyquist: float = 1.0  # of the fastest speed; what is faster wraps round
    is_jet: bool = False
    is_muscle: bool = False
    blend: float = 1.0  # share of the colour in what is shown
    grey_tint: str | None = None


def flow_colours(speed: Float32Array, _: Float32Array) -> Float32Array:
    """Blue away, red towards, brighter and yellower the faster."""
    strength = np.clip(np.abs(speed), 0, 1)
    colour = np.zeros((*speed.shape, 3), dtype=np.float32)
    red = speed > 0
    colour[..., 2] = np.where(red, 110 + 145 * strength, 30 * strength)
    colour[..., 1] = np.where(strength > 0.5, 300 * (strength - 0.5), 0)
    colour[..., 0] = np.where(red, 0, 110 + 145 * strength)
    return colour


def variance_colours(speed: Float32Array, disturbance: Float32Array) -> Float32Array:
    """Red and blue that turn yellow and cyan, then green, where flow is disturbed."""
    colour = flow_colours(speed, disturbance)
    colour[..., 1] += 230 * disturbance
    calm = 1 - np.clip(2 * disturbance - 1, 0, 1)
    colour[..., 0] *= calm
    colour[..., 2] *= calm
    return colour


def muscle_colours(speed: Float32Array, _: Float32Array) -> Float32Array:
    """Tissue Doppler: dark red to yellow towards, dark blue to turquoise away, already bright when slow."""
    strength = np.sqrt(np.clip(np.abs(speed), 0, 1))
    colour = np.zeros((*speed.shape, 3), dtype=np.float32)
    red = speed > 0
    colour[..., 2] = np.where(red, 90 + 165 * strength, 0)
    colour[..., 1] = 200 * strength**2
    colour[..., 0] = np.where(red, 0, 90 + 165 * strength)
    return colour


def power_colours(speed: Float32Array, _: Float32Array) -> Float32Array:
    """Power Doppler: dark red, orange, yellow, whatever the direction."""
    strength = np.clip(0.35 + 0.8 * np.abs(speed), 0, 1)
    return np.stack([60 * strength**4, 230 * strength**2.2, 90 + 165 * strength], axis=2).astype(np.float32)


RECIPES: dict[str, ColourRecipe] = {
    "box": ColourRecipe(flow_colours),
    "variance": ColourRecipe(variance_colours, nyquist=0.8),
    "mosaic": ColourRecipe(variance_colours, height=(0.35, 0.55), width=(0.4, 0.65), nyquist=0.28),
    "whole": ColourRecipe(flow_colours, height=(0.7, 0.82), width=(0.85, 0.97), nyquist=0.7),
    "jet": ColourRecipe(variance_colours, height=(0.25, 0.35), width=(0.25, 0.4), nyquist=0.45, is_jet=True),
    "pale": ColourRecipe(flow_colours, blend=0.45),
    "sepia": ColourRecipe(flow_colours, grey_tint="sepia"),
    "tissue": ColourRecipe(muscle_colours, height=(0.7, 0.82), width=(0.75, 0.95), is_muscle=True),
    "power": ColourRecipe(power_colours),
}


class ColourDoppler:
    """Colour over one studio's sector: box, map and colour bar stay, the flow changes with time."""

    def __init__(self, studio: Studio, recipe: ColourRecipe, rng: np.random.Generator) -> None:
        self.studio, self.recipe = studio, recipe
        grid, screen = studio.scanner.grid, studio.screen
        blood = studio.scanner.blood(studio.reference)
        self.box: ColourBox = draw_colour_box(grid, blood, rng, recipe.height, recipe.width)
        outline = screen.to_px(self.box.outline_mm(grid))
        low = np.clip(np.floor(outline.min(axis=0)).astype(int) - 1, 0, None)
        high = np.ceil(outline.max(axis=0)).astype(int) + 2
        self._window = np.s_[low[1] : high[1], low[0] : high[0]]
        at_px = grid.to_px(screen.places_mm[self._window])
        self._maps = cv2.convertMaps(at_px[..., 0], at_px[..., 1], cv2.CV_16SC2)
        border = np.zeros(screen.sector_mask.shape, dtype=np.uint8)
        cv2.polylines(border, [np.rint(outline).astype(np.int32)], True, 255.0, max(screen.height_px // 300, 1))
        self._border: BoolArray = (border > 0) & screen.sector_mask
        self._tint = tint_table(recipe.grey_tint) if recipe.grey_tint else None
        self.colour_fraction = 0.0  # largest share of the sector coloured so far

    def picture(self, time_ms: float) -> ByteArray:
        """The sector in grey and colour with what stands round it, [H, W, 3] BGR."""
        studio, screen = self.studio, self.studio.screen
        grey = studio.grey(time_ms)
        picture = cv2.merge([grey, grey, grey])
        if self._tint is not None:
            picture = cv2.LUT(picture, self._tint) * screen.sector_mask[..., None]
        lines = cv2.remap(self._lines(time_ms), *self._maps, cv2.INTER_LINEAR)  # [h, w, 4]
        window = as_bytes(picture)[self._window]
        shown = (lines[..., 3] > 127) & screen.sector_mask[self._window]
        blend = self.recipe.blend
        window[shown] = (lines[shown, :3] * blend + window[shown] * (1 - blend)).astype(np.uint8)
        self.colour_fraction = max(self.colour_fraction, float(shown.sum() / screen.sector_mask.sum()))
        picture = as_bytes(picture)
        picture[self._border] = OUTLINE_INK
        picture |= studio.overlay
        self._draw_bar(picture)
        return picture

    def _lines(self, time_ms: float) -> ByteArray:
        """Colour and where it shows, [rows, beams, 4] uint8 BGR and 255."""
        studio, recipe = self.studio, self.recipe
        flow = self._flow(time_ms)
        wrapped = as_float32((flow.speed / recipe.nyquist + 1) % 2 - 1)
        colour = np.clip(recipe.colours(wrapped, flow.disturbance), 0, 255)
        lines = np.empty((studio.scanner.grid.rows, studio.scanner.grid.beams, 4), dtype=np.uint8)
        lines[..., :3] = colour
        lines[..., 3] = np.where(flow.shown, 255, 0)
        return lines

    def _flow(self, time_ms: float) -> Flow:
        studio = self.studio
        scene, state = studio.scene_at(time_ms), studio.rhythm.state_at(time_ms)
        if self.recipe.is_muscle:
            return muscle_motion(studio, self.box, studio.scanner.scan(scene, time_ms), time_ms)
        flow = blood_flow(studio, self.box, scene, state, time_ms)
        if not self.recipe.is_jet:
            return flow
        jet = jet_share(studio, self.box, scene)
        faster = as_float32(flow.speed + np.where(jet, np.float32(1.2), np.float32(0)))
        return Flow(faster, flow.disturbance, flow.shown & jet)

    def _draw_bar(self, picture: ByteArray) -> None:
        """The map as a bar at the right, fastest towards the probe on top, outside the sector."""
        height, width = picture.shape[:2]
        bar, rows = max(width // 55, 2), max(height // 4, 4)
        speed = np.repeat(np.linspace(1, -1, rows, dtype=np.float32)[:, None], bar, axis=1)
        disturbance = np.repeat(np.linspace(0, 1, bar, dtype=np.float32)[None], rows, axis=0)
        colour = np.clip(self.recipe.colours(speed, disturbance), 0, 255).astype(np.uint8)
        top, left = int(0.36 * height), width - 2 * bar
        place = np.s_[top : top + rows, left : left + bar]
        picture[place] = np.where(self.studio.screen.sector_mask[place][..., None], picture[place], colour)


def film_colour(order: Order) -> Take:
    """B-mode with a colour box; the kind names the map, the size and what is coloured."""
    studio, times_ms = set_up(order, in_colour), order.frame_times_ms
    colour = ColourDoppler(studio, RECIPES[order.kind], order.rng(71))

    def draw(time_ms: float) -> ByteArray:
        picture = colour.picture(time_ms)
        studio.draw_cursor(picture, time_ms)
        return picture

    frames = film(studio, times_ms, draw)
    return Take(frames, studio.screen.sector_mask, times_ms, studio, colour_fraction=colour.colour_fraction)
