"""Muon moves wide kernels by orthogonal steps; whatever is chosen, every weight is trained once."""

import pytest
import torch
from torch import nn

from training.optimisers import LEAST_CHANNELS, KernelMuon, OptimiserName, build_optimisers


def network() -> nn.Sequential:
    wide = nn.Conv2d(LEAST_CHANNELS, LEAST_CHANNELS, 3, padding=1)
    return nn.Sequential(nn.Conv2d(1, LEAST_CHANNELS, 3), wide, nn.GroupNorm(4, LEAST_CHANNELS)).to(
        memory_format=torch.channels_last
    )


@pytest.mark.parametrize("name", OptimiserName)
def test_one_step_moves_every_weight(name: OptimiserName) -> None:
    torch.manual_seed(1)
    net = network()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    optimisers = build_optimisers(net, name, 1e-2, 0.0)
    assert len(optimisers) == (2 if name is OptimiserName.MUON else 1)
    net(torch.randn(4, 1, 12, 12)).square().mean().backward()
    for optimiser in optimisers:
        optimiser.step()
    assert all(not torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_a_kernel_learns_rare_directions_as_fast_as_common_ones() -> None:
    kernel = nn.Parameter(torch.zeros(LEAST_CHANNELS, LEAST_CHANNELS, 1, 1))
    kernel.grad = torch.diag(torch.logspace(0, 1, LEAST_CHANNELS))[:, :, None, None]
    KernelMuon([kernel], 1e-2, 0.0).step()
    moved = torch.linalg.svdvals(kernel.detach().flatten(1))
    assert float(moved.max() / moved.min()) < 3  # of gradients ten times as large as one another
    assert (kernel.detach().diagonal() < 0).all()


def test_its_step_measures_what_adamw_would() -> None:
    torch.manual_seed(2)
    kernel = nn.Parameter(torch.randn(LEAST_CHANNELS, LEAST_CHANNELS, 3, 3))
    before = kernel.detach().clone()
    kernel.grad = torch.randn_like(kernel)
    KernelMuon([kernel], 1e-3, 0.0).step()
    rms = float((kernel.detach() - before).square().mean().sqrt())
    assert 0.1 * 1e-3 < rms < 1e-3  # AdamW's is 0.2 to 0.4 of the learning rate (Liu 2025, section 2.2)


def test_its_steps_are_those_of_pytorch_up_to_bf16() -> None:
    torch.manual_seed(3)
    kernel = nn.Parameter(torch.randn(LEAST_CHANNELS, 2 * LEAST_CHANNELS, 3, 3))
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    before = matrix.detach().clone()
    ours = KernelMuon([kernel], 1e-2, 0.1)
    theirs = torch.optim.Muon([matrix], 1e-2, 0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        kernel.grad = torch.randn_like(kernel)
        matrix.grad = kernel.grad.flatten(1).clone()
        ours.step(), theirs.step()
    apart, moved = kernel.detach().flatten(1) - matrix.detach(), matrix.detach() - before
    assert float(apart.norm() / moved.norm()) < 0.02
