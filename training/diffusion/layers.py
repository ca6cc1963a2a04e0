"""What both networks are made of: the embedding of the noise level, a conditioned residual block, attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class LevelEmbedding(nn.Module):
    """Sines and cosines of one number, from `slowest` to `fastest` radians a unit."""

    def __init__(self, features: int, slowest: float, fastest: float) -> None:
        super().__init__()
        spaced = torch.logspace(math.log10(fastest), math.log10(slowest), features // 2)
        self.register_buffer("frequencies", spaced, persistent=False)

    def forward(self, level: Tensor) -> Tensor:
        """[B] to [B, D]."""
        angles = level.float()[:, None] * torch.as_tensor(self.frequencies)
        return torch.cat([angles.cos(), angles.sin()], dim=1)


class ConditionedBlock(nn.Module):
    """Two convolutions beside a shortcut; the embedding scales and shifts the second's input.

    Reference:
        Dhariwal and Nichol 2021, Diffusion Models Beat GANs, table 3 (adaptive group normalisation).
    """

    def __init__(self, channels_in: int, channels_out: int, embedding: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(groups, channels_in)
        self.first = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * channels_out)
        self.second_norm = nn.GroupNorm(groups, channels_out)
        self.dropout = nn.Dropout(dropout)
        self.second = start_at_zero(nn.Conv2d(channels_out, channels_out, 3, padding=1))
        same = channels_in == channels_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, image: Tensor, embedding: Tensor) -> Tensor:
        """[B, C, H, W] and [B, D] to [B, C', H, W]."""
        inner = self.first(functional.silu(self.first_norm(image)))
        scale, shift = self.modulate(embedding)[:, :, None, None].chunk(2, dim=1)
        inner = functional.silu(self.second_norm(inner) * (1 + scale) + shift)
        return self.shortcut(image) + self.second(self.dropout(inner))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Every place looks at every other, in several heads."""

    def __init__(self, channels: int, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels)
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.merge = start_at_zero(nn.Conv2d(channels, channels, 1))

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        _, channels, rows, columns = image.shape
        parts = self.project(self.norm(image)).flatten(2)  # [B, 3C, H, W] -> [B, 3C, N]
        parts = torch.unflatten(parts, 1, (3, self.heads, channels // self.heads)).transpose(
            -1, -2
        )  # -> [B, 3, heads, N, D]
        seen = functional.scaled_dot_product_attention(parts[:, 0], parts[:, 1], parts[:, 2])
        seen = torch.unflatten(
            seen.transpose(-1, -2).flatten(1, 2), 2, (rows, columns)
        )  # [B, heads, N, D] -> [B, C, H, W]
        return image + self.merge(seen)  # type: ignore[no-any-return]


def start_at_zero(layer: nn.Conv2d) -> nn.Conv2d:
    """Set a layer's weights to 0, so that its block changes nothing at first."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer
