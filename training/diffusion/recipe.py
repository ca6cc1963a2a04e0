"""Whole trainings of a generator: the teacher, and its student of a few evaluations; resumable from any kill."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from services.cine.errors import ConfigError
from services.cine.preprocessing import preprocessing_fingerprint
from services.cine.views import TARGET_VIEWS
from training.configuration import build_config, to_plain
from training.diffusion.canaries import plant
from training.diffusion.config import DataConfig, DiffusionConfig, DistilConfig, ObjectiveConfig
from training.diffusion.dataset import ImageSet, Parts, load_parts
from training.diffusion.denoiser import Denoiser
from training.diffusion.distil import DistilTask
from training.diffusion.folder_images import load_folder
from training.diffusion.guidance import GuidanceConfig
from training.diffusion.task import DiffusionTask
from training.json_file import write_json
from training.loop import HISTORY_FILE, WEIGHTS_FILE, LoopConfig, TrainingState, train
from training.parallel import joined, this_process, wait_for_all
from training.run_folder import (
    CHECKPOINT_FILE,
    RENDERING_FILE,
    add_up,
    describe_compute,
    find_commit,
    keep_config,
    read_checkpoint,
)
from training.tensor_file import read_tensors

DRAWN_FOLDER = "drawn"
TEACHER, STUDENT = "diffusion", "echo_synthesizer"
"""What a checkpoint says it is; the second can be exported."""

MOST_EVALUATIONS = 4
"""Of a student: what the service's budget on two cores allows."""


@dataclass(frozen=True)
class TrainedGenerator:
    """A finished run.

    Attributes:
        folder: holds weights, checkpoint and history.
        report: everything measured, in JSON's types.
    """

    folder: Path
    report: dict[str, Any]


def train_diffusion(config: DiffusionConfig, folder: Path, cache_folder: Path) -> TrainedGenerator:
    """Train a generator, going on from where an earlier run in the same folder stopped.

    Args:
        config: the experiment.
        folder: gets config.json, history.json, drawn/ (a row of pictures at each validation), training.safetensors,
            weights.safetensors and checkpoint.json.
        cache_folder: where rendered frames are kept, to be shared between experiments.

    Raises:
        ConfigError: the folder holds a run of another configuration, the data do not fit the configuration, or
            guidance leads away from what is never learned.
        TrainingDivergedError: the loss is not finite.
    """
    with joined() as processes:
        check_guidance(config.sampling.guidance, config.objective)
        keep_config(config, folder)
        parts, rendering_s = _gather(config.data, folder, cache_folder)
        styles = config.styles
        task = DiffusionTask(config, parts.with_styles(len(styles)), len(styles), folder / DRAWN_FOLDER)
        state = train(task, config.loop, folder)
        checkpoint = {"model": TEACHER, "config": to_plain(config), "styles": list(styles)}
        checkpoint |= _describe(config.loop, config.data, parts, state, folder, rendering_s)
        if processes.is_first:
            write_json(folder / CHECKPOINT_FILE, checkpoint)
    return TrainedGenerator(folder, checkpoint["report"])


def distil_diffusion(config: DistilConfig, teacher_folder: Path, folder: Path, cache_folder: Path) -> TrainedGenerator:
    """Distil a finished generator; arguments and errors as `train_diffusion`.

    Args:
        config: how.
        teacher_folder: what `train_diffusion` wrote.
        folder: of the new run.
        cache_folder: the one that the teacher's training had.
    """
    check_nodes(config)
    taught = read_checkpoint(teacher_folder)
    if taught["model"] != TEACHER:
        raise ConfigError(
            found=f"a run of {taught['model']} in {teacher_folder}",
            expected="a finished run of `train diffusion`",
            advice="Name its folder.",
        )
    teaching = build_config(taught["config"], DiffusionConfig)
    check_guidance(config.guidance, teaching.objective)
    with joined() as processes:
        keep_config(config, folder)
        parts, rendering_s = _gather(teaching.data, folder, cache_folder)
        seen = parts.with_styles(len(taught["styles"]))
        task = DistilTask(config, teaching, load_denoiser(taught, teacher_folder), seen)
        state = train(task, config.loop, folder)
        checkpoint = {"model": STUDENT, "config": to_plain(config), "styles": taught["styles"], "teacher": taught}
        checkpoint |= _describe(config.loop, teaching.data, parts, state, folder, rendering_s)
        if processes.is_first:
            write_json(folder / CHECKPOINT_FILE, checkpoint)
    return TrainedGenerator(folder, checkpoint["report"])


def load_denoiser(checkpoint: dict[str, Any], folder: Path) -> Denoiser:
    """Rebuild the denoiser of a run, teacher or student, with its averaged weights."""
    taught = checkpoint.get("teacher", checkpoint)
    config = build_config(taught["config"], DiffusionConfig)
    denoiser = Denoiser(config.network, config.objective, len(checkpoint["styles"]))
    denoiser.load_state_dict(read_tensors(folder / WEIGHTS_FILE)[0])
    return denoiser.eval()


def load_images(data: DataConfig, cache_folder: Path) -> Parts:
    """Give what a run learns from and is watched by: own images or simulated ones, with the canaries last."""
    parts = load_folder(Path(data.folder), data.styles) if data.folder else load_parts(data, cache_folder)
    return replace(parts, training=plant(parts.training, data.canaries, data.first_seed))


def _gather(data: DataConfig, folder: Path, cache_folder: Path) -> tuple[Parts, float]:
    """Give the images, and the time that rendering has taken so far, s; of several processes the first one renders."""
    started = time.monotonic()
    is_first = this_process().is_first
    if not is_first:
        wait_for_all()
    parts = load_images(data, cache_folder)
    if is_first:
        wait_for_all()
    spent_s = add_up(folder / RENDERING_FILE, time.monotonic() - started) if is_first else 0.0
    return parts, spent_s


def _describe(
    loop: LoopConfig, data: DataConfig, parts: Parts, state: TrainingState, folder: Path, rendering_s: float
) -> dict[str, Any]:
    history = folder / HISTORY_FILE
    measured = json.loads(history.read_text()) if history.exists() else [{}]
    return {
        "preprocessing": preprocessing_fingerprint(),
        "trained_on": "own images" if data.folder else "simulated",
        "commit": find_commit(),
        "compute": describe_compute(loop, rendering_s, state.spent_s),
        "report": {
            "held_out": measured[-1],
            "images": {
                "training": _count(parts.training, data.styles),
                "held_out": _count(parts.held_out, data.styles),
            },
            "subjects": {
                "training": len(np.unique(parts.training.subjects)),
                "held_out": len(np.unique(parts.held_out.subjects)),
            },
            "left_out": {"training": parts.training.left_out, "held_out": parts.held_out.left_out},
        },
    }


def _count(images: ImageSet, styles: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Count images by view and style."""
    return {
        view.value: {
            style: int(((images.views == number) & (images.styles == index)).sum())
            for index, style in enumerate(styles)
        }
        for number, view in enumerate(TARGET_VIEWS)
    }


def check_guidance(guidance: GuidanceConfig, objective: ObjectiveConfig) -> None:
    """Refuse to lead away from "any view in any style" where a generator never learned what that is.

    Raises:
        ConfigError: guidance acts, and training never leaves the view or the style open.
    """
    if guidance.weight != 1.0 and min(objective.drop_view, objective.drop_style) <= 0:
        raise ConfigError(
            found=f"guidance {guidance.weight:g} of a generator whose view or style is never left open",
            expected="a weight of 1, or drop_view and drop_style above 0",
            advice="Choose the preset thesis to distil it, or train with both left open now and then.",
        )


def check_nodes(config: DistilConfig) -> None:
    """Refuse noise levels that a student cannot walk down.

    Raises:
        ConfigError: they do not fall, are too many, or outnumber the images of a batch.
    """
    nodes = config.nodes
    is_falling = all(first > second for first, second in pairwise((*nodes, 0.0)))
    if not 1 <= len(nodes) <= MOST_EVALUATIONS or not is_falling or config.batch_size < len(nodes):
        raise ConfigError(
            found=f"nodes {nodes} and batches of {config.batch_size}",
            expected=f"one to {MOST_EVALUATIONS} falling noise levels above 0, and an image for each",
            advice="Correct the preset.",
        )
