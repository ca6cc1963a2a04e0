"""How steps follow from gradients: AdamW for everything, or Muon for the kernels of wide convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

import torch
from torch import Tensor, nn

LEAST_CHANNELS = 64
"""On either side of a kernel that Muon takes: what has fewer is an entrance or an exit, where no direction is spare."""

_MOMENTUM = 0.95
_RMS_OF_ADAMW = 0.2
"""Root mean square of AdamW's steps in units of its learning rate."""
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_LEAST_NORM = 1e-7


class OptimiserName(StrEnum):
    """AdamW, or Muon beside it."""

    ADAMW = "adamw"
    MUON = "muon"


class KernelMuon(torch.optim.Optimizer):
    """Muon on convolution kernels [out, in, h, w] as matrices [out, in h w].

    Every kernel moves by the orthogonal matrix nearest to its momentum, so that rare directions learn as fast as common
    ones; scaled to what AdamW's step would measure, so that one learning rate serves both.

    PyTorch's own Muon takes no kernels and finds that matrix in bf16, which processors without instructions for it only
    imitate: there it took longer than forward and backward together. DECISIONS.md says what Muon brought.

    Reference:
        Jordan 2024, Muon: An optimizer for hidden layers; Liu 2025, Muon is Scalable for LLM Training, section 2.2.

    Args:
        kernels: to be trained.
        learning_rate: of AdamW beside it.
        weight_decay: as AdamW's.
    """

    def __init__(self, kernels: Sequence[nn.Parameter], learning_rate: float, weight_decay: float) -> None:
        super().__init__(kernels, {"lr": learning_rate, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the kernels."""
        for group in self.param_groups:
            for kernel in (kernel for kernel in group["params"] if kernel.grad is not None):
                gradient, state = kernel.grad.flatten(1), self.state[kernel]
                momentum = state.setdefault("momentum_buffer", torch.zeros_like(gradient))
                momentum.lerp_(gradient, 1 - _MOMENTUM)
                direction = nearest_orthogonal(gradient.lerp(momentum, _MOMENTUM))
                size = _RMS_OF_ADAMW * math.sqrt(max(direction.shape))
                kernel.mul_(1 - group["lr"] * group["weight_decay"])
                kernel.sub_(direction.view_as(kernel), alpha=group["lr"] * size)


def nearest_orthogonal(matrix: Tensor) -> Tensor:
    """Bring the singular values of a matrix [M, N] to about 1 (.7 to 1.2), in its own precision.

    Every iteration multiplies by a polynomial of the Gram matrix, so the wide matrix itself is needed at the ends only.

    Reference:
        Jordan 2024: Newton and Schulz's iteration by a polynomial of fifth degree, five times.
    """
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=_LEAST_NORM)
    first, third, fifth = _QUINTIC
    gram, one = wide @ wide.T, torch.eye(len(wide), device=wide.device, dtype=wide.dtype)
    product = one
    for _ in range(_ITERATIONS):
        factor = torch.addmm(first * one + third * gram, gram, gram, alpha=fifth)
        product, gram = factor @ product, factor @ gram @ factor
    nearest: Tensor = product @ wide
    return nearest.T if matrix.shape[0] > matrix.shape[1] else nearest


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
