"""What stands behind a generator: the pictures of its run in parts, and the copy filter's index of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.cine.cine import UInt8Array
from services.cine.preprocessing import to_frames
from services.cine.views import TARGET_VIEWS
from services.models.copy_index import CopyIndex
from services.models.echo_synthesizer import BATCH, noise_of
from services.models.onnx_backend import Provider, open_session
from services.models.spec import ECHO_SYNTHESIZER
from training.configuration import build_config
from training.diffusion.config import DiffusionConfig
from training.diffusion.recipe import load_images
from training.evaluation.synthesis.indexing import Origin, build_index
from training.evaluation.synthesis.pictures import Pictures, from_images
from training.progress import show_progress

SIMULATED = "simulated"

SAMPLE = 960
"""Pictures that a generator draws to set its copy filter's threshold."""

_SAMPLE_SEED = 2**32
"""Of the first; requests hash theirs, so none of them is likely to ask for one of these."""


@dataclass(frozen=True)
class Trained:
    """The pictures of a generator's run; no subject is in two parts.

    Attributes:
        training: what it learned from, canaries left out.
        canaries: marked pictures it learned from too, [N, 112, 112].
        calibrating: one picture of each view of other subjects, for the copy filter.
        held_out: pictures of yet others, to compare with.
        styles: its styles, in the order of their indices.
        trained_on: "simulated", or "own images".
    """

    training: Pictures
    canaries: UInt8Array
    calibrating: Pictures
    held_out: Pictures
    styles: tuple[str, ...]
    trained_on: str

    @property
    def is_simulated(self) -> bool:
        """Tell whether its pictures show nobody, so that they may leave the place where they were made."""
        return self.trained_on == SIMULATED

    def index(self, model_sha256: str = "", sample: Pictures | None = None) -> CopyIndex:
        """Make its copy filter's index; thumbnails of people's images are not kept."""
        origin = Origin(model_sha256, self.trained_on, len(self.styles), keeps_thumbnails=self.is_simulated)
        return build_index(self.training, self.calibrating, origin, sample)


def load_trained(checkpoint: dict[str, Any], cache_folder: Path) -> Trained:
    """Give the pictures of a finished run, teacher or student, from the cache or rendered again."""
    taught = checkpoint.get("teacher", checkpoint)
    data = build_config(taught["config"], DiffusionConfig).data
    parts = load_images(data, cache_folder).with_styles(len(taught["styles"]))
    training, others = from_images(parts.training), from_images(parts.held_out)
    count = len(training) - data.canaries
    is_first = np.zeros(len(others), bool)
    is_first[np.unique(others.cines, return_index=True)[1]] = True
    is_calibrating = np.isin(others.subjects, np.unique(others.subjects)[::2])
    return Trained(
        training=training.take(np.arange(count)),
        canaries=training.frames[count:],
        calibrating=others.take(is_calibrating & is_first),
        held_out=others.take(~is_calibrating),
        styles=tuple(taught["styles"]),
        trained_on=taught["trained_on"],
    )


def draw_unfiltered(repository: Path, sha256: str, styles: int) -> Pictures | None:
    """Draw with the weights that made a batch, and without a filter; None where they are not in the repository."""
    for weights in (repository / ECHO_SYNTHESIZER.name).glob("*/model.onnx"):
        if hashlib.sha256(weights.read_bytes()).hexdigest() == sha256:
            return draw_sample(weights, styles)
    return None


def draw_sample(weights: Path, styles: int, count: int = SAMPLE) -> Pictures:
    """Draw pictures with an exported generator, every view equally often in every style.

    Args:
        weights: the ONNX file.
        styles: how many it knows; of none every picture is of any.
        count: how many, a multiple of the batch of every inference.
    """
    session = open_session(weights, Provider.CPU, 1)
    every = np.arange(count)
    views, asked = every % len(TARGET_VIEWS), every // len(TARGET_VIEWS) % max(styles, 1)
    frames = []
    with show_progress("drawing a sample", count) as advance:
        for start in range(0, count, BATCH):
            rows = slice(start, start + BATCH)
            noise = np.stack([noise_of(_SAMPLE_SEED + int(number)) for number in every[rows]])
            inputs = {"noise": noise, "view": views[rows, None], "style": asked[rows, None]}
            frames.append(to_frames(session.run([ECHO_SYNTHESIZER.outputs[0].name], inputs)[0]))
            advance(start + len(noise), "images")
    return Pictures(np.concatenate(frames), views, asked, every, every)
