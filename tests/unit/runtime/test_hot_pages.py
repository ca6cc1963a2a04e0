"""Which memory a fork changes, and that it can be copied ahead."""

from __future__ import annotations

import mmap
import os

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


def test_pages_are_copied_ahead_and_what_is_not_there_is_let_be() -> None:
    hot = hot_pages.changed_by(change)
    copied = hot_pages.changed_by(lambda: hot_pages.copy_ahead([(0, mmap.PAGESIZE), *hot]))
    assert all(covers(copied, page) for page in range(3, 59))
    assert not any(covers(copied, page) for page in range(61, PAGES - 1))
    untouched = hot_pages.changed_by(lambda: hot_pages.copy_ahead([]))
    assert not any(covers(untouched, page) for page in range(3, 59))
