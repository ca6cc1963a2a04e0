"""Several processes, one training: `torchrun --nproc-per-node N -m training.diffusion ...` gives each GPU a process.

Each takes batches of its own and all take the mean of the gradients, so N processes of batch B do what one of batch N B
would. Without torchrun there is one process and nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed, nn

LONGEST_WAIT = timedelta(days=1)
"""Of one process for another: the first one may render for hours while the others wait."""


@dataclass(frozen=True)
class Processes:
    """How many there are, and which this is; the first one writes."""

    count: int = 1
    rank: int = 0

    @property
    def is_first(self) -> bool:
        """Say whether this one writes files and shows progress."""
        return self.rank == 0

    def batch_of(self, step: int) -> int:
        """Number the batch that this process takes at a step; no two take the same."""
        return step * self.count + self.rank


def this_process() -> Processes:
    """Say which process this is."""
    if not distributed.is_initialized():
        return Processes()
    return Processes(distributed.get_world_size(), distributed.get_rank())


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did; on GPUs each takes the one of its number."""
    if "WORLD_SIZE" not in os.environ or distributed.is_initialized():
        yield this_process()
        return
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if has_gpu else "gloo", timeout=LONGEST_WAIT)
    try:
        yield this_process()
    finally:
        distributed.destroy_process_group()


def share_gradients(network: nn.Module) -> None:
    """Replace each gradient by the mean over all processes."""
    count = this_process().count
    if count == 1:
        return
    for weight in network.parameters():
        gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad
        distributed.all_reduce(gradient)
        weight.grad = gradient / count


def wait_for_all() -> None:
    """Wait until every process is here."""
    if distributed.is_initialized():
        distributed.barrier()
