"""The folder of a test sets its marker; examples that are drawn are the same in every run."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

FOLDERS = {
    "unit": "talks to nothing",
    "integration": "our own processes for real, and a real Triton",
    "browser": "the site console in a real Chromium",
    "fuzz": "damaged files and requests",
    "bench": "a ratio against a named baseline",
}

settings.register_profile("push", derandomize=True, database=None, deadline=None, max_examples=100)
settings.register_profile("night", database=None, deadline=None, max_examples=5_000)
settings.load_profile("push")  # another one: pytest --hypothesis-profile=night


def pytest_configure(config: pytest.Config) -> None:
    """Make each folder's name a marker."""
    for name, meaning in FOLDERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped test fail: a peer that is missing must show. Only tests that need a GPU may be skipped."""
    report = yield
    if report.skipped and item.get_closest_marker("gpu") is None:
        report.outcome = "failed"
        report.longrepr = f"skipped, which only tests marked gpu may be: {report.longrepr}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the folder it lies in."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(item.path.relative_to(here).parts[0])
