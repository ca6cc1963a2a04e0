"""What an image is asked to be: a view and a source's style, each of which may be left open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from services.cine.views import TARGET_VIEWS

ANY_VIEW = len(TARGET_VIEWS)
"""Index of "any view", after the last of them; "any style" likewise comes after the last style."""


@dataclass(frozen=True)
class Condition:
    """What a batch is asked to show.

    Attributes:
        view: indices into TARGET_VIEWS, or ANY_VIEW, [B] int64.
        style: indices into the model's styles, or their number for any, [B] int64.
    """

    view: Tensor
    style: Tensor

    def to(self, device: torch.device) -> Condition:
        """Put both on a device."""
        return Condition(self.view.to(device), self.style.to(device))


Denoise = Callable[[Tensor, Tensor, Condition], Tensor]
"""The seam: x = x0 + sigma * noise [B, C, H, W], sigma [B] and the condition in; the expected x0, like x, out."""


def join(first: Condition, second: Condition) -> Condition:
    """Put one batch after the other."""
    return Condition(torch.cat([first.view, second.view]), torch.cat([first.style, second.style]))


def leave_open(condition: Condition, any_style: int) -> Condition:
    """Ask for any view in any style."""
    return Condition(torch.full_like(condition.view, ANY_VIEW), torch.full_like(condition.style, any_style))


def drop(condition: Condition, any_style: int, chances: tuple[float, float], generator: torch.Generator) -> Condition:
    """Leave view and style open at random, each by itself, so that a network learns to do without either or both.

    Args:
        condition: what the images are.
        any_style: index that stands for any style.
        chances: of leaving open the view, and the style.
        generator: draws which.

    Reference:
        Ho and Salimans 2022, Classifier-Free Diffusion Guidance, algorithm 1.
    """
    view, style = (
        torch.where(torch.rand(values.shape, generator=generator, device=values.device) < chance, open_index, values)
        for values, open_index, chance in (
            (condition.view, ANY_VIEW, chances[0]),
            (condition.style, any_style, chances[1]),
        )
    )
    return Condition(view, style)


class ConditionEmbedding(nn.Module):
    """A vector for each view and each style, and for "any" of either; a condition is the sum of two."""

    def __init__(self, features: int, styles: int) -> None:
        super().__init__()
        self.view = nn.Embedding(ANY_VIEW + 1, features)
        self.style = nn.Embedding(styles + 1, features)

    def forward(self, condition: Condition) -> Tensor:
        """Give [B, D]."""
        return self.view(condition.view) + self.style(condition.style)  # type: ignore[no-any-return]
