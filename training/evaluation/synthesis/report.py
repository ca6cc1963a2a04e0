"""Measure a made batch against the pictures behind it, and write a folder that a browser opens."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from services.cine.cine import FloatArray, IntArray, UInt8Array
from services.cine.views import TARGET_VIEWS
from services.models.copy_filter import CopyFilter, Judgement
from services.models.copy_index import CopyIndex
from training.diffusion.canaries import mark
from training.diffusion.condition import Denoise
from training.evaluation.findings import Rate
from training.evaluation.synthesis.course import draw_training, take_steps
from training.evaluation.synthesis.coverage import measure_coverage
from training.evaluation.synthesis.distances import KernelTerms, frechet_distance
from training.evaluation.synthesis.features import ClassifierFeatures, Describer, InceptionFeatures
from training.evaluation.synthesis.figures import draw_maps, draw_neighbours, per_view_grid, write_picture
from training.evaluation.synthesis.indexing import judge_all
from training.evaluation.synthesis.intervals import DRAWS, Estimate, estimate, estimate_mean
from training.evaluation.synthesis.membership import (
    LOSS_PICTURES,
    Attack,
    Extraction,
    attack_by_distance,
    attack_by_loss,
    extract,
)
from training.evaluation.synthesis.numbers import RealArray
from training.evaluation.synthesis.pictures import Pictures
from training.evaluation.synthesis.replicas import Replicas, count_replicas
from training.evaluation.synthesis.usefulness import Sets, Use, measure_use

OVERALL = "all"

_LEAST_PICTURES = 32
"""Of a view in both sets: under that a distance between distributions says nothing."""

_NEIGHBOURS_SHOWN = 24

_CONTROL_SEED = 103


@dataclass(frozen=True)
class Batch:
    """What is compared.

    Attributes:
        made: the synthetic pictures.
        training: what the generator was trained on, canaries left out.
        held_out: real pictures of other subjects.
        styles: what the pictures' styles are called.
        canaries: marked pictures that it was trained on too, [N, 112, 112]; N may be 0.
        unfiltered: what the same generator makes before any filter; None where it is not at hand.
        replaced: copies that were replaced while the batch was made; None where nothing looked for them.
    """

    made: Pictures
    training: Pictures
    held_out: Pictures
    styles: tuple[str, ...]
    canaries: UInt8Array
    unfiltered: Pictures | None = None
    replaced: int | None = None

    @property
    def replaced_rate(self) -> Rate | None:
        """Of all pictures that were drawn for the batch, those that were replaced."""
        return None if self.replaced is None else Rate(self.replaced, len(self.made) + self.replaced)


@dataclass(frozen=True)
class Task:
    """Where things are, and how much is done.

    Attributes:
        out: folder of the report.
        models: the model repository with the view classifier.
        trained_on: what stands behind all pictures: simulated, or real of which source.
        run: folder of its training, whose course is drawn; None leaves that out.
        denoise: the generator before it was distilled, for membership by loss; None leaves that out.
        inception: file with Inception's weights; None leaves its distances out.
        steps: folder that `evaluate steps` wrote, whose figures are taken in; None leaves them out.
        use_steps, use_seeds: of each classifier that is trained on made pictures; no seeds, none is.
        with_maps: whether t-SNE maps are drawn.
        draws: behind each interval.
    """

    out: Path
    models: Path
    trained_on: str
    run: Path | None = None
    denoise: Denoise | None = None
    inception: Path | None = None
    steps: Path | None = None
    use_steps: int = 400
    use_seeds: tuple[int, ...] = (1, 2, 3)
    with_maps: bool = True
    draws: int = DRAWS


@dataclass(frozen=True)
class Row:
    """One view's distances, or those of all.

    Attributes:
        view: its name, or "all".
        count: pictures of either set that were compared.
        figures: made against held-out pictures, by name.
        floors: training against held-out pictures in the same way: what a perfect generator would reach.
        as_asked: made pictures that the classifier names as asked for.
    """

    view: str
    count: int
    figures: dict[str, Estimate]
    floors: dict[str, Estimate]
    as_asked: Rate


@dataclass(frozen=True)
class Findings:
    """Everything that was measured; None and empty what was not.

    Attributes:
        rows: in the classifier's features.
        inception: the same in Inception's.
        replicas: copies that the filter finds in the batch, from which it has already removed what it could.
        unfiltered: copies that it finds in what the generator makes without it.
        by_distance, by_loss: membership.
        extraction: of canaries.
        use: of the made pictures in training.
        figures: file names and captions.
    """

    rows: list[Row]
    inception: list[Row]
    replicas: Replicas
    unfiltered: Replicas | None
    by_distance: Attack
    by_loss: Attack | None
    extraction: Extraction | None
    use: Use | None
    figures: list[tuple[str, str]] = field(default_factory=list)


def write_report(batch: Batch, index: CopyIndex, task: Task) -> Findings:
    """Measure a batch and write index.html, report.json, card.md and figures into the folder."""
    task.out.mkdir(parents=True, exist_ok=True)
    describer = ClassifierFeatures(task.models)
    features = _describe(describer, batch)
    answers = describer.answers(batch.made.frames)
    judge = CopyFilter(index)
    judged = judge_all(judge, batch.made)
    findings = Findings(
        rows=compare_views(batch, features, answers, task.draws),
        inception=_compare_inception(batch, answers, task),
        replicas=count_replicas(judged, batch.training.subjects),
        unfiltered=_count_unfiltered(judge, batch),
        by_distance=attack_by_distance(features.training, features.held_out, features.made),
        by_loss=_attack_by_loss(batch, task.denoise) if task.denoise else None,
        extraction=_extract(describer, batch, features.made) if len(batch.canaries) else None,
        use=_measure_use(batch, features.made, features.training, task),
    )
    findings.figures.extend(draw_figures(batch, index, judged, task.out))
    if task.run is not None:
        findings.figures.extend(draw_training(task.run, task.out))
    if task.steps is not None:
        findings.figures.extend(take_steps(task.steps, task.out))
    if task.with_maps:
        findings.figures.extend(_draw_maps(batch, features, task.out))
    (task.out / "report.json").write_text(json.dumps(as_plain(findings), indent=1) + "\n")
    for template, name in (("report.html.jinja", "index.html"), ("card.md.jinja", "card.md")):
        (task.out / name).write_text(render(template, batch, findings, task))
    return findings


@dataclass(frozen=True)
class Features:
    """Features [N, D] of a batch's three sets."""

    made: FloatArray
    training: FloatArray
    held_out: FloatArray


def _describe(describer: Describer, batch: Batch) -> Features:
    parts = (batch.made, batch.training, batch.held_out)
    return Features(*(describer.describe(part.frames) for part in parts))


def _compare_inception(batch: Batch, answers: IntArray, task: Task) -> list[Row]:
    if task.inception is None:
        return []
    count = len(batch.held_out)  # no comparison takes more of any set
    few = replace(batch, training=batch.training.take(_thin(np.arange(len(batch.training)), count)))
    return compare_views(few, _describe(InceptionFeatures(task.inception), few), answers, task.draws)


def _count_unfiltered(judge: CopyFilter, batch: Batch) -> Replicas | None:
    if batch.unfiltered is None:
        return None
    return count_replicas(judge_all(judge, batch.unfiltered), batch.training.subjects)


def _attack_by_loss(batch: Batch, denoise: Denoise) -> Attack:
    count = min(len(batch.training), len(batch.held_out), LOSS_PICTURES)
    members, others = (part.take(_thin(np.arange(len(part)), count)) for part in (batch.training, batch.held_out))
    return attack_by_loss(members, others, denoise)


def _extract(describer: Describer, batch: Batch, made: FloatArray) -> Extraction:
    controls = mark(batch.held_out.frames, _CONTROL_SEED)
    return extract(describer.describe(batch.canaries), describer.describe(controls), made)


def compare_views(batch: Batch, features: Features, answers: IntArray, draws: int = DRAWS) -> list[Row]:
    """Compare each view and all of them; views with too few pictures are left out."""
    rows = []
    for view in (None, *range(len(TARGET_VIEWS))):
        chosen = [
            np.flatnonzero((part.views == view) | (view is None))
            for part in (batch.made, batch.training, batch.held_out)
        ]
        count = min(map(len, chosen))
        if count < _LEAST_PICTURES:
            continue
        made, training, held_out = (_thin(places, count) for places in chosen)
        right = answers[chosen[0]] == batch.made.views[chosen[0]]
        real, labels = features.held_out[held_out], batch.held_out.subjects[held_out]
        rows.append(
            Row(
                view=OVERALL if view is None else TARGET_VIEWS[view].value,
                count=count,
                figures=compare(real, features.made[made], (labels, batch.made.subjects[made]), draws),
                floors=compare(real, features.training[training], (labels, batch.training.subjects[training]), draws),
                as_asked=Rate(int(right.sum()), len(right)),
            )
        )
    return rows


def compare(
    real: RealArray, other: RealArray, labels: tuple[IntArray, IntArray], draws: int = DRAWS
) -> dict[str, Estimate]:
    """Give all figures of two sets of features of the same size, [N, D], with the group of each of their pictures."""
    every = np.arange(len(real)), np.arange(len(other))
    found = {
        "frechet": estimate(frechet_distance, (real, other), labels, least=0.0, draws=draws),
        "kernel": estimate(KernelTerms(real, other).distance, every, labels, draws=draws),
    }
    hits = measure_coverage(real, other)
    for name, values in vars(hits).items():
        found[name] = estimate_mean(values, labels[name in ("precision", "density")], draws)
    return found


def draw_figures(batch: Batch, index: CopyIndex, judged: list[Judgement], out: Path) -> list[tuple[str, str]]:
    """Draw grids and the made pictures that lie nearest to the training set; gives file names and captions."""
    made = write_picture(per_view_grid(batch.made), out / "made.png")
    real = write_picture(per_view_grid(batch.held_out), out / "held_out.png")
    ordered = batch.training.by_subject()
    nearest = np.argsort([one.record.score for one in judged])[:_NEIGHBOURS_SHOWN]
    places = np.array([judged[place].record.place for place in nearest])
    beside = draw_neighbours(batch.made.frames[nearest], ordered.frames[places], _in_cells(index, places))
    names = ", ".join(view.value for view in TARGET_VIEWS)
    return [
        (made, f"Made pictures, two rows a view: {names}."),
        (real, "Held-out pictures, in the same order."),
        (
            write_picture(beside, out / "nearest.png"),
            "The made pictures nearest to the training set, each with its nearest training picture, and that as the "
            "copy filter keeps it.",
        ),
    ]


def _in_cells(index: CopyIndex, places: IntArray) -> UInt8Array:
    if not index.has_thumbnails:
        return np.zeros((len(places), 112, 112), np.uint8)
    return index.thumbnails[places].repeat(4, axis=1).repeat(4, axis=2)


def _draw_maps(batch: Batch, features: Features, out: Path) -> list[tuple[str, str]]:
    styles = (*batch.styles, "other")
    sets = {
        name: (values, [TARGET_VIEWS[view].value for view in part.views], [styles[style] for style in part.styles])
        for name, values, part in (
            ("made", features.made, batch.made),
            ("held out", features.held_out, batch.held_out),
        )
    }
    captions = ("Features laid out by t-SNE, by view.", "The same by source.", "How densely each set lies there.")
    return list(zip(draw_maps(sets, out), captions, strict=True))


def _measure_use(batch: Batch, made: FloatArray, training: FloatArray, task: Task) -> Use | None:
    if not task.use_seeds:
        return None
    sets = Sets(batch.made, made), Sets(batch.training, training)
    return measure_use(*sets, batch.held_out, task.use_steps, task.use_seeds)


def render(template: str, batch: Batch, findings: Findings, task: Task) -> str:
    """Fill a template of this package."""
    import jinja2

    text = (resources.files(__package__) / "templates" / template).read_text()
    environment = jinja2.Environment(
        autoescape=template.endswith(".html.jinja"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    styles = (*batch.styles, "other")
    counts = {
        (TARGET_VIEWS[view].value, styles[style]): int(
            ((batch.made.views == view) & (batch.made.styles == style)).sum()
        )
        for view in range(len(TARGET_VIEWS))
        for style in np.unique(batch.made.styles)
    }
    return environment.from_string(text).render(batch=batch, findings=findings, task=task, counts=counts)


def as_plain(findings: Findings) -> dict[str, Any]:
    """Give all figures as values that JSON knows."""
    return asdict(findings)


def _thin(places: IntArray, count: int) -> IntArray:
    """Choose so many places, the same for the same places."""
    return np.sort(np.random.default_rng(101).permutation(places)[:count])
