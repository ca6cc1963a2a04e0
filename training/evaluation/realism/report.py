"""The realism report as a table for people, JSON for programs and Markdown for the record."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from training.evaluation.realism.comparison import Mark, Row, cells, compare, groups, outside
from training.evaluation.realism.pictures import Found, Order, measure_order, plan
from training.evaluation.realism.reference import load_reference
from training.evaluation.realism.sheets import write_sheets
from training.evaluation.workers import measure_all

TITLES = {
    "research": "Research stills, A4C",
    "full_screen": "Full-screen exports, all views",
    "clip_112": "112x112 clips, A4C, median of 8 frames each",
    "decorrelation": "Residual correlation of A4C clips at 50 frames a second",
    "anatomy_ed": "Anatomy of A4C at end-diastole",
    "anatomy_es": "Anatomy of A4C at end-systole",
    "ejection": "Ejection fraction, of the heart and of discs of the one plane",
    "pose": "Pose of A4C at end-diastole",
    "grey": "Grey levels by region, A4C of research styles, both ends of the beat",
}
"""What each group of the reference is, in the order of the report."""


@dataclass(frozen=True)
class Task:
    """What is to be measured, and where the report goes."""

    cines: int
    seed: int
    workers: int
    out: Path
    with_sheets: bool = True


def run_report(task: Task) -> dict[str, Any]:
    """Measure, print the tables on stderr, write report, values and sheets into the folder; give the summary."""
    orders = plan(task.cines, task.seed)
    found = measure_all(measure_order, orders, task.workers, "measuring simulated cines")
    rows = compare(found, load_reference())
    by_style = compare_styles(orders, found)
    summary = summarise(rows, by_style, task)
    task.out.mkdir(parents=True, exist_ok=True)
    write_cines(orders, found, task.out / "cines.csv")
    (task.out / "realism.json").write_text(json.dumps(summary, indent=1) + "\n")
    print_tables(rows, by_style)
    sheets = write_sheets(task.out, task.seed) if task.with_sheets else []
    (task.out / "report.md").write_text(write_markdown(rows, by_style, task, sheets))
    return summary


def compare_styles(orders: Sequence[Order], found: Sequence[Found]) -> dict[str, list[Row]]:
    """Hold each style alone against the reference of its family: which source a mark comes from."""
    compared = {}
    for style in dict.fromkeys(order.style for order in orders):
        mine = [one for order, one in zip(orders, found, strict=True) if order.style == style]
        family = next(order.family for order in orders if order.style == style)
        compared[style] = compare(mine, [one for one in load_reference() if one.group == family])
    return compared


def print_tables(rows: Sequence[Row], by_style: dict[str, list[Row]]) -> None:
    """Print a table a group, and one of the styles by themselves, on stderr."""
    console = Console(stderr=True)
    for group in groups(rows):
        table = Table("statistic", "simulated", "real", "spread", "outside", title=TITLES[group], title_justify="left")
        for row in rows:
            if row.reference.group == group:
                table.add_row(*cells(row))
        console.print(table)
    table = Table("style", "family", "cines", "low", "high", title="Styles by themselves", title_justify="left")
    for style, mine in by_style.items():
        table.add_row(*_style_cells(style, mine))
    console.print(table)
    compared = sum(row.is_comparable for row in rows)
    console.print(f"{len(outside(rows))} of {compared} simulated medians lie outside the real range")


def summarise(rows: Sequence[Row], by_style: dict[str, list[Row]], task: Task) -> dict[str, Any]:
    """Give the comparison as values that JSON knows."""
    return {
        "cines": task.cines,
        "seed": task.seed,
        "compared": sum(row.is_comparable for row in rows),
        "outside": [f"{row.reference.group}.{row.reference.statistic}" for row in outside(rows)],
        "groups": {group: [row.as_plain() for row in rows if row.reference.group == group] for group in groups(rows)},
        "styles": {style: [row.as_plain() for row in mine] for style, mine in by_style.items()},
    }


def write_markdown(rows: Sequence[Row], by_style: dict[str, list[Row]], task: Task, sheets: Sequence[str]) -> str:
    """Give the report as Markdown: a table a group, one of the styles by themselves, then the sheets."""
    marked, compared = len(outside(rows)), sum(row.is_comparable for row in rows)
    lines = [
        "# How simulated echocardiograms measure beside real ones",
        "",
        f"`echoplane evaluate realism --cines {task.cines} --seed {task.seed}`: {compared - marked} of {compared}",
        "simulated medians lie within the real range. Real figures are statistics of public images (`reference.csv`).",
        "Spread: how far apart the outer percentiles lie, simulated over real.",
    ]
    for group in groups(rows):
        mine = [row for row in rows if row.reference.group == group]
        lines += ["", f"## {TITLES[group]}", "", f"{_items(mine)}; real: {mine[0].reference.origin}.", ""]
        lines += ["| statistic | simulated | real | spread | outside |", "|---|--:|--:|--:|---|"]
        lines += [f"| {' | '.join(cells(row))} |" for row in mine]
    lines += ["", "## Styles by themselves", "", "Outside the real range of its family, by median.", ""]
    lines += ["| style | family | cines | low | high |", "|---|---|--:|---|---|"]
    lines += [f"| {' | '.join(_style_cells(style, mine))} |" for style, mine in by_style.items()]
    if sheets:
        lines += ["", "## Sheets", "", f"Written beside this page: {', '.join(f'`{name}`' for name in sheets)}."]
    return "\n".join(lines) + "\n"


def _style_cells(style: str, rows: Sequence[Row]) -> list[str]:
    marked = (
        ", ".join(
            f"{row.reference.statistic} {row.simulated[1]:.{row.reference.decimals}f}"
            for row in rows
            if row.mark is mark
        )
        for mark in (Mark.LOW, Mark.HIGH)
    )
    return [style, rows[0].reference.group, str(max(row.items for row in rows)), *marked]


def write_cines(orders: Sequence[Order], found: Sequence[Found], path: Path) -> None:
    """Write one line a cine and value."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "family", "view", "style", "group", "statistic", "value"])
        for order, one in zip(orders, found, strict=True):
            described = (order.subject, order.family, order.view, order.style)
            for group, values in one:
                writer.writerows([*described, group, name, f"{value:.5g}"] for name, value in values.items())


def _items(rows: Sequence[Row]) -> str:
    shares = "/".join(f"{share:.0f}" for share in rows[0].reference.percentiles)
    return f"{max(row.items for row in rows)} simulated; percentiles {shares}"
