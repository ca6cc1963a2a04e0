"""What carried it: the classifier trained again and again, each time without one thing, judged on families left out.

What is left out of the simulator is left out of the training cines alone; every row answers for the same whole ones.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.classifier.config import ClassifierConfig
from training.classifier.report import measure
from training.evaluation.families import LeftOut, interval, leave_each_out
from training.evaluation.realism.comparison import compare, outside
from training.evaluation.realism.pictures import measure_order, plan
from training.evaluation.realism.reference import load_reference
from training.evaluation.workers import measure_all
from training.export.cards import write_table

TABLE_FILE, REPORT_FILE = "ablation.csv", "ablation.md"
REALISM_SEED = 500_000
"""Subjects of the realism statistics: in no split of any preset."""

Change = Callable[[ClassifierConfig], ClassifierConfig]


def _keep(config: ClassifierConfig) -> ClassifierConfig:
    return config


def _without_random_styles(config: ClassifierConfig) -> ClassifierConfig:
    return replace(config, data=replace(config.data, random_share=0.0))


def _without_outlines(config: ClassifierConfig) -> ClassifierConfig:
    return replace(config, augmentation=replace(config.augmentation, outline_chance=0.0))


def _without_crops(config: ClassifierConfig) -> ClassifierConfig:
    whole = replace(
        config.augmentation,
        scale=(1.0, 1.0),
        stretch=(1.0, 1.0),
        shift_fraction=0.0,
        cut_chance=0.0,
        narrow_chance=0.0,
    )
    return replace(config, augmentation=whole)


@dataclass(frozen=True)
class Row:
    """One thing that is left out.

    Attributes:
        name: in words.
        without: name of it in the simulator, or empty.
        change: what changes in the experiment beside.
    """

    name: str
    without: str = ""
    change: Change = _keep

    def config(self, base: ClassifierConfig) -> ClassifierConfig:
        """Give the experiment without it."""
        changed = self.change(base)
        return replace(changed, data=replace(changed.data, without=(self.without,))) if self.without else changed


WHOLE = Row("nothing")
ROWS = (
    WHOLE,
    Row("moving speckle", "moving_speckle"),
    Row("specular angle", "specular_angle"),
    Row("drop-out", "dropout"),
    Row("haze", "haze"),
    Row("far-field gain", "far_gain"),
    Row("style randomisation", change=_without_random_styles),
    Row("plane jitter", "plane_jitter"),
    Row("background mixing", change=_without_outlines),
    Row("crops", change=_without_crops),
)


@dataclass(frozen=True)
class Study:
    """What is trained and measured.

    Attributes:
        config: the experiment of which one thing at a time is left out.
        families, seeds: trainings of each row.
        realism_cines: how many behind the realism statistics of each row; 0 measures none.
        workers: processes that render those.
        folder, cache: of the results and trainings, and of the rendered frames.
    """

    config: ClassifierConfig
    families: tuple[str, ...]
    seeds: tuple[int, ...]
    realism_cines: int
    workers: int
    folder: Path
    cache: Path


@dataclass(frozen=True)
class Judged:
    """What came of one row.

    Attributes:
        row: what was left out.
        runs: its trainings.
        outside: realism statistics whose simulated median lies outside the real range; None where nothing was measured.
        compared: how many statistics there are.
    """

    row: Row
    runs: list[LeftOut]
    outside: tuple[str, ...] | None
    compared: int


def run_study(study: Study, rows: Sequence[Row] = ROWS) -> str:
    """Train and measure row by row, writing both tables after each; give the last one as Markdown."""
    judged: list[Judged] = []
    text = ""
    for row in rows:
        folder = study.folder / row.name.replace(" ", "_")
        runs = leave_each_out(row.config(study.config), study.families, study.seeds, folder, study.cache)
        judged.append(Judged(row, runs, *judge_realism(row, study)))
        text = write_results(judged, study)
    return text


def judge_realism(row: Row, study: Study) -> tuple[tuple[str, ...] | None, int]:
    """Name the realism statistics that a row's simulator gets wrong, and count all of them.

    What is no part of the simulator changes none of them; None then, and where none is measured.
    """
    if not study.realism_cines or (row is not WHOLE and not row.without):
        return None, 0
    orders = plan(study.realism_cines, REALISM_SEED)
    if row.without:
        orders = [replace(order, without=frozenset({row.without})) for order in orders]
    rows = compare(measure_all(measure_order, orders, study.workers, f"without {row.name}"), load_reference())
    wrong = tuple(f"{one.reference.group}.{one.reference.statistic}" for one in outside(rows))
    return wrong, sum(one.is_comparable for one in rows)


def write_results(judged: Sequence[Judged], study: Study) -> str:
    """Write a line a training to ablation.csv and the table to ablation.md; give that."""
    study.folder.mkdir(parents=True, exist_ok=True)
    with (study.folder / TABLE_FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["without", "family", "seed", "cines", "balanced_accuracy", "others_refused"])
        for one in judged:
            for run in one.runs:
                found = measure(run.cines, run.calibration, 1)
                values = (found["cines"], found["balanced_accuracy"], found["others_refused"])
                writer.writerow([one.row.name, run.family, run.seed, *values])
    text = _write_markdown(judged, study)
    (study.folder / REPORT_FILE).write_text(text)
    return text


def difference(runs: Sequence[LeftOut], whole: Sequence[LeftOut]) -> tuple[float, float]:
    """Give mean and standard error of the change against the whole, paired by family and seed."""
    changes = np.array([_accuracy(run) - _accuracy(other) for run, other in zip(runs, whole, strict=True)])
    error = changes.std(ddof=1) / np.sqrt(len(changes)) if len(changes) > 1 else np.nan
    return float(changes.mean()), float(error)


def _write_markdown(judged: Sequence[Judged], study: Study) -> str:
    whole = judged[0]
    lines = []
    for one in judged:
        low, high = interval(one.runs, study.config.calibration.bootstrap_draws)
        change, error = difference(one.runs, whole.runs)
        accuracy = np.mean([_accuracy(run) for run in one.runs])
        lines.append(
            [
                one.row.name,
                f"{accuracy:.3f} ({low:.3f} to {high:.3f})",
                "" if one is whole else f"{change:+.3f} ± {error:.3f}",
                *_say_realism(one, whole),
            ]
        )
    columns = ["without", "balanced accuracy (95 %)", "change ± s.e.", "realism outside", "which more"]
    return f"""Preset `{study.config.recipe}`, {len(study.seeds)} seeds, families left out: {", ".join(study.families)}.
Balanced accuracy over five answers on test subjects of the family left out, whole in every row; interval over seeds and
subjects; change against the first row, paired by family and seed. Realism: medians outside the real range.

{write_table(columns, lines)}
"""


def _say_realism(one: Judged, whole: Judged) -> tuple[str, str]:
    if one.outside is None:
        return "-", ""
    more = [name for name in one.outside if name not in (whole.outside or ())]
    return f"{len(one.outside)} of {one.compared}", "" if one is whole else ", ".join(more)


def _accuracy(run: LeftOut) -> float:
    return float(measure(run.cines, run.calibration, 1)["balanced_accuracy"])
