"""Views in the style of a source that never had them: does a generator join what it saw apart?

In the thesis's data one source shows only parasternal long axes and another only apical four chambers, so a classifier
may learn the source instead of the view. A generator that is asked for view and style apart could fill the gaps; the
simulator makes what should be there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from services.cine.cine import FloatArray, UInt8Array
from services.cine.errors import ConfigError
from services.cine.preprocessing import to_frames
from services.cine.views import TARGET_VIEWS, View
from training.classifier.dataset import load_rendered
from training.classifier.simulation import CineOrder
from training.diffusion.condition import Condition
from training.diffusion.config import DataConfig, DiffusionConfig
from training.diffusion.dataset import style_chances
from training.diffusion.denoiser import Denoiser
from training.diffusion.drawing import draw_images
from training.evaluation.findings import Rate
from training.evaluation.synthesis.distances import kernel_distance
from training.evaluation.synthesis.features import ClassifierFeatures
from training.evaluation.synthesis.figures import draw_grid, write_picture
from training.evaluation.synthesis.pictures import Pictures, from_frames
from training.export.cards import write_table

FIRST_SUBJECT = 7_000_000
"""Far from the seeds of everything that is trained."""

_CELLS = 16
"""Side of the coarse picture that the probe of styles sees, beside grey levels and spectrum."""

_GREY_BINS, _RINGS = 16, 20
_SHOWN = 10
_SHARD_CINES = 64


@dataclass(frozen=True)
class Swap:
    """One view in the style of a source that never had it.

    Attributes:
        view, style: the cell.
        as_view: made pictures that the served classifier names so.
        as_style: made pictures that the probe of styles gives to it.
        probe: what the probe reaches on true pictures of the cell.
        distance: kernel distance of the made pictures to true ones of the cell, in the classifier's features.
        same_view: to the nearest of the same view in another style.
        same_style: to the nearest of another view in the same style.
    """

    view: View
    style: str
    as_view: Rate
    as_style: Rate
    probe: Rate
    distance: float
    same_view: float
    same_style: float


@dataclass(frozen=True)
class Task:
    """What is measured, and with what.

    Attributes:
        models: the model repository with the view classifier.
        cache: of rendered frames.
        out: folder of the table and the figure.
        pictures: made, and simulated to compare with, of each cell; as many more train the probe.
        workers: processes that render.
    """

    models: Path
    cache: Path
    out: Path
    pictures: int
    workers: int


def measure_swaps(denoiser: Denoiser, config: DiffusionConfig, task: Task) -> list[Swap]:
    """Draw every cell that training never showed, measure it, and write swaps.csv, swaps.json, swaps.md and swaps.png.

    Raises:
        ConfigError: training showed every view in every style, or taught no style by name.
    """
    unseen = unseen_cells(config.data)
    if not unseen or not config.styles:
        raise ConfigError(
            found="a generator that saw every view in every style, or knows no style",
            expected="one of a confounded set",
            advice="Train it with the preset confounded.",
        )
    true = simulate_cells(config.data, task)
    is_probing = true.subjects % 2 == 0
    probe = StyleProbe(true.take(is_probing))
    held = true.take(~is_probing)
    describer = ClassifierFeatures(task.models)
    features = describer.describe(held.frames)
    swaps, rows = [], []
    for view, style in unseen:
        made = draw_cell(denoiser, config, (view, style), task.pictures)
        right = (held.views == view) & (held.styles == style)
        apart = _distances(describer.describe(made), held, features)
        swaps.append(
            Swap(
                view=TARGET_VIEWS[view],
                style=config.data.styles[style],
                as_view=_rate(describer.answers(made) == view),
                as_style=_rate(probe.name(made) == style),
                probe=_rate(probe.name(held.frames[right]) == style),
                distance=apart[view, style],
                same_view=min(value for (one, two), value in apart.items() if one == view and two != style),
                same_style=min(value for (one, two), value in apart.items() if one != view and two == style),
            )
        )
        rows += [made[:_SHOWN], held.frames[right][:_SHOWN]]
    write_swaps(swaps, np.concatenate(rows), task.out)
    return swaps


def unseen_cells(data: DataConfig) -> list[tuple[int, int]]:
    """List the cells, as indices of view and style, that a set never shows."""
    chances = [style_chances(view.value, data) for view in TARGET_VIEWS]
    return [(view, style) for view in range(len(TARGET_VIEWS)) for style in np.flatnonzero(chances[view] == 0).tolist()]


def simulate_cells(data: DataConfig, task: Task) -> Pictures:
    """Simulate every view in every style, a frame each of twice as many subjects as are measured."""
    orders = []
    for subject in range(2 * task.pictures):
        rng = np.random.default_rng([subject, 127])
        size_px = data.sizes_px[int(rng.integers(len(data.sizes_px)))]
        times_ms = (float(rng.uniform(0, 600)),)
        orders += [
            CineOrder(FIRST_SUBJECT + subject, view, style, size_px, times_ms, is_still=True)
            for view in TARGET_VIEWS
            for style in data.styles
        ]
    return from_frames(load_rendered("swaps", tuple(orders), (_SHARD_CINES, task.workers), task.cache), data.styles)


def draw_cell(denoiser: Denoiser, config: DiffusionConfig, cell: tuple[int, int], count: int) -> UInt8Array:
    """Draw pictures of a view in a style, [count, 112, 112]."""
    view, style = (torch.full((count,), index, dtype=torch.int64) for index in cell)
    images = draw_images(denoiser, config.sampling, Condition(view, style), config.loop.seed)
    return to_frames(images.numpy())


class StyleProbe:
    """Names the style of a picture, from a coarse copy, grey levels and spectrum: a linear one, which learns no view.

    Args:
        pictures: simulated, every view in every style.
    """

    def __init__(self, pictures: Pictures) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        self._model.fit(_look(pictures.frames), pictures.styles)

    def name(self, frames: UInt8Array) -> FloatArray:
        """Give the style of each frame, [N]."""
        return np.asarray(self._model.predict(_look(frames)))


def _look(frames: UInt8Array) -> FloatArray:
    """Describe how frames [N, H, W] look, whatever they show."""
    coarse = [cv2.resize(frame, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).ravel() for frame in frames]
    shares = [np.histogram(frame[frame > 0], _GREY_BINS, (0, 256), density=True)[0] for frame in frames]
    power = np.log1p(np.abs(np.fft.rfft2(frames.astype(np.float32))) ** 2)
    rows, columns = frames.shape[1:]
    radius = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None])
    rings = np.minimum((radius * 2 * _RINGS).astype(int), _RINGS - 1)
    spectra = [np.bincount(rings.ravel(), one.ravel()) / np.bincount(rings.ravel()) for one in power]
    parts = (np.stack(part) for part in (coarse, np.nan_to_num(shares), spectra))
    return np.concatenate(list(parts), axis=1).astype(np.float32)


def _distances(made: FloatArray, held: Pictures, features: FloatArray) -> dict[tuple[int, int], float]:
    """Give the kernel distance of made features [N, D] to those of every true cell."""
    apart = {}
    for view, style in {*zip(held.views.tolist(), held.styles.tolist(), strict=True)}:
        own = features[(held.views == view) & (held.styles == style)]
        count = min(len(own), len(made))
        apart[view, style] = kernel_distance(own[:count], made[:count])
    return apart


def _rate(hits: Sequence[bool] | FloatArray) -> Rate:
    return Rate(int(np.sum(hits)), len(hits))


def write_swaps(swaps: Sequence[Swap], shown: UInt8Array, out: Path) -> None:
    """Write a line a cell, the same as JSON and as a table, and the figure: made above true pictures."""
    out.mkdir(parents=True, exist_ok=True)
    write_picture(draw_grid(shown, _SHOWN), out / "swaps.png")
    (out / "swaps.json").write_text(json.dumps([asdict(swap) for swap in swaps], indent=1) + "\n")
    columns = list(asdict(swaps[0]))
    with (out / "swaps.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([str(getattr(swap, column)) for column in columns] for swap in swaps)
    rows = [
        [swap.view.value, swap.style, str(swap.as_view), str(swap.as_style), str(swap.probe)]
        + [f"{value:.3f}" for value in (swap.distance, swap.same_view, swap.same_style)]
        for swap in swaps
    ]
    heads = ["view", "style", "named as the view", "as the style", "probe on true ones", "distance to the true cell"]
    table = write_table([*heads, "nearest other style", "nearest other view"], rows)
    (out / "swaps.md").write_text(f"All pictures simulated or made by a generator trained on such.\n\n{table}\n")
