"""The folder of a test sets its marker; examples that are drawn are the same in every run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

FOLDERS = {
    "unit": "talks to nothing",
    "integration": "our own processes for real, and a real Triton",
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the folder it lies in."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(item.path.relative_to(here).parts[0])
