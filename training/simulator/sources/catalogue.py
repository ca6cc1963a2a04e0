"""The source files that come with the package, read once; and a source that is none of them."""

import dataclasses
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from services.cine.errors import ConfigError
from training.configuration import load_config
from training.simulator.sources.limits import LIMITS, check
from training.simulator.sources.recipes import Range, Source

WIDE_CHANCE = 0.15  # of each range of the mixed source: wider than any file's
WIDER_BY = 0.15  # of what the files span, at either end

_Recipe = TypeVar("_Recipe")


def read_source(path: Path) -> Source:
    """Read one source file.

    Raises:
        ConfigError: a field is missing, unknown, of the wrong type or out of range; the message names file and field.
    """
    try:
        source = load_config(path, Source)
    except ConfigError as error:
        found = f"{error.found} in {path.name}"
        raise ConfigError(found=found, expected=error.expected, advice=error.advice) from error
    check(source, f"{path.name}: ")
    return source


def read_folder(folder: Path) -> dict[str, Source]:
    """Read every source file of a folder: name to source, in the order of their numbers.

    Raises:
        ConfigError: a file is wrong, or two bear the same number.
    """
    found = {path.stem: read_source(path) for path in sorted(folder.glob("*.yaml"))}
    owners: dict[int, str] = {}
    for name, source in found.items():
        if owners.setdefault(source.number, name) != name:
            raise ConfigError(
                found=f"number {source.number} in {owners[source.number]}.yaml and {name}.yaml",
                expected="a number of its own in each source file",
                advice="Give the newer file the next free number.",
            )
    return dict(sorted(found.items(), key=lambda item: item[1].number))


@cache
def catalogue() -> dict[str, Source]:
    """All sources of the package: name to source, in the order of their numbers."""
    with resources.as_file(resources.files("training.simulator") / "sources") as folder:
        return read_folder(folder)


def mix(sources: tuple[Source, ...], rng: np.random.Generator) -> Source:
    """Take each setting from a source of its own; some ranges are wider than in any of them."""
    return _mix(sources, rng)


def _mix(recipes: tuple[_Recipe, ...], rng: np.random.Generator) -> _Recipe:
    first: Any = recipes[0]
    taken: dict[str, Any] = {}
    for field in dataclasses.fields(first):
        values = [getattr(recipe, field.name) for recipe in recipes]
        if dataclasses.is_dataclass(values[0]) and field.name != "view_shares":
            taken[field.name] = _mix(tuple(values), rng)
            continue
        taken[field.name] = values[int(rng.integers(len(values)))]
        if field.name in LIMITS and not isinstance(values[0][0], tuple) and rng.random() < WIDE_CHANCE:
            taken[field.name] = _widen(values, LIMITS[field.name])
    mixed: _Recipe = type(first)(**taken)
    return mixed


def _widen(ranges: list[Range], allowed: Range) -> Range:
    low, high = min(each[0] for each in ranges), max(each[1] for each in ranges)
    more = WIDER_BY * (high - low)
    return max(low - more, allowed[0]), min(high + more, allowed[1])
