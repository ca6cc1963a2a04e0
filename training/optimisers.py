"""How steps follow from gradients: AdamW for everything, or Muon for the kernels of wide convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import torch
from torch import nn

LEAST_CHANNELS = 64
"""On either side of a kernel that Muon takes: what has fewer is an entrance or an exit, where no direction is spare."""


class OptimiserName(StrEnum):
    """AdamW, or Muon beside it."""

    ADAMW = "adamw"
    MUON = "muon"


class KernelMuon(torch.optim.Muon):
    """PyTorch's Muon, which takes matrices only, on convolution kernels [out, in, h, w] as matrices [out, in h w].

    Every kernel moves by the orthogonal matrix nearest to its momentum, so that rare directions learn as fast as common
    ones; scaled to what AdamW's step would measure, so that one learning rate serves both.

    DECISIONS.md says what it brought.

    Reference:
        Jordan 2024, Muon: An optimizer for hidden layers; Liu 2025, Muon is Scalable for LLM Training, section 2.2.

    Args:
        kernels: to be trained.
        learning_rate, weight_decay: as AdamW's.
    """

    def __init__(self, kernels: Sequence[nn.Parameter], learning_rate: float, weight_decay: float) -> None:
        self._kernels = kernels
        matrices = [nn.Parameter(kernel.detach().flatten(1).clone()) for kernel in kernels]
        super().__init__(matrices, learning_rate, weight_decay, adjust_lr_fn="match_rms_adamw")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Move the kernels."""
        matrices = self.param_groups[0]["params"]
        for kernel, matrix in zip(self._kernels, matrices, strict=True):
            matrix.copy_(kernel.flatten(1))
            matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1)
        super().step(closure)  # type: ignore[no-untyped-call]
        for kernel, matrix in zip(self._kernels, matrices, strict=True):
            kernel.copy_(matrix.view_as(kernel))


def build_optimisers(
    network: nn.Module, name: OptimiserName, learning_rate: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """Build what trains a network, every weight in one of them; decay is for weights with two axes or more."""
    is_muon = name is OptimiserName.MUON
    kernels = [weight for weight in network.parameters() if is_muon and _is_wide(weight)]
    rest = [weight for weight in network.parameters() if not (is_muon and _is_wide(weight))]
    groups = [
        {"params": [weight for weight in rest if weight.ndim > 1], "weight_decay": weight_decay},
        {"params": [weight for weight in rest if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=learning_rate)
    return [adamw, KernelMuon(kernels, learning_rate, weight_decay)] if kernels else [adamw]


def _is_wide(weight: nn.Parameter) -> bool:
    return weight.ndim == 4 and min(weight.shape[:2]) >= LEAST_CHANNELS
