"""Measures every order of a plan, in this process or in several, under one progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import TypeVar

from training.progress import show_progress

_Order = TypeVar("_Order")
_Result = TypeVar("_Result")


def measure_all(task: Callable[[_Order], _Result], orders: Sequence[_Order], workers: int, title: str) -> list[_Result]:
    """Do a task for every order and give the results in the same order.

    Args:
        task: a function that another process can import.
        orders: what it is done for.
        workers: processes; 1 or fewer uses this one.
        title: of the progress bar.
    """
    measured: list[_Result] = []
    with ExitStack() as stack:
        advance = stack.enter_context(show_progress(title, len(orders)))
        results: Iterable[_Result] = map(task, orders)
        if workers > 1:
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
            results = pool.map(task, orders, chunksize=4)
        for one in results:
            measured.append(one)
            advance(len(measured), "")
    return measured
