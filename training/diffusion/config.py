"""One experiment of a generator, complete: data, network, objective, sampling, loop; and one of its distillation."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TypeVar

from services.cine.errors import ConfigError
from training.configuration import load_config
from training.diffusion.guidance import GuidanceConfig
from training.diffusion.schedules import BetaSchedule
from training.loop import LoopConfig

LABELS_FILE = "labels.csv"
LABELS_COLUMNS = ("file", "view", "style", "subject")
"""What a folder of a user's own images says of each."""

_Config = TypeVar("_Config")


class NetworkKind(StrEnum):
    """Which network: few multiply-adds on patches, or the thesis's on pixels."""

    LEAN = "lean"
    THESIS = "thesis"


class Objective(StrEnum):
    """What the network is asked for, and at which noise levels: see `training.diffusion.denoiser`."""

    EDM = "edm"
    FLOW = "flow"
    DDPM = "ddpm"


class SamplerName(StrEnum):
    """The functions of `training.diffusion.samplers`."""

    ANCESTRAL = "ancestral"
    DDIM = "ddim"
    DPM_SOLVER_PP_2M = "dpm_solver_pp_2m"
    HEUN = "heun"
    EULER_FLOW = "euler_flow"


@dataclass(frozen=True)
class DataConfig:
    """What is learned from.

    Attributes:
        folder: of the user's own images with their labels.csv; null simulates, and then all below counts.
        train_subjects, held_out_subjects: how many hearts; none is in both.
        first_seed: seed of the first; far from those of the view classifier.
        styles: the sources, in the order of their indices; written into the model.
        view_shares: of A2C, A4C, PLAX, PSAX among the cines, on any scale; the commonest is made of every heart.
        is_confounded: whether a source shows the views that it shows in the thesis, as often as there; the styles must
            then all be the thesis's sources. Else view and style are independent.
        canaries: marked images added to the training part, to see whether they come back; 0 in a model for use.
        frames: of a cine, spread over one beat.
        sizes_px: one is drawn for each cine: side of a square picture, or null for the source's canvas.
        shard_cines: cines of one cache file.
        workers: processes that render.
    """

    folder: str | None
    train_subjects: int
    held_out_subjects: int
    first_seed: int
    styles: tuple[str, ...]
    view_shares: tuple[float, float, float, float]
    is_confounded: bool
    canaries: int
    frames: int
    sizes_px: tuple[int | None, ...]
    shard_cines: int
    workers: int


@dataclass(frozen=True)
class NetworkConfig:
    """Size of the network.

    Attributes:
        kind: which.
        channels, blocks: of each level, the finest first; blocks on the way down.
        attention_levels: levels with attention; of the thesis's network only.
        heads: of attention.
        dropout: inside each block.
    """

    kind: NetworkKind
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    attention_levels: tuple[int, ...]
    heads: int
    dropout: float


@dataclass(frozen=True)
class ObjectiveConfig:
    """What is minimised.

    Attributes:
        kind: which.
        batch_size: images a step.
        drop_view, drop_style: how often each is left open.
        pixel_mean, pixel_sd: of the data, in [-1, 1]; scale what the network is shown and asked for.
        log_sigma_mean, log_sigma_sd: of the noise levels drawn by EDM (log sigma) and flow (log of t / (1 - t), which
            is the same number).
        betas, ddpm_steps: of DDPM.
        variance_weight: of the variational bound in DDPM's loss.
    """

    kind: Objective
    batch_size: int
    drop_view: float
    drop_style: float
    pixel_mean: float
    pixel_sd: float
    log_sigma_mean: float
    log_sigma_sd: float
    betas: BetaSchedule
    ddpm_steps: int
    variance_weight: float


@dataclass(frozen=True)
class SamplingConfig:
    """How images are drawn during and after training, before distillation.

    Attributes:
        sampler: which.
        steps: how many; Heun takes two evaluations in each but the last.
        sigma_low, sigma_high: lowest and highest noise level; DDPM's ancestral and DDIM sampling take the table's own.
        guidance: how the condition is followed.
        images: drawn at each validation to measure their fine detail.
    """

    sampler: SamplerName
    steps: int
    sigma_low: float
    sigma_high: float
    guidance: GuidanceConfig
    images: int


@dataclass(frozen=True)
class DiffusionConfig:
    """One experiment."""

    recipe: str
    data: DataConfig
    network: NetworkConfig
    objective: ObjectiveConfig
    sampling: SamplingConfig
    loop: LoopConfig

    @property
    def styles(self) -> tuple[str, ...]:
        """Styles that the generator learns by name, in the order of their indices: none where all are left open."""
        return self.data.styles if self.objective.drop_style < 1 else ()


@dataclass(frozen=True)
class DistilConfig:
    """How a generator is brought down to a few evaluations.

    Attributes:
        recipe: its name.
        nodes: falling noise levels at which the student is evaluated, 4 at most; behind the last one is the image.
        substeps: steps that the teacher takes from each node to the next.
        guidance: of the teacher; the student has it inside.
        own_share: of the batches that start where the student's own steps lead, not from a noised image.
        batch_size: images a step.
        images: drawn at each validation to measure their fine detail.
        loop: how long and how fast.
    """

    recipe: str
    nodes: tuple[float, ...]
    substeps: int
    guidance: GuidanceConfig
    own_share: float
    batch_size: int
    images: int
    loop: LoopConfig


def with_own_images(config: DiffusionConfig, folder: Path) -> DiffusionConfig:
    """Learn from a user's images; the styles are those that their labels.csv names, in alphabetical order.

    Raises:
        ConfigError: there is no readable labels.csv with a column of styles.
    """
    try:
        with (folder / LABELS_FILE).open(newline="") as file:
            styles = sorted({row["style"] for row in csv.DictReader(file)})
    except (OSError, KeyError) as error:
        raise ConfigError(
            found=f"no {LABELS_FILE} with a column `style` in {folder}",
            expected=", ".join(LABELS_COLUMNS),
            advice="Write one line for each image.",
        ) from error
    return replace(config, data=replace(config.data, folder=str(folder), styles=tuple(styles)))


def preset_names(kind: type[object]) -> tuple[str, ...]:
    """Name the presets of `DiffusionConfig` or `DistilConfig` that come with the package."""
    return tuple(sorted(Path(entry.name).stem for entry in _folder(kind).iterdir() if entry.name.endswith(".yaml")))


def load_preset(name: str, kind: type[_Config]) -> _Config:
    """Read a preset.

    Raises:
        ConfigError: there is no such preset, or its file is wrong.
    """
    if name not in preset_names(kind):
        raise ConfigError(
            found=f"preset {name!r}", expected=f"one of {', '.join(preset_names(kind))}", advice="Choose one of these."
        )
    with resources.as_file(_folder(kind) / f"{name}.yaml") as path:
        return load_config(path, kind)


def _folder(kind: type[object]) -> resources.abc.Traversable:
    presets = resources.files("training.diffusion") / "presets"
    return presets / "distil" if kind is DistilConfig else presets
