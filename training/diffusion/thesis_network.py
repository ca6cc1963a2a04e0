"""The network of the thesis: improved-diffusion's U-Net on pixels, with a second channel for the variance."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.diffusion.condition import Condition, ConditionEmbedding
from training.diffusion.config import NetworkConfig
from training.diffusion.layers import Attention, ConditionedBlock, LevelEmbedding, start_at_zero

_NORM_GROUPS = 32
_LONGEST_PERIOD = 10_000.0


class ThesisNetwork(nn.Module):
    """A U-Net whose every block, up and down, keeps what it made for its partner on the other side.

    Reference:
        Nichol and Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, appendix A; the published sizes are
        128 channels times (1, 2, 3, 4), three blocks a level, four heads.
    """

    def __init__(self, config: NetworkConfig, styles: int) -> None:
        super().__init__()
        base, embedding = config.channels[0], 4 * config.channels[0]
        self.level = LevelEmbedding(base, 1 / _LONGEST_PERIOD, 1.0)
        self.embed = nn.Sequential(nn.Linear(base, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.condition = ConditionEmbedding(embedding, styles)
        self.stem = nn.Conv2d(1, base, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        widths, width = [base], base
        for level, wide in enumerate(config.channels):
            for _ in range(config.blocks[level]):
                self.down.append(_Stage(config, level, width, wide, embedding))
                width = wide
                widths.append(width)
            if level < len(config.channels) - 1:
                self.down.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                widths.append(width)
        self.middle = nn.ModuleList(
            [
                ConditionedBlock(width, width, embedding, _NORM_GROUPS, config.dropout),
                Attention(width, config.heads, _NORM_GROUPS),
                ConditionedBlock(width, width, embedding, _NORM_GROUPS, config.dropout),
            ]
        )
        for level, wide in reversed(list(enumerate(config.channels))):
            for index in range(config.blocks[level] + 1):
                self.up.append(_Stage(config, level, width + widths.pop(), wide, embedding))
                width = wide
                if level and index == config.blocks[level]:
                    self.up.append(nn.Conv2d(width, width, 3, padding=1))
        self.norm = nn.GroupNorm(_NORM_GROUPS, width)
        self.answer = start_at_zero(nn.Conv2d(width, 2, 3, padding=1))

    def forward(self, image: Tensor, level: Tensor, condition: Condition) -> Tensor:
        """Turn a noisy image [B, 1, H, W] and its step, 0-1000, [B], into noise and variance, [B, 2, H, W]."""
        embedding = functional.silu(self.embed(self.level(level)) + self.condition(condition))
        inner = self.stem(image)
        kept = [inner]
        for part in self.down:
            inner = part(inner, embedding) if isinstance(part, _Stage) else part(inner)
            kept.append(inner)
        before, attention, after = self.middle
        inner = after(attention(before(inner, embedding)), embedding)
        for part in self.up:
            if isinstance(part, _Stage):
                inner = part(torch.cat([inner, kept.pop()], dim=1), embedding)
            else:
                inner = part(functional.interpolate(inner, scale_factor=2.0, mode="nearest"))
        return self.answer(functional.silu(self.norm(inner)))  # type: ignore[no-any-return]


class _Stage(nn.Module):
    """A block, with attention behind it on the levels that have it."""

    def __init__(self, config: NetworkConfig, level: int, width_in: int, width_out: int, embedding: int) -> None:
        super().__init__()
        self.block = ConditionedBlock(width_in, width_out, embedding, _NORM_GROUPS, config.dropout)
        has_attention = level in config.attention_levels
        self.attention = Attention(width_out, config.heads, _NORM_GROUPS) if has_attention else nn.Identity()

    def forward(self, image: Tensor, embedding: Tensor) -> Tensor:
        return self.attention(self.block(image, embedding))  # type: ignore[no-any-return]
