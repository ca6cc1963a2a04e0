"""Does one task for many items in several processes, in order and in bounded memory.

Nothing heavy is imported here: a worker settles how many threads it may use before it loads numpy.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

ITEMS_A_WORKER = 8
"""A worker takes about as long to start as to make this many cines: fewer are not worth one."""

AHEAD = 8  # items a worker that may wait for a slow one before them

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def usable_cores() -> int:
    """Tell how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def worthwhile(workers: int, items: int) -> int:
    """Tell how many of the wanted workers are worth their start for a number of items."""
    return max(1, min(workers, items // ITEMS_A_WORKER))


def run_in_order(task: Callable[[_Item], _Result], items: Iterable[_Item], workers: int) -> Iterator[_Result]:
    """Do a task for every item; results come in the order of the items.

    Args:
        task: a function of a module, so that another process finds it.
        items: read no further ahead than the workers need.
        workers: processes; 1 works in this one.

    Raises:
        RuntimeError: a worker was killed, as the system does when memory runs out.
    """
    if workers <= 1:
        yield from map(task, items)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start) as pool:
        try:
            yield from _drain(pool, task, items, workers * AHEAD)
        except BrokenProcessPool as error:
            raise RuntimeError(
                "Found a worker gone; expected it to live. Give the same command again, with fewer --workers if"
                " memory is short."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _drain(
    pool: ProcessPoolExecutor, task: Callable[[_Item], _Result], items: Iterable[_Item], ahead: int
) -> Iterator[_Result]:
    waiting: deque[Future[_Result]] = deque()
    for item in items:
        waiting.append(pool.submit(task, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _start() -> None:
    """Settle into a new process: one thread, deaf to Ctrl-C (the parent stops its workers), gone with the parent."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process when its parent has ended, however that was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
