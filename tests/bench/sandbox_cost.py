"""What a process of its own costs a cine: `Sandbox.take_in` minus the same `take_in` here, in pairs taken in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from services.cine.intake import IntakeOptions, take_in
from services.runtime.sandbox import Sandbox
from tests.bench.processor_time import tree_cpu_s

PAIRS = 60
_UNCOUNTED = 5


@dataclass(frozen=True)
class SandboxCost:
    """What the sandbox adds to one cine.

    Attributes:
        wall_ms: median of the pairs' differences.
        low_ms: their lower quartile; a busy machine moves it least.
        cpu_ms: processor time that it adds, per cine; forks and ends included.
    """

    wall_ms: float
    low_ms: float
    cpu_ms: float


def sandbox_cost(sandbox: Sandbox, data: bytes, pairs: int = PAIRS) -> SandboxCost:
    """Measure what `sandbox` adds to taking `data` in."""
    options = IntakeOptions()
    ways: tuple[Callable[[], object], ...] = (
        lambda: sandbox.take_in(data, options),
        lambda: take_in(data, options),
    )
    wall_s: list[list[float]] = [[], []]
    cpu_s = [0.0, 0.0]
    for pair in range(-_UNCOUNTED, pairs):
        for way, spent_s in zip(ways, wall_s, strict=True):
            start = time.perf_counter()
            way()
            if pair >= 0:
                spent_s.append(time.perf_counter() - start)
    for number, way in enumerate(ways):
        before = tree_cpu_s(os.getpid())
        for _ in range(pairs):
            way()
        cpu_s[number] = (tree_cpu_s(os.getpid()) - before) / pairs
    added_ms = sorted(1000.0 * (there - here) for there, here in zip(*wall_s, strict=True))
    return SandboxCost(median(added_ms), added_ms[len(added_ms) // 4], 1000.0 * (cpu_s[0] - cpu_s[1]))
