"""Holds what simulated cines measure against the reference, and marks what lies outside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from training.evaluation.realism.pictures import Found
from training.evaluation.realism.reference import Reference, Triple


class Mark(StrEnum):
    """Where the simulated median lies beside the real range."""

    INSIDE = ""
    LOW = "low"
    HIGH = "high"
    NONE = "none"  # there is no range, or nothing was simulated


@dataclass(frozen=True)
class Row:
    """One statistic: the real figures and the simulated ones at the same percentiles, NaN where nothing was made."""

    reference: Reference
    simulated: Triple
    items: int

    @property
    def mark(self) -> Mark:
        """Tell where the simulated median lies, at the decimals to which the real range is known."""
        low, _, high = self.reference.values
        median = round(self.simulated[1], self.reference.decimals)
        if np.isnan([low, high, median]).any():
            return Mark.NONE
        return Mark.LOW if median < low else Mark.HIGH if median > high else Mark.INSIDE

    @property
    def spread(self) -> float:
        """How far apart low and high lie, simulated over real; NaN where there is no range."""
        low, _, high = self.reference.values
        return (self.simulated[2] - self.simulated[0]) / (high - low)

    @property
    def is_comparable(self) -> bool:
        """Whether there is both a simulated median and a real range."""
        return self.mark is not Mark.NONE

    def as_plain(self) -> dict[str, Any]:
        """Give the row as values that JSON knows; a number that is not there is null."""
        return {
            "statistic": self.reference.statistic,
            "percentiles": list(self.reference.percentiles),
            "simulated": [_plain(value) for value in self.simulated],
            "simulated_items": self.items,
            "real": [_plain(value) for value in self.reference.values],
            "real_items": self.reference.items,
            "spread": _plain(self.spread),
            "outside": str(self.mark) if self.mark in (Mark.LOW, Mark.HIGH) else None,
        }


def compare(found: Sequence[Found], references: Sequence[Reference]) -> list[Row]:
    """Give a row for every reference, in order."""
    rows = []
    for reference in references:
        mine = [values for one in found for group, values in one if group == reference.group]
        values = [one.get(reference.statistic, np.nan) for one in mine]
        known = np.array([value for value in values if np.isfinite(value)], np.float64)
        quantiles = np.percentile(known, reference.percentiles) if len(known) else np.full(3, np.nan)
        low, median, high = (float(value) for value in quantiles)
        rows.append(Row(reference, (low, median, high), len(known)))
    return rows


def outside(rows: Sequence[Row]) -> list[Row]:
    """Give the rows whose simulated median lies outside the real range."""
    return [row for row in rows if row.mark in (Mark.LOW, Mark.HIGH)]


def groups(rows: Sequence[Row]) -> list[str]:
    """Give the groups that occur, in order."""
    return list(dict.fromkeys(row.reference.group for row in rows))


def write_triple(values: Triple, decimals: int) -> str:
    """Write low / median / high; a number that is not there as a dash."""
    return " / ".join("-" if np.isnan(value) else f"{value:.{decimals}f}" for value in values)


def cells(row: Row) -> tuple[str, str, str, str, str]:
    """Give what a table shows of a row: statistic, simulated, real, spread of simulated over real, mark."""
    reference = row.reference
    simulated, real = (write_triple(values, reference.decimals) for values in (row.simulated, reference.values))
    spread = "-" if np.isnan(row.spread) else f"{row.spread:.1f}"
    return reference.statistic, simulated, real, spread, "-" if row.mark is Mark.NONE else str(row.mark)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
