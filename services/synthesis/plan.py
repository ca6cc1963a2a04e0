"""The balance plan: pure functions from what is wanted to single images, each with its seed, and to shards of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from services.cine.views import TARGET_VIEWS, View
from services.models.echo_synthesizer import ANY_STYLE, Draw

SEED_BITS = 53
"""Seeds are whole numbers that JSON, Parquet and every language's doubles keep exactly."""

SHARD_IMAGES = 512
"""Images of one shard: a folder that any file system lists quickly, and a few seconds to a minute of work."""

MOST_IMAGES = 100_000
"""Of one batch unless somebody asks for more: minutes to hours of work, and a plan that fits into memory."""


class ImageFormat(StrEnum):
    """How an image is written."""

    PNG = "PNG"
    DICOM = "DICOM"


@dataclass(frozen=True)
class Cell:
    """One view in one style: what a batch is balanced over."""

    view: View
    style: str = ANY_STYLE


@dataclass(frozen=True)
class Order:
    """What is to be made; the whole batch is a function of it and of the model.

    Attributes:
        counts: images of each cell, in the order of the batch; each cell once, each count over 0.
        seed: of the batch, 0 to 2^53 - 1.
        format: of its files.
    """

    counts: tuple[tuple[Cell, int], ...]
    seed: int
    format: ImageFormat = ImageFormat.PNG

    @property
    def total(self) -> int:
        """Images of the whole batch."""
        return sum(count for _, count in self.counts)

    def to_json(self) -> str:
        """Write it as one line, the same for the same order."""
        counts = [[cell.view, cell.style, count] for cell, count in self.counts]
        return json.dumps({"counts": counts, "seed": self.seed, "format": self.format})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        counts = tuple((Cell(View(view), style), count) for view, style, count in values["counts"])
        return cls(counts, values["seed"], ImageFormat(values["format"]))


@dataclass(frozen=True)
class Unit:
    """One image of a batch.

    Attributes:
        index: place in the batch, from 0.
        cell: its view and style.
        number: place among the images of its cell, from 0.
        seed: of its noise.
        attempt: images thrown away for it because they were copies.
    """

    index: int
    cell: Cell
    number: int
    seed: int
    attempt: int = 0

    @property
    def draw(self) -> Draw:
        """What the model is asked for."""
        return Draw(self.cell.view, self.cell.style, self.seed)


@dataclass(frozen=True)
class Shard:
    """Images that stand next to one another in the batch, made and kept together."""

    number: int
    units: tuple[Unit, ...]


def count_per_view(per_view: int, styles: Sequence[str] = ()) -> dict[Cell, int]:
    """Ask for so many images of each of the four views, spread evenly over styles.

    Where the number does not divide, the first styles get one more; every view gets the same.
    """
    names = tuple(styles) or (ANY_STYLE,)
    base, more = divmod(per_view, len(names))
    return {Cell(view, name): base + (at < more) for view in TARGET_VIEWS for at, name in enumerate(names)}


def count_missing(existing: Mapping[Cell, int]) -> dict[Cell, int]:
    """Ask for what brings a set to balance: every view as many as the largest has, and every style of it alike.

    Args:
        existing: images of each cell; a set that names styles in some cells is balanced over the styles it names, and
            its images of ANY_STYLE count for none of them.
    """
    styles = list(dict.fromkeys(cell.style for cell in existing if cell.style != ANY_STYLE)) or [ANY_STYLE]
    have = {Cell(view, style): existing.get(Cell(view, style), 0) for view in TARGET_VIEWS for style in styles}
    largest = max(have.values())
    return {cell: largest - count for cell, count in have.items()}


def order_of(counts: Mapping[Cell, int], seed: int, image_format: ImageFormat = ImageFormat.PNG) -> Order:
    """Make an order of counts, without those that are 0."""
    return Order(tuple((cell, count) for cell, count in counts.items() if count), seed, image_format)


def seed_of(batch_seed: int, cell: Cell, number: int, attempt: int = 0) -> int:
    """Give the seed of one image: the first 53 bits of the SHA-256 of "batch seed/view/style/number/attempt".

    It knows nothing of the other images, so a larger batch begins with the images of a smaller one.
    """
    text = f"{batch_seed}/{cell.view}/{cell.style}/{number}/{attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - SEED_BITS)


def plan(order: Order) -> list[Unit]:
    """List the images of a batch, cells interleaved: any first part is as balanced as the whole, to an image a cell.

    Returns:
        `order.total` units; their indices are their places.
    """
    places = [
        ((number + 0.5) / count, at, cell, number)
        for at, (cell, count) in enumerate(order.counts)
        for number in range(count)
    ]
    places.sort(key=lambda place: place[:2])
    return [
        Unit(index, cell, number, seed_of(order.seed, cell, number))
        for index, (_, _, cell, number) in enumerate(places)
    ]


def next_attempt(unit: Unit, batch_seed: int) -> Unit:
    """Give the unit that stands in for one whose image was a copy."""
    attempt = unit.attempt + 1
    return replace(unit, attempt=attempt, seed=seed_of(batch_seed, unit.cell, unit.number, attempt))


def shards(units: Iterable[Unit], size: int = SHARD_IMAGES) -> list[Shard]:
    """Cut a batch into shards by index: a unit's shard does not depend on which others are still to be made."""
    found: dict[int, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.index // size, []).append(unit)
    return [Shard(number, tuple(members)) for number, members in sorted(found.items())]
