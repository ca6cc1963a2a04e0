"""Does one task for many orders, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

_Order = TypeVar("_Order")
_Result = TypeVar("_Result")


def run(task: Callable[[_Order], _Result], orders: Sequence[_Order], workers: int) -> Iterator[_Result]:
    """Do a task for every order, in order."""
    if workers <= 1:
        yield from map(task, orders)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(task, orders, chunksize=4)
