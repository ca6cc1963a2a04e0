"""Make a copy filter's index from the training pictures and from pictures of subjects that were never trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from services.cine.cine import BoolArray, FloatArray, UInt8Array
from services.cine.errors import ConfigError
from services.cine.preprocessing import to_tensor
from services.cine.views import TARGET_VIEWS
from services.models.copy_filter import CopyFilter, Judgement
from services.models.copy_index import CopyIndex, Reference
from services.models.copy_pictures import CELLS, contrast, move, pose, shrink
from services.models.copy_search import FEATURES, REGIONS, Features, region_masks
from training.evaluation.synthesis.numbers import RealArray
from training.evaluation.synthesis.pictures import Pictures
from training.evaluation.synthesis.planting import SINGLE_PLANTS

FALSE_DISCOVERY_SHARE = 0.01
"""Of the copies found in a sample, so many may be none: as far as that allows, the threshold rises.

It never falls under 1 / (1 + M), what M calibrating pictures can tell: then all that is nearer than each of them is
replaced, and where the generator copies nothing, all of that share is replaced falsely."""

MOST_FALSE_ALARMS = 0.01
"""Of images that are no copies, the share that should at most be replaced: it takes 99 calibrating pictures."""

LEARNED_PICTURES, LEARNED_CHANGES = 3000, 3
"""Training pictures that features are learned from, and how often each is changed: more change nothing measurable."""

_LEARNED_PLANTS = ("gain", "gamma", "speckle", "blur", "jpeg", "resample")
_LEARNED_ROTATION_DEG, _LEARNED_SCALE, _LEARNED_SHIFT_CELLS = 5.0, 0.06, 0.75
"""Half the distance between the poses that are looked up: features must bear what is left."""

_RIDGE = 0.1
"""Of the mean variance of changes, added to all: nothing is told apart by what hardly ever varies."""

_LOW_SHARE = 0.02
"""A spread reaches from the median to this quantile, the side where copies are."""

_CELL_WEIGHT = 20.0
"""Pictures of a view that a style's own median is weighed against: so many count as much as they all."""

_BATCH = 64


@dataclass(frozen=True)
class Origin:
    """Whose pictures these are.

    Attributes:
        model_sha256: of the generator's weights.
        trained_on: "simulated", or what else the training pictures are.
        styles: how many the generator knows; pictures count theirs as it does.
        keeps_thumbnails: whether they may be kept: for simulated pictures, or in a file that stays at its site.
    """

    model_sha256: str
    trained_on: str
    styles: int
    keeps_thumbnails: bool


def build_index(training: Pictures, held_out: Pictures, origin: Origin, sample: Pictures | None = None) -> CopyIndex:
    """Make the index of a generator.

    Args:
        training: everything it was trained on.
        held_out: one picture of each view of subjects that it was not trained on; a third of the subjects says what is
            usual, the others how often the unusual comes by chance.
        origin: whose they are.
        sample: what the generator makes; sets the threshold. Without it only what is nearer than every held-out
            picture counts as a copy.

    Raises:
        ConfigError: there are not two held-out subjects, so that everything would count as a copy.
        ValueError: a subject is in both sets.
    """
    if len(np.unique(held_out.subjects)) < 2:
        raise ConfigError(
            found=f"{len(held_out)} pictures of less than two held-out subjects to calibrate the copy filter",
            expected=f"{round(1 / MOST_FALSE_ALARMS)} or more, of as many subjects as can be",
            advice="Give images of more subjects, or a greater held_out_subjects.",
        )
    if np.intersect1d(training.subjects, held_out.subjects).size:
        raise ValueError("a subject is both trained on and held out")
    ordered = training.by_subject()
    thumbnails = shrink(ordered.frames)
    features = learn_features(ordered.frames)
    index = CopyIndex(
        model_sha256=origin.model_sha256,
        trained_on=origin.trained_on,
        features=features,
        thumbnails=thumbnails if origin.keeps_thumbnails else thumbnails[:0],
        descriptors=np.zeros((0, REGIONS, FEATURES), np.float32),
        subjects=ordered.subjects,
        reference=_no_reference(origin.styles),
    )
    if not origin.keeps_thumbnails:
        index = replace(index, descriptors=features.describe(contrast(thumbnails)))
    is_usual = np.isin(held_out.subjects, np.unique(held_out.subjects)[::3])
    nearness = examine(CopyFilter(index), held_out.frames)
    index = replace(index, reference=calibrate(nearness, held_out, is_usual, origin.styles))
    if sample is None:
        return index
    records = [judged.record for judged in judge_all(CopyFilter(index), sample)]
    p_values = np.array([record.p_value for record in records])
    threshold = max(index.reference.threshold, discovery_threshold(p_values, FALSE_DISCOVERY_SHARE))
    return replace(index, reference=replace(index.reference, threshold=threshold))


def learn_features(frames: UInt8Array, seed: int = 0) -> Features:
    """Learn the linear features that differ most between pictures [N, 112, 112] and least between changes of one.

    Reference:
        Fisher's linear discriminant with a class a picture; within-class scatter from changes that a copy may suffer.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(frames), min(LEARNED_PICTURES, len(frames)), replace=False)
    flat = contrast(shrink(frames)).reshape(len(frames), -1)  # [N, 28, 28] -> [N, 784]
    changed = [_change(frames[place], rng) for place in np.repeat(chosen, LEARNED_CHANGES)]
    apart = contrast(shrink(np.stack(changed))).reshape(len(changed), -1) - np.repeat(flat[chosen], LEARNED_CHANGES, 0)
    mean = flat.mean(axis=0)
    between, within = (flat - mean).T @ (flat - mean) / len(flat), apart.T @ apart / len(apart)
    directions = np.zeros((REGIONS, CELLS**2, FEATURES), np.float32)
    for region, mask in enumerate(region_masks() > 0):
        directions[region, mask] = _discriminate(between[np.ix_(mask, mask)], within[np.ix_(mask, mask)])
    return Features(mean.astype(np.float32), directions)


def calibrate(nearness: FloatArray, held_out: Pictures, is_usual: BoolArray, styles: int) -> Reference:
    """Learn from nearness [H, R] of held-out pictures what is usual for a view and style, and what comes by chance.

    The median is of view and style, the spread of the view; then all are ranked together, for a p-value of 1 % takes a
    hundred pictures, which one view and style does not have.
    """
    views = len(TARGET_VIEWS)
    centres = np.empty((views + 1, styles + 1, REGIONS), np.float32)
    spreads = np.empty((views + 1, REGIONS), np.float32)
    for view in range(views + 1):
        of_view = is_usual & ((held_out.views == view) | (view == views))
        if not of_view.any():
            of_view = is_usual
        centre = np.median(nearness[of_view], axis=0)
        spreads[view] = np.maximum(centre - np.quantile(nearness[of_view], _LOW_SHARE, axis=0), 1e-3)
        for style in range(styles + 1):
            own = nearness[of_view & (held_out.styles == style)]
            total = (np.median(own, axis=0) * len(own) if len(own) else 0.0) + _CELL_WEIGHT * centre
            centres[view, style] = total / (len(own) + _CELL_WEIGHT)
    rest = ~is_usual
    reference = Reference(centres, spreads, np.zeros(0, np.float32), 1 / (1 + rest.sum()))
    scores = reference.score(nearness[rest], held_out.views[rest], held_out.styles[rest])[1]
    return replace(reference, scores=np.sort(scores))


def discovery_threshold(p_values: RealArray, share: float) -> float:
    """Give the largest p-value up to which all may be rejected with that share of false ones; 0 if none may.

    Reference:
        Benjamini and Hochberg, "Controlling the False Discovery Rate", 1995; valid for conformal p-values: Bates 2023.
    """
    ordered = np.sort(p_values)
    passing = ordered <= share * np.arange(1, len(ordered) + 1) / len(ordered)
    return float(ordered[passing].max(initial=0.0))


def examine(judge: CopyFilter, frames: UInt8Array) -> FloatArray:
    """Give the nearness of frames [N, 112, 112], [N, R], some at a time."""
    return np.concatenate([judge.examine(frames[piece]).nearness for piece in _pieces(len(frames))])


def judge_all(judge: CopyFilter, pictures: Pictures) -> list[Judgement]:
    """Judge pictures, some at a time."""
    judged: list[Judgement] = []
    for piece in _pieces(len(pictures)):
        judged += judge.judge(to_tensor(pictures.frames[piece]), pictures.views[piece], pictures.styles[piece])
    return judged


def _pieces(count: int) -> Iterator[slice]:
    return (slice(start, start + _BATCH) for start in range(0, count, _BATCH))


def _change(frame: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Change a frame as a copy is, once its pose is found roughly."""
    turn, grow = rng.uniform(-1, 1, 2) * (_LEARNED_ROTATION_DEG, _LEARNED_SCALE)
    right, down = rng.uniform(-1, 1, 2) * _LEARNED_SHIFT_CELLS
    moved = move(frame, pose(False, turn, 1 + grow, right, down))
    return SINGLE_PLANTS[_LEARNED_PLANTS[int(rng.integers(len(_LEARNED_PLANTS)))]](moved, rng)


def _discriminate(between: RealArray, within: RealArray) -> FloatArray:
    """Solve the generalised eigenproblem of symmetric matrices [n, n]; gives [n, D], the best first."""
    held = within.astype(np.float64) + np.eye(len(within)) * _RIDGE * np.trace(within) / len(within)
    root = np.linalg.inv(np.linalg.cholesky(held))
    _, vectors = np.linalg.eigh(root @ between @ root.T)
    return np.asarray(root.T @ vectors[:, ::-1][:, :FEATURES], np.float32)


def _no_reference(styles: int) -> Reference:
    views = len(TARGET_VIEWS) + 1
    zeros, ones = np.zeros((views, styles + 1, REGIONS), np.float32), np.ones((views, REGIONS), np.float32)
    return Reference(zeros, ones, np.zeros(0, np.float32), 0.0)
