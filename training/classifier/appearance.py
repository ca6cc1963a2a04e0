"""Changes of grey: curves, steps, blur, lost pixels, gain over depth, shadows, haze, grain, erased patches.

Each change happens to a frame by its own chance. All take and give [B, 1, H, W] with values in 0-1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

from training.classifier.config import AugmentationConfig, Range
from training.classifier.geometry import Drawer, change_some, draw_boxes

_CURVE_KNOTS = 9
_HISTOGRAM_BINS = 64
_FIELD_CELLS = 4
_SCREEN_DB = 50.0
"""Dynamic range of a usual screen: so many dB fill black to white."""

_ERASED_PATCHES = 3
_LEAST_EXPONENT = -40.0
"""Smaller powers of e are denormal numbers, which are slow, and nothing beside 1."""

_GRAIN_ALONG_PX, _GRAIN_ACROSS_PX = (0.3, 0.9), (0.5, 1.8)
"""Sigma of the grain along and across the beam: displayed grain of real frames is about 0.8 and 1.05 px."""


def change(grey: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    """Apply every change of appearance, each to some frames.

    Reference:
        Müller and Hutter 2021, TrivialAugment, for contrast, brightness, equalising and posterising.
    """
    steps: tuple[tuple[float, Callable[[Tensor, Drawer], Tensor]], ...] = (
        (1.0, _bend),
        (1.0, lambda grey, draw: _gamma(grey, config.gamma, draw)),
        (0.25, lambda grey, _: _equalise(grey)),
        (1.0, lambda grey, draw: _gain(grey, config.field_db, draw)),
        (1.0, lambda grey, draw: _fade_sides(grey, config.edge_fade_db, draw)),
        (1.0, lambda grey, draw: _shadow(grey, config.shadows, draw)),
        (1.0, lambda grey, draw: _haze(grey, config.haze_grey, draw)),
        (1.0, lambda grey, draw: _grain(grey, config.noise, draw)),
        (1.0, lambda grey, draw: _blur(grey, config.blur_px, draw)),
        (1.0, lambda grey, draw: _lose_pixels(grey, config.resample_px, draw)),
        (0.25, lambda grey, draw: _posterise(grey, config.posterise_levels, draw)),
        (0.5, lambda grey, draw: _contrast(grey, config.contrast, draw)),
        (0.5, lambda grey, draw: grey * draw.between(config.brightness)),
    )
    for share, step in steps:
        grey = change_some(grey, config.chance * share, step, generator)
    return grey


def erase(grey: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    """Fill up to three patches of some frames with an even grey: no single structure may decide."""

    def cover(grey: Tensor, draw: Drawer) -> Tensor:
        sides = torch.cat([draw.between(config.erase_fraction), draw.between(config.erase_fraction)], dim=3)
        return torch.where(draw_boxes(grey, sides, generator) > 0, draw.between((0.0, 0.6)), grey)

    for _ in range(_ERASED_PATCHES):
        grey = change_some(grey, config.chance / 2, cover, generator)
    return grey


def _bend(grey: Tensor, draw: Drawer) -> Tensor:
    """Apply a random rising curve through 0 and about 1."""
    steps = draw.uniform((_CURVE_KNOTS - 1,)) ** 2 + 0.05
    heights = torch.cumsum(steps, dim=1) / steps.sum(dim=1, keepdim=True)
    curve = torch.cat([torch.zeros_like(heights[:, :1]), heights], dim=1)  # [B, knots]
    return _look_up(grey, curve) * draw.between((0.7, 1.15))


def _gamma(grey: Tensor, limits: Range, draw: Drawer) -> Tensor:
    return grey.clamp(min=1e-4) ** draw.between_logs(limits)


def _contrast(grey: Tensor, limits: Range, draw: Drawer) -> Tensor:
    """Spread the grey levels about the picture's mean, or draw them together."""
    mean = grey.mean(dim=(2, 3), keepdim=True)
    return (mean + (grey - mean) * draw.between(limits)).clamp(min=0.0)


def _equalise(grey: Tensor) -> Tensor:
    """Spread the grey levels of what is not black evenly, half way."""
    bins = (grey.clamp(0, 1) * (_HISTOGRAM_BINS - 1)).round().long().flatten(1)  # [B, H*W]
    counts = torch.zeros((len(grey), _HISTOGRAM_BINS), device=grey.device)
    counts.scatter_add_(1, bins, torch.ones_like(bins, dtype=counts.dtype))
    counts[:, 0] = 0.0
    rising = torch.cumsum(counts, dim=1) / counts.sum(dim=1, keepdim=True).clamp(min=1.0)
    return (_look_up(grey, rising) + grey) / 2


def _look_up(grey: Tensor, curves: Tensor) -> Tensor:
    """Send each grey in 0-1 through its frame's curve, [B, knots], straight between the knots."""
    place = grey.clamp(0, 1).flatten(1) * (curves.shape[1] - 1)  # [B, H*W]
    below = place.floor().clamp(max=curves.shape[1] - 2)
    low = torch.gather(curves, 1, below.long())
    high = torch.gather(curves, 1, below.long() + 1)
    return torch.lerp(low, high, place - below).reshape(grey.shape)


def _gain(grey: Tensor, most_db: float, draw: Drawer) -> Tensor:
    """Multiply by a smooth field, as sliders, ribs and lung do; on a log-compressed screen that is a sum."""
    cells = draw.uniform((1, _FIELD_CELLS, _FIELD_CELLS)) * 2 - 1
    field = functional.interpolate(cells, size=grey.shape[2:], mode="bilinear", align_corners=True)
    strength_db = most_db * draw.between((0.0, 1.0))
    added = (grey + field * strength_db / _SCREEN_DB).clamp(min=0.0)
    multiplied = grey * torch.exp(field * strength_db * math.log(10) / 40.0)
    return torch.where(draw.happens(0.5), added, multiplied)


def _fade_sides(grey: Tensor, most_db: float, draw: Drawer) -> Tensor:
    """Lose echo towards each side, as where lung or ribs take the outer beams; what is lost in dB is lost in grey."""
    slope = _slopes(grey)
    for side in (slope, -slope):
        start, loss_db = draw.between((0.0, 0.6)), most_db * draw.between((0.0, 1.0))
        grey = grey - ((side - start) / 0.5).clamp(0.0, 1.0) * loss_db / _SCREEN_DB
    return grey.clamp(min=0.0)


def _shadow(grey: Tensor, most: int, draw: Drawer) -> Tensor:
    """Darken wedges that begin at the skin."""
    slope = _slopes(grey)
    for _ in range(most):
        centre, reach = draw.between((-0.8, 0.8)), draw.between((0.04, 0.2))
        depth = draw.between((0.0, 0.9)) * draw.happens(0.5)
        grey = grey * (1 - depth * torch.exp(-(((slope - centre) / reach) ** 2)))
    return grey


def _slopes(grey: Tensor) -> Tensor:
    """Give each pixel's beam: columns from the middle line over rows from the skin, [1, 1, H, W]."""
    height, width = grey.shape[2:]
    rows = ((torch.arange(height, device=grey.device) + 0.5) / height)[None, None, :, None]
    columns = ((torch.arange(width, device=grey.device) + 0.5) / width - 0.5)[None, None, None, :]
    return columns / (rows + 0.05)


def _haze(grey: Tensor, limits: Range, draw: Drawer) -> Tensor:
    """Lay a ring of clutter over the picture, nearest the skin."""
    height, width = grey.shape[2:]
    rows = ((torch.arange(height, device=grey.device) + 0.5) / height)[None, None, :, None]
    columns = ((torch.arange(width, device=grey.device) + 0.5) / width - 0.5)[None, None, None, :]
    radius = (rows**2 + columns**2).sqrt()
    ring = torch.exp(-(((radius - draw.between((0.1, 0.6))) / draw.between((0.08, 0.3))) ** 2))
    level = draw.between(limits)
    floor = level * draw.between((0.0, 0.5))
    return grey + (level * ring + floor) * (1 - grey)


def _grain(grey: Tensor, limits: Range, draw: Drawer) -> Tensor:
    """Multiply by noise that is wider across the beam than along it, and add some of it."""
    noise = draw.normal(tuple(grey.shape[1:]))
    along = _blurring(draw.between(_GRAIN_ALONG_PX), grey.shape[2])
    across = _blurring(draw.between(_GRAIN_ACROSS_PX), grey.shape[3])
    smooth = along @ noise @ across
    smooth = smooth / smooth.std(dim=(2, 3), keepdim=True)
    added = smooth.abs() * 0.15 * draw.between((0.0, limits[1]))
    return (grey * (1 + smooth * draw.between(limits)) + added).clamp(min=0.0)


def _blur(grey: Tensor, limits: Range, draw: Drawer) -> Tensor:
    """Blur by a Gaussian of its own width along each axis."""
    return _blurring(draw.between(limits), grey.shape[2]) @ grey @ _blurring(draw.between(limits), grey.shape[3])


def _blurring(sigma_px: Tensor, side_px: int) -> Tensor:
    """Give the matrices that blur one axis, [B, 1, 1, 1] to [B, 1, side, side]: a product is quicker here."""
    places = torch.arange(side_px, device=sigma_px.device, dtype=sigma_px.dtype)
    exponents = -0.5 * ((places[:, None] - places[None, :]) / sigma_px) ** 2
    weights = torch.exp(exponents.clamp(min=_LEAST_EXPONENT))
    return weights / weights.sum(dim=2, keepdim=True).clamp(min=1.0)


def _lose_pixels(grey: Tensor, sides_px: tuple[int, int], draw: Drawer) -> Tensor:
    """Shrink and enlarge again, one size for all of them, smooth or in steps."""
    low, high = sides_px
    side = low + int(draw.between((0.0, 1.0))[0] * (high + 1 - low))
    small = functional.interpolate(grey, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
    smooth = functional.interpolate(small, size=grey.shape[2:], mode="bilinear", align_corners=False)
    return torch.where(draw.happens(0.25), functional.interpolate(small, size=grey.shape[2:]), smooth)


def _posterise(grey: Tensor, levels: tuple[int, int], draw: Drawer) -> Tensor:
    steps = draw.between((levels[0] - 1.0, levels[1] - 1.0)).round()
    return (grey * steps).round() / steps
