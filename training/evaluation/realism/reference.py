"""What real echocardiograms measure: statistics of public images, with their origin; the images are not here."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Triple = tuple[float, float, float]

_TABLE = Path(__file__).with_name("reference.csv")


@dataclass(frozen=True)
class Reference:
    """One statistic of one group of real images.

    Attributes:
        group: which images, such as a family of sources, or which measurement of them.
        statistic: its name within the group.
        percentiles: of the real images, at which `low`, `median` and `high` lie: mostly 10, 50, 90.
        values: low, median and high; low and high are NaN where only a mean profile is known.
        decimals: to which the values are known.
        items: how many images or patients.
        origin: what they are.
    """

    group: str
    statistic: str
    percentiles: Triple
    values: Triple
    decimals: int
    items: int
    origin: str


@cache
def load_reference() -> tuple[Reference, ...]:
    """Read the committed table, in its order."""
    with _TABLE.open(newline="") as file:
        return tuple(_read(line) for line in csv.DictReader(file))


def _read(line: dict[str, str]) -> Reference:
    low, middle, high = (float(share) for share in line["percentiles"].split())
    written = [line[name] for name in ("low", "median", "high")]
    low_value, median, high_value = (float(number or "nan") for number in written)
    return Reference(
        group=line["group"],
        statistic=line["statistic"],
        percentiles=(low, middle, high),
        values=(low_value, median, high_value),
        decimals=max(len(number.partition(".")[2]) for number in written),
        items=int(line["items"]),
        origin=line["origin"],
    )
