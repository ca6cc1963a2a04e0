"""The view classifier's network: standardise inside the sector, small residual trunk, two poolings, one embedding."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.cine.views import ANSWERED_VIEWS, TARGET_VIEWS
from services.models.spec import VIEW_CLASSIFIER
from training.classifier.config import NetworkConfig

INPUT_CHANNELS = 3
EMBEDDING_FEATURES = VIEW_CLASSIFIER.outputs[1].shape[0]

BLACK = 1.5 / 255.0
"""Grey, 0-1, up to which a pixel may lie outside the sector."""

_LEAST_SD = 0.01
"""Grey, 0-1: an even picture is not blown up to noise."""

_CELL_PX = 8
"""The local mean is taken over cells of this side, smoothed over three of them: about a Gaussian of sigma 7 px."""

_SCORE_LIMIT = 4.0
"""Standardised values beyond this say no more."""

_NORM_GROUPS = 8


class Standardise(nn.Module):
    """Make gain and contrast of the machine disappear, as part of the graph."""

    def forward(self, frames: Tensor) -> Tensor:
        """Turn frames [B, 1, H, W] in [-1, 1] into standardised grey, local contrast and sector, [B, 3, H, W]."""
        grey = (frames + 1.0) * 0.5
        inside = fill_between((grey > BLACK).to(grey.dtype))
        area = inside.sum(dim=(2, 3), keepdim=True) + 1.0
        mean = (grey * inside).sum(dim=(2, 3), keepdim=True) / area
        offset = (grey - mean) * inside
        sd = ((offset * offset).sum(dim=(2, 3), keepdim=True) / area).sqrt()
        score = (offset / (sd + _LEAST_SD)).clamp(-_SCORE_LIMIT, _SCORE_LIMIT)
        share = _blur(inside) + 1e-3
        local = (score - _blur(score) / share) * inside
        local_sd = (_blur(local * local) / share).sqrt()
        contrast = (local / (local_sd + 0.2)).clamp(-_SCORE_LIMIT, _SCORE_LIMIT)
        return torch.cat([score, contrast, inside], dim=1)  # 3 x [B, 1, H, W] -> [B, 3, H, W]


def fill_between(mask: Tensor) -> Tensor:
    """Fill a mask [B, 1, H, W] of 0 and 1 between its ends in each row and in each column.

    A sector is convex, so what lies between two of its pixels is inside however black it is. The counts to either side
    are products with triangles of ones: every runtime has those.
    """
    upper = torch.ones(mask.shape[-1], mask.shape[-1], dtype=mask.dtype, device=mask.device).triu()
    in_rows = torch.minimum(mask @ upper, mask @ upper.T)
    in_columns = torch.minimum(upper @ mask, upper.T @ mask)
    return (torch.maximum(in_rows, in_columns) > 0).to(mask.dtype)


def _blur(image: Tensor) -> Tensor:
    """Blur widely and cheaply: cell means, smoothed, and straight lines between them; outside counts as zero."""
    cells = functional.avg_pool2d(functional.avg_pool2d(image, _CELL_PX), 3, stride=1, padding=1)
    return functional.interpolate(cells, scale_factor=float(_CELL_PX), mode="bilinear", align_corners=False)


class Block(nn.Module):
    """Two convolutions beside a shortcut; group statistics, because batch statistics of simulated data do not fit real.

    Reference:
        He 2016, Identity Mappings in Deep Residual Networks; Wu 2018, Group Normalization.
    """

    def __init__(self, channels_in: int, channels_out: int, is_smaller: bool) -> None:
        super().__init__()
        self.shrink = nn.AvgPool2d(2) if is_smaller else nn.Identity()
        self.norm = nn.GroupNorm(_NORM_GROUPS, channels_in)
        self.first = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        same = channels_in == channels_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1, bias=False)
        nn.init.zeros_(self.second.weight)

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C', H, W], or half of H and W; the average before the stride keeps it from aliasing."""
        image = self.shrink(image)
        inner = functional.relu(self.first(functional.relu(self.norm(image))))
        return self.second(inner) + self.shortcut(image)  # type: ignore[no-any-return]


class GatedAnswer(nn.Module):
    """Ask "is it one of the four views" and "which of the four" apart; give the log-probability of all five answers.

    What tells the four views apart is then learned from them alone, however many other planes there are.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.which = nn.Linear(features, len(TARGET_VIEWS))
        self.is_one = nn.Linear(features, 1)

    def forward(self, embedding: Tensor) -> Tensor:
        """Turn an embedding [B, D] into log-probabilities [B, K], the last one of none of the four."""
        gate = self.is_one(embedding)
        views = functional.logsigmoid(gate) + functional.log_softmax(self.which(embedding), dim=1)
        return torch.cat([views, functional.logsigmoid(-gate)], dim=1)  # [B, 4] and [B, 1] -> [B, 5]


class ViewNetwork(nn.Module):
    """Frames in; raw log-odds of each view and of none of them, and the embedding, out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        first, last = config.channels[0], config.channels[-1]
        self.standardise = Standardise()
        self.stem = nn.Sequential(
            nn.Conv2d(INPUT_CHANNELS, config.stem_channels, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(config.stem_channels, first, 3, padding=1),
        )
        self.blocks = nn.Sequential(*_stages(config))
        self.norm = nn.GroupNorm(_NORM_GROUPS, last)
        self.embed = nn.Linear(2 * last, EMBEDDING_FEATURES)
        self.dropout = nn.Dropout(config.dropout)
        answer = (
            GatedAnswer(EMBEDDING_FEATURES) if config.is_gated else nn.Linear(EMBEDDING_FEATURES, len(ANSWERED_VIEWS))
        )
        self.answer = answer

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Turn frames [B, 1, 112, 112] in [-1, 1] into logits [B, K] and embedding [B, 128]."""
        image = functional.relu(self.norm(self.blocks(self.stem(self.standardise(frames)))))
        pooled = torch.cat([image.mean(dim=(2, 3)), image.amax(dim=(2, 3))], dim=1)  # 2 x [B, C] -> [B, 2C]
        embedding = functional.silu(self.embed(pooled))
        return self.answer(self.dropout(embedding)), embedding


class CalibratedNetwork(nn.Module):
    """A trained network whose logits are divided by a temperature: what is exported."""

    def __init__(self, network: ViewNetwork, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Give calibrated logits [B, K] and embedding [B, 128]."""
        logits, embedding = self.network(frames)
        return logits / self.temperature, embedding


def _stages(config: NetworkConfig) -> list[Block]:
    """Lay out the blocks; the second and third stage halve the resolution, later ones keep it."""
    blocks, channels = [], config.channels[0]
    for stage, (width, count) in enumerate(zip(config.channels, config.blocks, strict=True)):
        for index in range(count):
            blocks.append(Block(channels, width, is_smaller=index == 0 and stage in (1, 2)))
            channels = width
    return blocks


def count_parameters(network: nn.Module) -> int:
    """Count trainable numbers."""
    return sum(weight.numel() for weight in network.parameters())


def count_multiply_adds(network: nn.Module, side_px: int) -> int:
    """Count the multiply-adds of convolutions and products for one frame."""
    counted = 0

    def note(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        weight = layer.weight
        if not isinstance(weight, Tensor):
            raise TypeError(f"found a weight of type {type(weight)}, expected a tensor")
        counted += math.prod(output.shape[2:]) * weight.numel()

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    device = next(network.parameters()).device
    with torch.no_grad():
        network(torch.zeros(1, 1, side_px, side_px, device=device))
    for hook in hooks:
        hook.remove()
    return counted
