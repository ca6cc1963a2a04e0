"""Which memory a fork changes, and that copying it ahead spares the faults."""

from __future__ import annotations

import mmap
import os
import resource

import numpy as np

from services.runtime import hot_pages

PAGES = 64
MEMORY = np.ones((PAGES, mmap.PAGESIZE), np.uint8)


def change() -> None:
    MEMORY[3:60, 7] += 1


def covers(runs: hot_pages.Runs, page: int) -> bool:
    at = (
        MEMORY.ctypes.data + (page + 1) * mmap.PAGESIZE - 1
    )  # the end of one: an array need not begin where a page does
    return any(start <= at < start + size for start, size in runs)


def test_pages_that_the_work_changes_are_found_and_no_others() -> None:
    runs = hot_pages.changed_by(change)
    assert all(covers(runs, page) for page in range(3, 59))
    assert not any(covers(runs, page) for page in range(61, PAGES - 1))


def test_work_that_fails_changes_nothing_that_is_known() -> None:
    assert hot_pages.changed_by(lambda: os._exit(1)) == []


def test_pages_that_are_copied_ahead_need_no_fault() -> None:
    runs = hot_pages.changed_by(change)

    def faults(runs: hot_pages.Runs) -> int:
        hear, tell = os.pipe()
        if (pid := os.fork()) == 0:
            hot_pages.copy_ahead(runs)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            change()
            os.write(tell, str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        count = int(os.read(hear, 64))
        os.close(hear)
        os.close(tell)
        return count

    assert faults([]) >= 57
    assert faults(runs) < 30
    assert faults([(0, mmap.PAGESIZE)]) >= 57  # what is not there is let be
