"""Change simulated frames so much, and in so many ways, that a real one is just one more change.

Geometry first, then erased patches, then appearance; all of it on batches, all of it from one generator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from training.classifier import appearance, foreground, geometry
from training.classifier.config import AugmentationConfig, Range

_GREY_LEVELS = 255.0
_CHANCES = ("chance", "outline_chance", "colour_box_chance", "marks_chance", "narrow_chance", "cut_chance")


@dataclass(frozen=True)
class Batch:
    """Frames [B, 1, H, W] in [-1, 1] and the share of each view in them, [B, K], rows summing to 1."""

    frames: Tensor
    targets: Tensor


def augment(frames: Tensor, config: AugmentationConfig, generator: Generator) -> Tensor:
    """Change every frame of a batch by its own draw.

    Args:
        frames: [B, 1, H, W] float32 in [-1, 1], -1 outside the sector.
        config: ranges.
        generator: the source of every draw, on the device of the frames.

    Returns:
        The same shape, type and range.

    Reference:
        Gonzalez Duque 2022 and BackMix 2024 for the kinds of change; the ranges are ours.
    """
    grey = (frames + 1.0) * 0.5
    inside = geometry.find_inside(grey)
    grey, inside = geometry.exchange_outlines(grey * inside, inside, config.outline_chance, generator)
    inside = geometry.cut_sector(inside, config, generator)
    mirror = torch.rand(len(frames), generator=generator, device=frames.device) < config.mirror_chance
    grey, inside = geometry.place_anew(grey * inside, inside, mirror, config, generator)
    grey = appearance.erase(grey, config, generator)
    grey = foreground.lay_over(grey, config, generator)
    grey = appearance.change(grey, config, generator)
    whole = (grey * inside).clamp(0.0, 1.0).mul(_GREY_LEVELS).round()  # what is dark has few levels left, as in 8 bit
    return whole / _GREY_LEVELS * 2.0 - 1.0


def weaken(config: AugmentationConfig, strength: float) -> AugmentationConfig:
    """Give the changes at a strength of 0 (chances and places as rendered) to 1 (as configured)."""

    def towards_one(limits: Range) -> Range:
        low, high = limits
        return 1.0 + (low - 1.0) * strength, 1.0 + (high - 1.0) * strength

    chances = {name: value * strength for name, value in vars(config).items() if name in _CHANCES}
    return replace(
        config,
        **chances,
        scale=towards_one(config.scale),
        stretch=towards_one(config.stretch),
        shift_fraction=config.shift_fraction * strength,
        rotate_deg=config.rotate_deg * strength,
    )


def mix(batch: Batch, config: AugmentationConfig, generator: Generator) -> Batch:
    """Lay each frame over another one, in some batches: mixed as a whole, or a box of the one in the other.

    Reference:
        Zhang 2018, mixup; Yun 2019, CutMix.
    """
    device = batch.frames.device
    if float(torch.rand((), generator=generator, device=device)) >= config.mixing_chance:
        return batch
    other = torch.randperm(len(batch.frames), generator=generator, device=device)
    share = 0.5 * torch.rand((len(other), 1, 1, 1), generator=generator, device=device)  # of the other frame
    if float(torch.rand((), generator=generator, device=device)) < 0.5:
        weight = share.expand_as(batch.frames)
    else:
        weight = geometry.draw_boxes(batch.frames, share.sqrt().expand(-1, 1, 1, 2), generator)
        share = weight.mean(dim=(1, 2, 3), keepdim=True)
    frames = torch.lerp(batch.frames, batch.frames[other], weight)
    targets = torch.lerp(batch.targets, batch.targets[other], share[:, :, 0, 0])
    return Batch(frames, targets)
