"""A network of few multiply-adds: it sees patches of 4x4 pixels as channels, and looks far only where that is cheap."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.cine.preprocessing import MODEL_SIDE_PX
from training.diffusion.condition import Condition, ConditionEmbedding
from training.diffusion.config import NetworkConfig
from training.diffusion.layers import Attention, ConditionedBlock, LevelEmbedding, start_at_zero

PATCH_PX = 4
"""112x112 becomes 28x28 places of 16 values: three quarters of the work of a network on pixels would be done above."""

EMBEDDING_FEATURES = 256

BANDS = 2
"""Fine bands of the noisy picture that are let through to the answer, as much of each as every pixel asks for."""

_LEAST_POWER = 1e-6

_NORM_GROUPS = 8
_SLOWEST, _FASTEST = 0.5, 64.0
"""Radians a unit of log(sigma) / 4, which spans about two units."""


class LeanNetwork(nn.Module):
    """A U-Net on patches: several blocks a level down, one block a level up, attention at the lowest level only.

    What comes up is added to what went down, not put beside it: a U-Net's widest convolutions are those that merge. A
    learned picture is added at the start, because where a place lies in the sector says what may be there.

    Noise must be taken away pixel by pixel, and a patch's few channels cannot carry all of its pixels: with them alone
    the picture stays noisy or turns to mush. So each pixel is told how much to let through of two fine bands of the
    noisy picture itself: a Wiener filter whose weights are seen from afar. Measured on 1,747 simulated frames, 500
    steps of the preset small: error at sigma 0.1 and 0.4 of .046 and .099 with it, of .069 and .139 without.

    Reference:
        Hoogeboom 2023, Simple Diffusion, section 3 (work where the resolution is low).
    """

    def __init__(self, config: NetworkConfig, styles: int) -> None:
        super().__init__()
        widths, embedding = config.channels, EMBEDDING_FEATURES
        self.level = LevelEmbedding(embedding, _SLOWEST, _FASTEST)
        self.condition = ConditionEmbedding(embedding, styles)
        self.embed = nn.Sequential(nn.Linear(embedding, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.stem = nn.Conv2d(PATCH_PX**2, widths[0], 3, padding=1)
        side = MODEL_SIDE_PX // PATCH_PX
        self.places = nn.Parameter(torch.zeros(1, widths[0], side, side))

        def block(width_in: int, width_out: int) -> ConditionedBlock:
            return ConditionedBlock(width_in, width_out, embedding, _NORM_GROUPS, config.dropout)

        self.down = nn.ModuleList(
            nn.ModuleList(
                block(widths[max(0, level - 1)] if index == 0 else width, width)
                for index in range(config.blocks[level])
            )
            for level, width in enumerate(widths)
        )
        self.attention = Attention(widths[-1], config.heads, _NORM_GROUPS)
        self.middle = block(widths[-1], widths[-1])
        self.up = nn.ModuleList(block(width, width) for width in reversed(widths))
        falling = list(reversed(widths))
        self.narrow = nn.ModuleList(nn.Conv2d(below, width, 1) for below, width in pairwise(falling))
        self.norm = nn.GroupNorm(_NORM_GROUPS, widths[0])
        self.answer = start_at_zero(nn.Conv2d(widths[0], (1 + BANDS) * PATCH_PX**2, 3, padding=1))

    def forward(self, image: Tensor, level: Tensor, condition: Condition) -> Tensor:
        """Turn a scaled noisy image [B, 1, 112, 112] and its noise level [B] into one like it."""
        embedding = functional.silu(self.embed(self.level(level) + self.condition(condition)))
        patches = functional.pixel_unshuffle(image, PATCH_PX)  # [B, 1, 112, 112] -> [B, 16, 28, 28]
        inner = self.stem(patches) + self.places
        kept = []
        for depth, blocks in enumerate(self.down):
            if depth:
                inner = functional.avg_pool2d(inner, 2)
            for block in blocks:  # type: ignore[attr-defined]
                inner = block(inner, embedding)
            kept.append(inner)
        inner = self.middle(self.attention(inner), embedding)
        for height, block in enumerate(self.up):
            if height:
                inner = functional.interpolate(self.narrow[height - 1](inner), scale_factor=2.0, mode="nearest")
            inner = block(inner + kept.pop(), embedding)
        answer = functional.pixel_shuffle(self.answer(functional.silu(self.norm(inner))), PATCH_PX)
        # [B, 48, 28, 28] -> [B, 3, 112, 112]: what to add, and how much of each fine band to let through
        return answer[:, :1] + (answer[:, 1:] * fine_bands(image)).sum(dim=1, keepdim=True)


def fine_bands(image: Tensor) -> Tensor:
    """Split off what is finer than about 3 px, and than about 6 px, each with a root mean square of 1, [B, 2, H, W]."""
    smooth = _smooth(image)
    smoother = _smooth(_smooth(smooth))
    bands = torch.cat([image - smooth, smooth - smoother], dim=1)
    return bands * (bands.square().mean(dim=(2, 3), keepdim=True) + _LEAST_POWER).rsqrt()


def _smooth(image: Tensor) -> Tensor:
    """Average over 3x3 pixels; beyond the border the picture goes on as its last line."""
    return functional.avg_pool2d(functional.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
