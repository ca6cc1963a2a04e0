"""One process is what it was; numbers of batches are shared out."""

import torch

from training.parallel import Processes, joined, share_gradients, this_process, wait_for_all


def test_alone_there_is_one_process_and_it_is_the_first() -> None:
    with joined() as processes:
        assert processes == this_process() == Processes(1, 0)
        assert processes.is_first
    wait_for_all()


def test_no_batch_is_taken_twice_and_none_is_left_out() -> None:
    taken = [Processes(3, rank).batch_of(step) for step in range(4) for rank in range(3)]
    assert taken == list(range(12))


def test_alone_gradients_stay_as_they_are() -> None:
    layer = torch.nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    before = layer.weight.grad
    share_gradients(layer)
    assert layer.weight.grad is before
