"""What each evaluation of the network is worth: a generator walked in few steps and in many, and its student in four.

Every row draws the same views and styles from the same noise and is held to the same held-out pictures.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.cine.cine import IntArray, UInt8Array
from services.cine.preprocessing import MODEL_SIDE_PX, to_frames, to_tensor
from training.configuration import build_config
from training.diffusion.condition import Condition
from training.diffusion.config import DiffusionConfig, DistilConfig, SamplerName, SamplingConfig
from training.diffusion.denoiser import Denoiser
from training.diffusion.drawing import draw_images, sigmas_of
from training.diffusion.export import FewSteps
from training.diffusion.measures import fine_detail
from training.diffusion.recipe import STUDENT, load_denoiser
from training.evaluation.findings import Rate
from training.evaluation.synthesis.distances import frechet_distance, kernel_distance
from training.evaluation.synthesis.features import ClassifierFeatures
from training.evaluation.synthesis.figures import draw_curves, draw_grid, write_picture
from training.evaluation.synthesis.pictures import Pictures
from training.evaluation.synthesis.trained import load_trained
from training.evaluation.synthesis.usefulness import train_and_score
from training.export.cards import write_table
from training.progress import show_progress
from training.run_folder import read_checkpoint

EVALUATIONS = (1, 2, 4, 8, 16, 32)

CURVES_FILE, PICTURES_FILE = "steps.png", "steps_pictures.png"

_SHOWN = 10
_BATCH = 32
_SEED = 90_001


@dataclass(frozen=True)
class Walk:
    """What one way of drawing gives.

    Attributes:
        run: folder's name of the generator.
        recipe: of its training, and of its student's.
        evaluations: of the network for each image, guidance counted in.
        frechet, kernel: distances of its pictures to held-out ones, in the view classifier's features.
        fine_detail: power at speckle's frequencies over that of held-out pictures.
        as_asked: pictures that the view classifier names as asked for.
        use: macro AUPRC on held-out pictures of a classifier trained on these, one entry a seed.
    """

    run: str
    recipe: str
    evaluations: int
    frechet: float
    kernel: float
    fine_detail: float
    as_asked: Rate
    use: tuple[float, ...]


@dataclass(frozen=True)
class Task:
    """What is measured, and with what.

    Attributes:
        models: the model repository with the view classifier.
        cache: of rendered frames.
        out: folder of the tables and figures.
        pictures: drawn for each row, a quarter of them of each view.
        evaluations: of a teacher, one row each.
        use_steps, use_seeds: of each classifier that is trained on the pictures; no seeds, none is.
    """

    models: Path
    cache: Path
    out: Path
    pictures: int
    evaluations: tuple[int, ...] = EVALUATIONS
    use_steps: int = 400
    use_seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Way:
    """One way of drawing images.

    Attributes:
        run, recipe, evaluations: as in `Walk`.
        draw: gives a picture for each condition, [N, 112, 112].
    """

    run: str
    recipe: str
    evaluations: int
    draw: Callable[[Condition], UInt8Array]


def measure_steps(runs: Sequence[Path], task: Task) -> list[Walk]:
    """Measure every run, teachers at each number of evaluations and students at their own; write tables and figures.

    Raises:
        ConfigError: a folder holds no finished run of a generator.
    """
    describer = ClassifierFeatures(task.models)
    walks: list[Walk] = []
    shown: list[UInt8Array] = []
    for folder in runs:
        checkpoint = read_checkpoint(folder)
        held_out = load_trained(checkpoint, task.cache).held_out
        ways = ways_of(checkpoint, folder, task.evaluations)
        with show_progress(f"measuring {folder.name}", len(ways)) as advance:
            for number, way in enumerate(ways, 1):
                walk, frames = _measure(way, held_out, describer, task)
                walks.append(walk)
                shown.append(frames[:: len(frames) // _SHOWN][:_SHOWN])
                advance(number, f"ways, {way.evaluations} evaluations")
    write_steps(walks, np.concatenate(shown), task)
    return walks


def ways_of(checkpoint: dict[str, Any], folder: Path, evaluations: Sequence[int]) -> list[Way]:
    """Give the ways of drawing a run's images: a teacher's for each number of evaluations, a student's own."""
    denoiser = load_denoiser(checkpoint, folder)
    recipe = checkpoint["config"]["recipe"]
    if checkpoint["model"] == STUDENT:
        nodes = build_config(checkpoint["config"], DistilConfig).nodes
        few = partial(_draw_few, FewSteps(denoiser, nodes).eval())
        return [Way(folder.name, f"{checkpoint['teacher']['config']['recipe']}, {recipe}", len(nodes), few)]
    sampling = build_config(checkpoint["config"], DiffusionConfig).sampling
    walks = [walk_within(denoiser, sampling, wanted) for wanted in evaluations]
    costs = {count_evaluations(denoiser, walk): walk for walk in walks}
    return [Way(folder.name, recipe, cost, partial(_draw_many, denoiser, walk)) for cost, walk in costs.items()]


def count_evaluations(denoiser: Denoiser, sampling: SamplingConfig) -> int:
    """Count the network's evaluations for one image: two in a guided step, and each again where Heun corrects."""
    guidance = sampling.guidance
    sigmas = sigmas_of(denoiser, sampling)
    costs = [2 if guidance.weight != 1.0 and guidance.low < sigma <= guidance.high else 1 for sigma in sigmas[:-1]]
    return sum(costs) + (sum(costs[1:]) if sampling.sampler is SamplerName.HEUN else 0)


def walk_within(denoiser: Denoiser, sampling: SamplingConfig, wanted: int) -> SamplingConfig:
    """Give the walk of most steps that costs no more evaluations than wanted, of one step at least."""
    steps = 1
    while count_evaluations(denoiser, replace(sampling, steps=steps + 1)) <= wanted:
        steps += 1
    return replace(sampling, steps=steps)


def choose_balanced(views: IntArray, count: int) -> IntArray:
    """Choose equally many places of every view, in turns; again from the start where a view has too few."""
    every = [np.resize(np.flatnonzero(views == view), count // len(np.unique(views))) for view in np.unique(views)]
    return np.concatenate(every)


def _measure(way: Way, held_out: Pictures, describer: ClassifierFeatures, task: Task) -> tuple[Walk, UInt8Array]:
    chosen = choose_balanced(held_out.views, task.pictures)
    real = held_out.take(chosen)
    frames = way.draw(Condition(torch.from_numpy(real.views), torch.from_numpy(real.styles)))
    once = np.unique(chosen, return_index=True)[1]  # a held-out picture that stands in twice is compared with once
    features, known = describer.describe(frames[once]), describer.describe(real.frames[once])
    every = np.arange(len(frames))
    made = Pictures(frames, real.views, real.styles, every, every)
    walk = Walk(
        run=way.run,
        recipe=way.recipe,
        evaluations=way.evaluations,
        frechet=frechet_distance(known, features),
        kernel=kernel_distance(known, features),
        fine_detail=fine_detail(torch.from_numpy(to_tensor(frames)), torch.from_numpy(to_tensor(real.frames))),
        as_asked=Rate(int((describer.answers(frames) == real.views).sum()), len(frames)),
        use=tuple(train_and_score(made, held_out, task.use_steps, seed) for seed in task.use_seeds),
    )
    return walk, frames


def _draw_many(denoiser: Denoiser, sampling: SamplingConfig, condition: Condition) -> UInt8Array:
    return to_frames(draw_images(denoiser, sampling, condition, _SEED).numpy())


@torch.no_grad()
def _draw_few(network: FewSteps, condition: Condition) -> UInt8Array:
    generator = torch.Generator().manual_seed(_SEED)
    frames = []
    for start in range(0, len(condition.view), _BATCH):
        view, style = (held[start : start + _BATCH, None] for held in (condition.view, condition.style))
        noise = torch.randn((len(view), 1, MODEL_SIDE_PX, MODEL_SIDE_PX), generator=generator)
        frames.append(to_frames(network(noise, view, style)[0].numpy()))
    return np.concatenate(frames)


def write_steps(walks: Sequence[Walk], shown: UInt8Array, task: Task) -> None:
    """Write steps.csv, steps.json, steps.md, the curves, and a row of pictures from the same noise for each way."""
    task.out.mkdir(parents=True, exist_ok=True)
    (task.out / "steps.json").write_text(json.dumps([asdict(walk) for walk in walks], indent=1) + "\n")
    columns = list(asdict(walks[0]))
    with (task.out / "steps.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([str(getattr(walk, column)) for column in columns] for walk in walks)
    heads = ["generator", "evaluations", "Frechet", "kernel", "fine detail", "view as asked", "AUPRC, a seed each"]
    rows = [_tell(walk) for walk in walks]
    table = write_table(heads, rows)
    (task.out / "steps.md").write_text(f"{task.pictures} pictures a row.\n\n{table}\n")
    runs = dict.fromkeys(walk.run for walk in walks)
    curves = {run: np.array([(walk.evaluations, walk.frechet) for walk in walks if walk.run == run]) for run in runs}
    draw_curves(curves, "network evaluations an image", "Frechet distance to held-out pictures", task.out / CURVES_FILE)
    write_picture(draw_grid(shown, _SHOWN), task.out / PICTURES_FILE)


def _tell(walk: Walk) -> list[str]:
    distances = (f"{walk.frechet:.2f}", f"{walk.kernel:.3f}", f"{walk.fine_detail:.2f}")
    use = " ".join(f"{score:.3f}" for score in walk.use)
    return [walk.run, str(walk.evaluations), *distances, str(walk.as_asked), use]
