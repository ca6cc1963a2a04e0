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

from training.evaluation.realism.comparison import Row, cells, compare, groups, outside
from training.evaluation.realism.pictures import Found, Order, measure_all, plan
from training.evaluation.realism.reference import load_reference
from training.evaluation.realism.sheets import write_sheets

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
    """Measure, print the tables on stderr, write `report.md`, `realism.json`, `cines.csv` and sheets; give the summary."""
    orders = plan(task.cines, task.seed)
    found = measure_all(orders, task.workers)
    rows = compare(found, load_reference())
    summary = summarise(rows, task.cines, task.seed)
    task.out.mkdir(parents=True, exist_ok=True)
    write_cines(orders, found, task.out / "cines.csv")
    (task.out / "realism.json").write_text(json.dumps(summary, indent=1) + "\n")
    print_tables(rows)
    sheets = write_sheets(task.out, task.seed) if task.with_sheets else []
    (task.out / "report.md").write_text(write_markdown(rows, task.cines, task.seed, sheets))
    return summary


def print_tables(rows: Sequence[Row]) -> None:
    """Print a table a group on stderr."""
    console = Console(stderr=True)
    for group in groups(rows):
        table = Table("statistic", "simulated", "real", "outside", title=TITLES[group], title_justify="left")
        for row in rows:
            if row.reference.group == group:
                table.add_row(*cells(row))
        console.print(table)
    compared = sum(row.is_comparable for row in rows)
    console.print(f"{len(outside(rows))} of {compared} simulated medians lie outside the real range")


def summarise(rows: Sequence[Row], cines: int, seed: int) -> dict[str, Any]:
    """Give the comparison as values that JSON knows."""
    return {
        "cines": cines,
        "seed": seed,
        "compared": sum(row.is_comparable for row in rows),
        "outside": [f"{row.reference.group}.{row.reference.statistic}" for row in outside(rows)],
        "groups": {group: [row.as_plain() for row in rows if row.reference.group == group] for group in groups(rows)},
    }


def write_markdown(rows: Sequence[Row], cines: int, seed: int, sheets: Sequence[str]) -> str:
    """Give the report as Markdown: a table a group, then the sheets."""
    marked, compared = len(outside(rows)), sum(row.is_comparable for row in rows)
    lines = [
        "# How simulated echocardiograms measure beside real ones",
        "",
        f"`echoplane evaluate realism --cines {cines} --seed {seed}`: {compared - marked} of {compared} simulated",
        "medians lie within the real range. Real figures are statistics of public images (`reference.csv`).",
    ]
    for group in groups(rows):
        mine = [row for row in rows if row.reference.group == group]
        lines += ["", f"## {TITLES[group]}", "", f"{_items(mine)}; real: {mine[0].reference.origin}.", ""]
        lines += ["| statistic | simulated | real | outside |", "|---|--:|--:|---|"]
        lines += [f"| {' | '.join(cells(row))} |" for row in mine]
    if sheets:
        lines += ["", "## Sheets", "", *(f"- [{name}]({name})" for name in sheets)]
    return "\n".join(lines) + "\n"


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
