"""Leave one style family out: train on all the others, calibrate on them, and answer for subjects in the one left out.

Every training is kept in a folder of its own, so that a killed run goes on; seeds share the rendered frames.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from services.cine.views import ANSWERED_VIEWS
from training.classifier.calibration import Calibration, calibrate
from training.classifier.config import ClassifierConfig
from training.classifier.dataset import load_frames
from training.classifier.metrics import balanced_accuracy
from training.classifier.predictions import CinePredictions
from training.classifier.report import measure, subgroups
from training.classifier.simulation import families
from training.classifier.splits import Split
from training.classifier.task import ClassifierTask, predict_cines
from training.export.cards import write_table
from training.json_file import write_json
from training.loop import train
from training.run_folder import keep_config

CINES_FILE, CALIBRATION_FILE = "left_out.npz", "calibration.json"
TABLE_FILE, REPORT_FILE = "families.csv", "families.md"

MEASURES = ("balanced_accuracy", "others_refused", "answered", "accuracy_answered", "named_wrongly")


@dataclass(frozen=True)
class LeftOut:
    """One training and what it said of the family it never saw.

    Attributes:
        family: left out.
        seed: of weights, order and augmentation.
        calibration: from other subjects in the families that were trained on.
        cines: test subjects in the family, calibrated, those with a right answer.
    """

    family: str
    seed: int
    calibration: Calibration
    cines: CinePredictions


def without_family(config: ClassifierConfig, family: str, seed: int) -> ClassifierConfig:
    """Give the experiment that sees every family but one, in training and in calibration."""
    others = tuple(each for each in families() if each != family)
    return replace(
        config,
        data=replace(config.data, train_families=others),
        calibration=replace(config.calibration, families=others),
        loop=replace(config.loop, seed=seed),
    )


def leave_out(config: ClassifierConfig, family: str, seed: int, folder: Path, cache: Path) -> LeftOut:
    """Train without a family and answer for it, going on from where an earlier run stopped.

    Args:
        config: the experiment; families and seed are set here.
        family: left out.
        seed: of weights, order and augmentation.
        folder: of this training.
        cache: where rendered frames are kept.
    """
    config = without_family(config, family, seed)
    keep_config(config, folder)
    if not (folder / CINES_FILE).exists():
        training = load_frames(Split.TRAIN, config, cache)
        calibrating = load_frames(Split.CALIBRATION, config, cache)
        state = train(ClassifierTask(config, training, calibrating), config.loop, folder)
        calibration = calibrate(predict_cines(state.ema, calibrating), config.calibration.wrong_share)
        write_json(folder / CALIBRATION_FILE, asdict(calibration))
        test = load_frames(Split.TEST, config, cache)
        cines = predict_cines(state.ema, test.take(np.isin(test.styles, families()[family])))
        half_done = folder / f"{CINES_FILE}.part"
        with half_done.open("wb") as file:
            np.savez(file, **vars(cines.divided(calibration.temperature)))
        half_done.replace(folder / CINES_FILE)
    with np.load(folder / CINES_FILE, allow_pickle=False) as arrays:
        cines = CinePredictions(**{name: arrays[name] for name in arrays.files})
    calibration = Calibration(**json.loads((folder / CALIBRATION_FILE).read_text()))
    return LeftOut(family, seed, calibration, cines.take(cines.is_clear))


def leave_each_out(
    config: ClassifierConfig, left_out: Sequence[str], seeds: Iterable[int], folder: Path, cache: Path
) -> list[LeftOut]:
    """Do it for some families and seeds, the seeds of one family after the other."""
    chosen = [(family, seed) for family in left_out for seed in seeds]
    return [leave_out(config, *each, folder / f"{each[0]}-{each[1]}", cache) for each in chosen]


def interval(runs: Sequence[LeftOut], draws: int) -> tuple[float, float]:
    """Give the 95 % interval of the balanced accuracy over seeds and subjects, both drawn with replacement.

    A draw takes as many trainings of each family as there are, and in each as many subjects, with all their cines.
    """
    rng = np.random.default_rng(0)
    families_of = {family: [run for run in runs if run.family == family] for family in {run.family for run in runs}}
    members = {id(run): _members(run.cines.subjects) for run in runs}
    values = []
    for _ in range(draws):
        scores = []
        for mine in (families_of[family] for family in sorted(families_of)):
            for run in (mine[index] for index in rng.integers(len(mine), size=len(mine))):
                groups = members[id(run)]
                chosen = np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
                scores.append(balanced_accuracy(run.cines.logits[chosen], run.cines.labels[chosen]))
        values.append(np.mean(scores))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def write_results(runs: Sequence[LeftOut], config: ClassifierConfig, folder: Path) -> str:
    """Write one line a training and group to families.csv and the tables to families.md; give those."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / TABLE_FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["family", "seed", "group", "cines", *MEASURES])
        for run in runs:
            for name, cines in [("all", run.cines), *subgroups(run.cines)]:
                found = measure(cines, run.calibration, 1)
                writer.writerow([run.family, run.seed, name, found["cines"], *(found[each] for each in MEASURES)])
    text = _write_markdown(runs, config)
    (folder / REPORT_FILE).write_text(text)
    return text


def _write_markdown(runs: Sequence[LeftOut], config: ClassifierConfig) -> str:
    draws = config.calibration.bootstrap_draws
    names = list(dict.fromkeys(run.family for run in runs))
    rows = [_row(name, [run for run in runs if run.family == name], draws) for name in names]
    rows.append(_row("**all**", runs, draws))
    seeds = len({run.seed for run in runs})
    columns = ["left out", "cines", "balanced accuracy (95 %)", "by seed", *(f"recall {v}" for v in ANSWERED_VIEWS)]
    columns += ["others refused", "answered", "right when answered", "named wrongly"]
    return f"""Preset `{config.recipe}`, {config.loop.steps:,} steps: enough to compare families; what is served
is trained for longer. Balanced accuracy over the five answers on simulated test subjects in the family that
neither training, nor the styles drawn at random, nor calibration had seen; mean over {seeds} trainings, interval over
trainings and subjects. The threshold comes from the other families, at {runs[0].calibration.wrong_share:.0%} wrong
names: what the last column has above that is the shift.

{write_table(columns, rows)}

{_write_subgroups(runs)}
"""


def _row(name: str, runs: Sequence[LeftOut], draws: int) -> list[str]:
    found = [measure(run.cines, run.calibration, 1) for run in runs]
    low, high = interval(runs, draws)
    by_seed = [
        np.mean([one["balanced_accuracy"] for run, one in zip(runs, found, strict=True) if run.seed == seed])
        for seed in sorted({run.seed for run in runs})
    ]
    recalls = np.array([[np.nan if value is None else value for value in one["recalls"]] for one in found])
    cines = sum({run.family: len(run.cines.labels) for run in runs}.values())
    return [
        name,
        f"{cines}",
        f"{np.mean(by_seed):.3f} ({low:.3f} to {high:.3f})",
        " ".join(f"{value:.3f}" for value in by_seed),
        *(f"{value:.3f}" for value in np.nanmean(recalls, axis=0)),
        *(_mean(found, each) for each in ("others_refused", "answered", "accuracy_answered", "named_wrongly")),
    ]


def _write_subgroups(runs: Sequence[LeftOut]) -> str:
    """Give the accuracy of each subgroup over all cines of all trainings."""
    fields = vars(runs[0].cines)
    joined = CinePredictions(**{name: np.concatenate([vars(run.cines)[name] for run in runs]) for name in fields})
    trainings = len({run.seed for run in runs})
    rows = []
    for name, cines in subgroups(joined):
        right = (cines.logits.argmax(axis=1) == cines.labels).mean()
        rows.append([name, f"{len(cines.labels) // trainings}", f"{right:.3f}"])
    return write_table(["subgroup", "cines", "named right"], rows)


def _mean(found: Sequence[dict[str, float | None]], name: str) -> str:
    values = [value for one in found if (value := one[name]) is not None]
    return f"{np.mean(values):.1%}" if values else "-"


def _members(subjects: np.typing.NDArray[np.int64]) -> list[np.typing.NDArray[np.int64]]:
    return [np.flatnonzero(subjects == subject) for subject in np.unique(subjects)]
