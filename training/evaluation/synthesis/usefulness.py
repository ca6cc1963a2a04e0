"""Is a made set of use? Train on it, test on held-out pictures; beside it the control that shows mere resampling.

In the control every made picture is replaced by its nearest training picture: if the score stays, the generator added
nothing that a lottery over its training set would not.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from services.cine.cine import BoolArray, IntArray
from services.cine.views import ANSWERED_VIEWS, TARGET_VIEWS
from training.classifier.config import ClassifierConfig, load_preset
from training.classifier.dataset import FrameSet
from training.classifier.predictions import softmax
from training.classifier.task import ClassifierTask, infer
from training.evaluation.synthesis.coverage import distances
from training.evaluation.synthesis.numbers import RealArray
from training.evaluation.synthesis.pictures import Pictures
from training.loop import train

PRESET = "small"
"""Of the view classifier: its smallest network that learns the views."""


@dataclass(frozen=True)
class Use:
    """Macro AUPRC on held-out pictures of a classifier that was trained on each set, one entry a seed.

    Attributes:
        made: on made pictures.
        nearest: on the training picture nearest to each of them: the control.
        real: on as many training pictures, with the same share of each view.
    """

    made: tuple[float, ...]
    nearest: tuple[float, ...]
    real: tuple[float, ...]


@dataclass(frozen=True)
class Sets:
    """Pictures with their features [N, D]."""

    pictures: Pictures
    features: RealArray


def measure_use(made: Sets, training: Sets, held_out: Pictures, steps: int, seeds: tuple[int, ...]) -> Use:
    """Train three classifiers a seed, with equally many pictures and steps, and test them on held-out subjects."""
    nearest = training.pictures.take(nearest_of_view(made, training))
    scores: list[tuple[float, float, float]] = []
    for seed in seeds:
        real = training.pictures.take(_match_views(made.pictures.views, training.pictures.views, seed))
        one, two, three = (
            train_and_score(part, held_out, steps, seed)
            for part in (made.pictures, replace(nearest, views=made.pictures.views), real)
        )
        scores.append((one, two, three))
    return Use(*zip(*scores, strict=True))


def nearest_of_view(made: Sets, training: Sets) -> IntArray:
    """Give the place of the training picture of the same view that is nearest to each made one, [M]."""
    places = np.empty(len(made.pictures), np.int64)
    for view in np.unique(made.pictures.views):
        asked, known = made.pictures.views == view, np.flatnonzero(training.pictures.views == view)
        places[asked] = known[distances(made.features[asked], training.features[known]).argmin(axis=1)]
    return places


def train_and_score(training: Pictures, held_out: Pictures, steps: int, seed: int) -> float:
    """Train the small classifier on pictures and give its macro AUPRC on others."""
    config = _config(steps, seed)
    task = ClassifierTask(config, as_frames(training), as_frames(held_out))
    with tempfile.TemporaryDirectory() as folder:
        state = train(task, config.loop, Path(folder))
    return macro_auprc(softmax(infer(state.ema, held_out.frames)), held_out.views)


def macro_auprc(probabilities: RealArray, labels: IntArray) -> float:
    """Give the mean over views of the average precision of probabilities [N, K] for labels [N].

    Reference:
        Average precision as the step-wise area under precision over recall (Davis and Goadrich 2006, section 3); equal
        probabilities count as one step.
    """
    return float(np.mean([average_precision(probabilities[:, view], labels == view) for view in np.unique(labels)]))


def average_precision(scores: RealArray, is_right: BoolArray) -> float:
    """Give the average precision of scores [N] for what is right, [N], at least one."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(is_right[order])
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # the last of equal scores
    recall = hits[ends] / hits[-1]
    return float((np.diff(recall, prepend=0.0) * hits[ends] / (ends + 1)).sum())


def as_frames(pictures: Pictures) -> FrameSet:
    """Give pictures as the classifier's training takes them, each a cine of its own."""
    count = len(pictures)
    shares = np.zeros((count, len(ANSWERED_VIEWS)), np.float32)
    shares[np.arange(count), pictures.views] = 1.0
    return FrameSet(
        frames=pictures.frames,
        shares=shares,
        styles=pictures.styles.astype(np.str_),
        planes=np.array([TARGET_VIEWS[view].value for view in pictures.views]),
        traits=np.full((count, 3), np.nan, np.float32),
        subjects=pictures.subjects,
        cines=np.arange(count),
        is_sector_found=np.ones(count, bool),
    )


def _config(steps: int, seed: int) -> ClassifierConfig:
    config = load_preset(PRESET)
    loop = replace(config.loop, steps=steps, seed=seed, warmup_steps=max(1, steps // 10), validate_every_steps=steps)
    return replace(config, loop=replace(loop, checkpoint_every_steps=steps))


def _match_views(wanted: IntArray, known: IntArray, seed: int) -> IntArray:
    """Choose places in `known` with the views of `wanted`; again from the start where there are too few."""
    rng = np.random.default_rng([seed, 89])
    places = np.empty(len(wanted), np.int64)
    for view in np.unique(wanted):
        held = rng.permutation(np.flatnonzero(known == view))
        places[wanted == view] = np.resize(held, int((wanted == view).sum()))
    return places
