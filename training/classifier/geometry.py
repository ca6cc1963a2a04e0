"""Geometric changes of frames: narrowed and cut sectors, crop, zoom, squeeze, turn, mirror."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

from training.classifier.config import AugmentationConfig, Range
from training.classifier.networks import BLACK

_APEX_ABOVE_FRACTION = 0.03
"""The beams meet this far above the picture's first row, in sides of the picture."""

_LEAST_HALF_OPENING_RAD = math.radians(35.0)


def find_inside(grey: Tensor) -> Tensor:
    """Mark the sector, [B, 1, H, W] of 0 and 1, from grey in 0-1: what is not black, and all between.

    The same as the network's `fill_between`, a few times as fast.
    """
    echo = grey > BLACK
    return (_between_ends(echo, 2) | _between_ends(echo, 3)).to(grey.dtype)


def _between_ends(echo: Tensor, axis: int) -> Tensor:
    """Fill a mask [B, 1, H, W] along one axis between its first and last pixel."""
    places = torch.arange(echo.shape[axis], device=echo.device)
    places = places[:, None] if axis == 2 else places
    first = torch.where(echo, places, echo.shape[axis]).amin(dim=axis, keepdim=True)
    last = torch.where(echo, places, -1).amax(dim=axis, keepdim=True)
    return (places >= first) & (places <= last)


def exchange_outlines(grey: Tensor, inside: Tensor, chance: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Give some frames the outline of another frame of the batch, whatever its view: no outline may tell a view.

    What of a frame lies beyond its new outline is cut off; where that one reaches farther, the other frame shows.

    Reference:
        Bransby 2024, BackMix: what lies outside the sector, mixed between classes.
    """
    chosen = Drawer(grey, generator).which(chance)
    other = torch.randperm(len(grey), generator=generator, device=grey.device)[chosen]
    own, wanted = inside[chosen], inside[other]
    filled = torch.where(own > 0, grey[chosen], grey[other]) * wanted
    return grey.index_copy(0, chosen, filled), inside.index_copy(0, chosen, wanted)


def cut_sector(inside: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    """Narrow the sector of some frames around a drawn beam, and cut a side or the bottom off others."""
    rows, columns = _grid(inside)
    draw = Drawer(inside, generator)
    angle = beam_angles(inside)
    half = _LEAST_HALF_OPENING_RAD * draw.between(config.narrow_fraction)
    centre = (_LEAST_HALF_OPENING_RAD - half) * draw.between((-1.0, 1.0))
    is_kept = ((angle - centre).abs() < half) | ~draw.happens(config.narrow_chance)
    share = draw.between(config.cut_fraction)
    side = draw.between((0.0, 3.0)).floor()
    height = torch.where(side == 0, -columns, torch.where(side == 1, columns, rows))
    is_kept &= (height < 0.5 - share) | ~draw.happens(config.cut_chance)
    return inside * is_kept


def place_anew(
    grey: Tensor, inside: Tensor, mirror: Tensor, config: AugmentationConfig, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Fit the square to the sector as preprocessing does, then move, zoom, squeeze, turn and mirror it.

    Args:
        grey: [B, 1, H, W] in 0-1, black outside the sector.
        inside: the sector, of 0 and 1.
        mirror: which frames are mirrored, [B].
        config: ranges.
        generator: the source of every draw.

    Returns:
        Grey and inside at their new place.
    """
    draw = Drawer(grey, generator)
    centre, half = _boxes(inside)
    zoom = draw.between(config.scale)[:, 0, 0]  # [B, 1, 1, 1] -> [B, 1]
    stretch = draw.between(config.stretch)[:, 0, 0]
    turn = draw.between((-1.0, 1.0))[:, 0, 0] * math.radians(config.rotate_deg)
    moved = torch.cat([draw.between((-1.0, 1.0))[:, 0, 0] for _ in range(2)], dim=1) * 2 * config.shift_fraction
    width = half * zoom * stretch * torch.where(mirror, -1.0, 1.0)[:, None]
    height = half * zoom
    cos, sin = turn.cos(), turn.sin()
    place = centre + moved * half
    rows, columns = (2 * axis for axis in _grid(grey))  # [1, 1, H, 1] and [1, 1, 1, W], -1..1
    x = _spread(cos * width) * columns - _spread(sin * height) * rows + _spread(place[:, :1])
    y = _spread(sin * width) * columns + _spread(cos * height) * rows + _spread(place[:, 1:])
    grid = grey.new_empty((*x[:, 0].shape, 2))  # [B, H, W, 2]
    grid[..., 0], grid[..., 1] = x[:, 0], y[:, 0]
    both = functional.grid_sample(torch.cat([grey, inside], dim=1), grid, align_corners=False)  # [B, 2, H, W]
    return both[:, :1], (both[:, 1:] > 0.5).to(grey.dtype)


def _spread(values: Tensor) -> Tensor:
    return values[:, :, None, None]  # [B, 1] -> [B, 1, 1, 1]


def draw_boxes(image: Tensor, sides: Tensor, generator: Generator) -> Tensor:
    """Draw one box a frame at a random place, 1 inside and 0 outside, [B, 1, H, W].

    Args:
        image: gives shape and device.
        sides: width and height over the picture's side, [B, 1, 1, 2].
        generator: the source of the places.
    """
    rows, columns = _grid(image)
    draw = Drawer(image, generator)
    x, y = draw.between((-0.5, 0.5)), draw.between((-0.5, 0.5))
    near = ((columns - x).abs() < sides[..., :1] / 2) & ((rows - y).abs() < sides[..., 1:] / 2)
    return near.to(image.dtype)


class Drawer:
    """Draws one number a frame, shaped [B, 1, 1, 1]."""

    def __init__(self, image: Tensor, generator: Generator) -> None:
        self._count, self._device, self._generator = len(image), image.device, generator

    def between(self, limits: Range) -> Tensor:
        """Draw evenly within limits."""
        drawn = torch.rand((self._count, 1, 1, 1), generator=self._generator, device=self._device)
        return limits[0] + (limits[1] - limits[0]) * drawn

    def between_logs(self, limits: Range) -> Tensor:
        """Draw evenly on a logarithmic scale."""
        return self.between((math.log(limits[0]), math.log(limits[1]))).exp()

    def happens(self, chance: float) -> Tensor:
        """Draw yes or no."""
        return self.between((0.0, 1.0)) < chance

    def which(self, chance: float) -> Tensor:
        """Draw some of the frames, their places in the batch, [N]."""
        return self.happens(chance).flatten().nonzero()[:, 0]

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Draw normal numbers, [B, *shape]."""
        return torch.randn((self._count, *shape), generator=self._generator, device=self._device)

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Draw even numbers of 0-1, [B, *shape]."""
        return torch.rand((self._count, *shape), generator=self._generator, device=self._device)


def change_some(
    grey: Tensor, chance: float, change: Callable[[Tensor, Drawer], Tensor], generator: Generator
) -> Tensor:
    """Change some frames of a batch [B, 1, H, W], each by its own draw; only those are worked on."""
    chosen = Drawer(grey, generator).which(chance)
    if not len(chosen):
        return grey
    part = grey[chosen]
    return grey.index_copy(0, chosen, change(part, Drawer(part, generator)))


def beam_angles(image: Tensor) -> Tensor:
    """Give the angle of the beam through each pixel, radians to the right of straight down, [1, 1, H, W]."""
    rows, columns = _grid(image)
    return torch.atan2(columns, rows + 0.5 + _APEX_ABOVE_FRACTION)


def beam_lengths(image: Tensor) -> Tensor:
    """Give the distance of each pixel from where the beams meet, in sides of the picture, [1, 1, H, W]."""
    rows, columns = _grid(image)
    return torch.hypot(columns, rows + 0.5 + _APEX_ABOVE_FRACTION)


def _grid(image: Tensor) -> tuple[Tensor, Tensor]:
    """Give row and column of each pixel from -0.5 to 0.5, [1, 1, H, 1] and [1, 1, 1, W]."""
    height, width = image.shape[2:]
    rows = (torch.arange(height, device=image.device) + 0.5) / height - 0.5
    columns = (torch.arange(width, device=image.device) + 0.5) / width - 0.5
    return rows[None, None, :, None], columns[None, None, None, :]


def _boxes(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Give centre (column, row) [B, 2] and half side [B, 1] of the square around each mask, in -1..1 coordinates."""
    ranges = []
    for others in (2, 3):  # columns where any row is inside, then rows
        used = inside.amax(dim=others)[:, 0]  # [B, W] or [B, H]
        edges = torch.arange(used.shape[1] + 1, device=used.device) / used.shape[1] * 2 - 1
        low = torch.where(used > 0, edges[:-1], 1.0).amin(dim=1)
        high = torch.where(used > 0, edges[1:], -1.0).amax(dim=1)
        ranges.append((low, torch.maximum(low, high)))
    centre = torch.stack([(low + high) / 2 for low, high in ranges], dim=1)
    half = torch.stack([(high - low) / 2 for low, high in ranges], dim=1).amax(dim=1, keepdim=True)
    is_empty = inside.amax(dim=(1, 2, 3)) == 0
    centre = torch.where(is_empty[:, None], torch.zeros_like(centre), centre)
    return centre, torch.where(is_empty[:, None], torch.ones_like(half), half.clamp(min=0.1))
