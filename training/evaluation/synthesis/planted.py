"""Test the copy filter with copies made on purpose: which share of each kind it finds, at 1 % false alarms.

`python -m training.evaluation.synthesis.planted --help`
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from services.cine.cine import IntArray, UInt8Array
from services.cine.views import TARGET_VIEWS
from services.models.copy_filter import CopyFilter, Judgement
from services.models.copy_index import save_index
from training.evaluation.findings import Rate
from training.evaluation.synthesis.indexing import Origin, build_index, judge_all
from training.evaluation.synthesis.numbers import RealArray
from training.evaluation.synthesis.pictures import Pictures, join
from training.evaluation.synthesis.planting import EASY_PLANTS, annotate, mosaic
from training.evaluation.synthesis.renoising import RENOISED_SIGMAS, Generator, load_generator, renoise
from training.evaluation.synthesis.subjects import Twins, divide, load_or_simulate, simulate_twins
from training.simulator.styles import STYLES

FALSE_ALARM_SHARE = 0.01
"""Of pictures of untrained subjects that may be called copies where kinds are compared."""

WANTED_SHARE, WANTED_BOUND = 0.99, 0.98
"""Of each kind of the first group that must be found, and the least lower bound of that (issue 5)."""

WANTED_COPIES = 500
"""Of each kind, for a bound that means something (issue 5)."""

KINDS = (*EASY_PLANTS, "annotated", "mosaic", "another_frame", "another_style", *RENOISED_SIGMAS)

_SHOWN = 12


@dataclass(frozen=True)
class Planted:
    """Copies of one kind.

    Attributes:
        kind: its name.
        pictures: the copies; subjects are those of the training pictures that they are made from.
        sources: those training pictures, [N, 112, 112].
    """

    kind: str
    pictures: Pictures
    sources: UInt8Array


@dataclass(frozen=True)
class Measured:
    """What the filter said of one kind.

    Attributes:
        planted: the copies.
        judged: an answer a copy.
    """

    planted: Planted
    judged: list[Judgement]

    @property
    def p_values(self) -> RealArray:
        """Of each copy, [N]."""
        return np.array([one.record.p_value for one in self.judged])

    def found(self, p_value: float) -> Rate:
        """Count the copies up to a p-value."""
        return Rate(int((self.p_values <= p_value).sum()), len(self.judged))

    @property
    def named(self) -> Rate:
        """Count the copies whose subject the filter names."""
        named = np.array([one.record.subject for one in self.judged]) == self.planted.pictures.subjects
        return Rate(int(named.sum()), len(named))


def plant_all(training: Pictures, unused: Pictures, strangers: Pictures, replicas: int, seed: int) -> list[Planted]:
    """Make copies of every kind that needs no simulator.

    Args:
        training: what is in the index.
        unused: other frames of the same cines.
        strangers: pictures of untrained subjects: the other half of a mosaic.
        replicas: how many of each kind.
        seed: of all chance.
    """
    rng = np.random.default_rng([seed, 71])
    planted = [_plant(kind, plant, training, replicas, rng) for kind, plant in EASY_PLANTS.items()]
    planted.append(_plant("annotated", annotate, training, replicas, rng))
    others = iter(strangers.frames[rng.integers(0, len(strangers), replicas)])
    planted.append(_plant("mosaic", lambda frame, chance: mosaic(frame, next(others), chance), training, replicas, rng))
    frames = unused.take(rng.permutation(len(unused))[:replicas])
    sources = np.array([int(np.flatnonzero(training.cines == cine)[0]) for cine in frames.cines])
    planted.append(Planted("another_frame", frames, training.frames[sources]))
    return planted


def _plant(
    kind: str,
    plant: Callable[[UInt8Array, np.random.Generator], UInt8Array],
    training: Pictures,
    replicas: int,
    rng: np.random.Generator,
) -> Planted:
    chosen: IntArray = rng.integers(0, len(training), replicas)
    sources = training.take(chosen)
    frames = np.stack([plant(frame, rng) for frame in sources.frames])
    return Planted(kind, Pictures(**vars(sources) | {"frames": frames}), sources.frames)


def summarise(measured: list[Measured], alarms: RealArray, threshold: float, seconds_a_batch: float) -> dict[str, Any]:
    """Give the bench as values that JSON knows; `alarms` are the p-values of untrained pictures that took no part."""
    at_share = float(np.quantile(alarms, FALSE_ALARM_SHARE))
    kinds = {
        one.planted.kind: {
            "found": _plain(one.found(at_share)),
            "found_by_the_filter": _plain(one.found(threshold)),
            "named": _plain(one.named),
        }
        for one in measured
    }
    easy = [kinds[kind]["found"] for kind in EASY_PLANTS]
    return {
        "false_alarms": _plain(Rate(int((alarms <= at_share).sum()), len(alarms))),
        "false_alarms_of_the_filter": _plain(Rate(int((alarms <= threshold).sum()), len(alarms))),
        "threshold": threshold,
        "ms_for_16_images": round(1000 * seconds_a_batch, 1),
        "kinds": kinds,
        "first_group_holds": all(rate["share"] >= WANTED_SHARE and rate["low"] >= WANTED_BOUND for rate in easy),
    }


def count_false_alarms(alarms: list[Judgement], unknown: Pictures) -> dict[str, dict[str, Any]]:
    """Count pictures of untrained subjects that the filter calls copies, for each view and for each style."""
    called = np.array([one.is_copy for one in alarms])
    views = {view.value: unknown.views == number for number, view in enumerate(TARGET_VIEWS)}
    styles = {style: unknown.styles == number for number, style in enumerate(STYLES)}
    return {
        what: {name: _plain(Rate(int(called[own].sum()), int(own.sum()))) for name, own in parts.items() if own.any()}
        for what, parts in (("false_alarms_by_view", views), ("false_alarms_by_style", styles))
    }


def count_short(measured: list[Measured]) -> dict[str, int]:
    """Count the copies of each kind that has fewer than are wanted, 0 where there is none at all."""
    counts = {one.planted.kind: len(one.judged) for one in measured}
    return {kind: counts.get(kind, 0) for kind in KINDS if counts.get(kind, 0) < WANTED_COPIES}


def _plain(rate: Rate) -> dict[str, float]:
    low, high = rate.interval
    return {"share": rate.hits / rate.count, "low": low, "high": high, "hits": rate.hits, "count": rate.count}


def draw_pairs(frames: UInt8Array, beside: UInt8Array, rows: int = _SHOWN) -> UInt8Array:
    """Draw pictures beside others, four pairs a row, [rows * 112, 8 * 112]."""
    pairs = np.concatenate([frames, beside], axis=2)[: 4 * rows]
    pairs = np.concatenate([pairs, np.zeros((-len(pairs) % 4, *pairs.shape[1:]), np.uint8)])
    return np.asarray(np.vstack([np.hstack(list(row)) for row in pairs.reshape(-1, 4, *pairs.shape[1:])]), np.uint8)


def write_sheets(measured: list[Measured], alarms: list[Judgement], unknown: Pictures, out: Path) -> None:
    """Draw, for each kind, the copies that were furthest from being found beside their source; and false alarms."""
    for one in measured:
        worst = np.argsort([-judged.record.score for judged in one.judged])[: 4 * _SHOWN]
        sheet = draw_pairs(one.planted.pictures.frames[worst], one.planted.sources[worst])
        cv2.imwrite(str(out / f"least_found_{one.planted.kind}.png"), sheet)
    nearest = np.argsort([judged.record.score for judged in alarms])[: 4 * _SHOWN]
    cv2.imwrite(str(out / "false_alarms.png"), draw_pairs(unknown.frames[nearest], unknown.frames[nearest] * 0))


def main(  # noqa: PLR0913, PLR0917 - each argument is an option of the command line
    out: Annotated[Path, typer.Option(help="Folder for planted.json, planted.csv and sheets of the hardest cases.")],
    cache: Annotated[Path, typer.Option(help="Folder of rendered sets, made where they are not there.")],
    shards: Annotated[str, typer.Option(help="Folder of frames that the classifier's training rendered.")] = "",
    subjects: Annotated[int, typer.Option(min=12, help="Simulated subjects where there are no shards.")] = 300,
    replicas: Annotated[int, typer.Option(min=10, help="Copies of each kind.")] = WANTED_COPIES,
    twins: Annotated[int, typer.Option(min=0, help="Hearts that are shown in two styles.")] = WANTED_COPIES,
    thumbnails: Annotated[bool, typer.Option(help="Whether the index keeps them.")] = True,
    teacher: Annotated[str, typer.Option(help="Run of `train diffusion` that draws copies again; empty, none.")] = "",
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Plant copies of every kind, look them up among training pictures, and say which share was found.

    Half of the subjects are trained on, a quarter calibrates the filter, a quarter measures false alarms. Exit code 1
    when a kind of the first group is found in less than 99 %, or its lower bound is under .98. Kinds of which there are
    fewer than 500 copies, or none (drawn again, without --teacher), are named.
    """
    cv2.setNumThreads(1)
    parts = divide(load_or_simulate(Path(shards) if shards else None, cache, subjects, seed))
    pairs = simulate_twins(twins, cache, seed) if twins else None
    training = join([parts.training, pairs.shown]) if pairs else parts.training
    index = build_index(training, parts.calibration, Origin("0" * 64, "simulated", len(STYLES), thumbnails))
    out.mkdir(parents=True, exist_ok=True)
    save_index(index, out / "copy_index.npz")
    judge = CopyFilter(index)
    planted = plant_all(parts.training, parts.unused, parts.unknown, replicas, seed)
    planted += [_as_planted(pairs)] if pairs else []
    planted += plant_renoised(parts.training, load_generator(Path(teacher)), replicas, seed) if teacher else []
    measured = [Measured(one, judge_all(judge, one.pictures)) for one in planted]
    alarms = judge_all(judge, parts.unknown)
    p_values = np.array([one.record.p_value for one in alarms])
    summary = summarise(measured, p_values, index.reference.threshold, time_batch(judge, parts.unknown))
    summary |= {"index": len(training), "calibration": len(parts.calibration), "unknown": len(parts.unknown)}
    summary |= {"short": count_short(measured)} | count_false_alarms(alarms, parts.unknown)
    (out / "planted.json").write_text(json.dumps(summary, indent=1) + "\n")
    write_csv(summary, out / "planted.csv")
    write_sheets(measured, alarms, parts.unknown, out)
    print_summary(summary)
    if not summary["first_group_holds"]:
        raise typer.Exit(1)


def plant_renoised(training: Pictures, generator: Generator, replicas: int, seed: int) -> list[Planted]:
    """Have training pictures drawn again from each noise level."""
    sources = training.take(np.random.default_rng([seed, 83]).integers(0, len(training), replicas))
    drawn = {kind: renoise(sources, generator, sigma, seed) for kind, sigma in RENOISED_SIGMAS.items()}
    return [
        Planted(kind, Pictures(**vars(sources) | {"frames": frames}), sources.frames) for kind, frames in drawn.items()
    ]


def _as_planted(pairs: Twins) -> Planted:
    return Planted("another_style", pairs.asked, pairs.shown.frames)


def time_batch(judge: CopyFilter, pictures: Pictures, batches: int = 8) -> float:
    """Give the median time of this process's core for 16 images, s."""
    import time

    from services.cine.preprocessing import to_tensor

    spent = []
    for start in range(0, 16 * batches, 16):
        batch = pictures.take(np.arange(start, start + 16) % len(pictures))
        tensor = to_tensor(batch.frames)
        started = time.process_time()
        judge.judge(tensor, batch.views, batch.styles)
        spent.append(time.process_time() - started)
    return float(np.median(spent))


def write_csv(summary: dict[str, Any], path: Path) -> None:
    """Write a line a kind."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "found", "low", "high", "count", "found_by_the_filter", "named"])
        for kind, one in summary["kinds"].items():
            found = one["found"]
            cells = [f"{found[key]:.4f}" for key in ("share", "low", "high")]
            others = [f"{one[key]['share']:.4f}" for key in ("found_by_the_filter", "named")]
            writer.writerow([kind, *cells, found["count"], *others])


def print_summary(summary: dict[str, Any]) -> None:
    """Print the table on stderr."""
    from rich.console import Console
    from rich.table import Table

    title = f"{summary['index']} training pictures; 16 images take {summary['ms_for_16_images']} ms of one core"
    table = Table("kind", "found at 1 % false alarms", "bounds", "by the filter", "subject named", title=title)
    for kind, one in summary["kinds"].items():
        found = one["found"]
        bounds = f"{found['low']:.3f}-{found['high']:.3f}"
        others = [f"{one[key]['share']:.3f}" for key in ("found_by_the_filter", "named")]
        table.add_row(kind, f"{found['share']:.3f}", bounds, *others)
    console = Console(stderr=True)
    console.print(table)
    alarms = summary["false_alarms_of_the_filter"]
    console.print(f"False alarms of the filter itself: {alarms['hits']} of {alarms['count']}")
    for what in ("view", "style"):
        parts = summary[f"false_alarms_by_{what}"].items()
        told = ", ".join(f"{name} {one['hits']} of {one['count']}" for name, one in parts)
        console.print(f"By {what}: {told}")
    if summary["short"]:
        told = ", ".join(f"{kind} {count}" for kind, count in summary["short"].items())
        console.print(f"[yellow]Fewer than {WANTED_COPIES} copies: {told}[/yellow]")


if __name__ == "__main__":
    typer.run(main)
