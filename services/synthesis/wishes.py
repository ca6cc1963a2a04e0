"""What people write on a command line about a batch, read into an order."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.cine.errors import ConfigError
from services.cine.views import TARGET_VIEWS, View
from services.models.echo_synthesizer import ANY_STYLE
from services.synthesis.plan import MOST_IMAGES, Cell, ImageFormat, Order, count_missing, count_per_view, order_of

Styles = Sequence[str] | None
"""What the model knows; None where somebody else will look."""


@dataclass(frozen=True)
class Wish:
    """What was asked for: one of `per_view`, `counts` and `balance`.

    Attributes:
        per_view: images of each view, spread over `styles`.
        counts: "A2C=10" or "PLAX:soft=20".
        balance: a file of what is there already.
        has_styles: whether that file's styles are brought to balance too.
        styles: see `per_view`; none: any.
        seed, format: of the batch.
    """

    per_view: int
    counts: tuple[str, ...] = ()
    balance: Path | None = None
    has_styles: bool = False
    styles: tuple[str, ...] = ()
    seed: int = 0
    format: ImageFormat = ImageFormat.PNG

    def order(self, known: Styles, most: int = MOST_IMAGES) -> Order:
        """Turn it into an order of at most so many images.

        Raises:
            ConfigError: it does not say one thing, names what is not made, or wants too many.
        """
        order = order_of(self._cells(known), self.seed, self.format)
        if order.total > most:
            raise ConfigError(
                found=f"a wish for {order.total} images",
                expected=f"at most {most}",
                advice="Make several batches, each with a --seed of its own.",
            )
        if not order.total:
            raise ConfigError(
                found="nothing to make", expected="a set that lacks some", advice="It is balanced already."
            )
        return order

    def _cells(self, known: Styles) -> dict[Cell, int]:
        if sum([bool(self.per_view), bool(self.counts), self.balance is not None]) != 1:
            raise ConfigError(
                found="no wish, or several",
                expected="one of --per-view, --count and --balance",
                advice="`--per-view 64` makes 64 images of each view.",
            )
        if self.counts:
            return read_counts(self.counts, known)
        if self.balance is not None:
            return count_missing(read_existing(self.balance, self.has_styles, known))
        return count_per_view(self.per_view, [known_style(name, known) for name in self.styles])


def read_counts(texts: Sequence[str], styles: Styles) -> dict[Cell, int]:
    """Read "A2C=10" and "PLAX:soft=20"; counts of the same cell add up.

    Raises:
        ConfigError: one is malformed, or names a view or style that is not made.
    """
    counts: Counter[Cell] = Counter()
    for text in texts:
        name, _, count = text.partition("=")
        view, _, style = name.partition(":")
        if not (count.isascii() and count.isdigit()) or view not in TARGET_VIEWS:
            raise _wrong(f"--count {text}", f"VIEW=N or VIEW:STYLE=N, VIEW one of {', '.join(TARGET_VIEWS)}")
        counts[Cell(View(view), known_style(style or ANY_STYLE, styles))] += int(count)
    return dict(counts)


def read_existing(path: Path, has_styles: bool, styles: Styles) -> dict[Cell, int]:
    """Count what a set has already.

    Args:
        path: a CSV with a column `view` (and `style`), as `labels.csv` and the CSV of `echoplane predict` are, or a
            manifest.json of ours. Rows of other views are passed over.
        has_styles: whether styles are counted apart; else all are ANY_STYLE.
        styles: that the model knows.

    Raises:
        ConfigError: it is not such a file, or names a style that is not made.
    """
    try:
        found = Counter(_cells(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _wrong(f"{path}: {type(error).__name__}", "a CSV with a column `view`, or a manifest.json") from error
    counts: Counter[Cell] = Counter()
    for (view, style), count in found.items():
        if view in TARGET_VIEWS:
            counts[Cell(View(view), known_style(style or ANY_STYLE, styles) if has_styles else ANY_STYLE)] += count
    if not counts:
        raise _wrong(f"{path}: no row of a view that is made", f"rows of {', '.join(TARGET_VIEWS)}")
    return dict(counts)


def known_style(name: str, styles: Styles) -> str:
    """Give the name of a style that can be asked for.

    Raises:
        ConfigError: the model does not know it.
    """
    if styles is not None and name != ANY_STYLE and name not in styles:
        raise _wrong(f"the style {name}", f"one of {', '.join((*styles, ANY_STYLE))}")
    return name


def _cells(path: Path) -> Iterable[tuple[str, str]]:
    if path.suffix == ".json":
        rows = json.loads(path.read_text())["images"]
    else:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    return [(row["view"].strip().upper(), (row.get("style") or "").strip()) for row in rows]


def _wrong(found: str, expected: str) -> ConfigError:
    return ConfigError(found=found, expected=expected, advice="See `echoplane synthesize --help`.")
