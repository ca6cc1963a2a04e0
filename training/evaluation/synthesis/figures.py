"""Figures of the report. Pictures are drawn with OpenCV; maps and curves with matplotlib and scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from services.cine.cine import UInt8Array
from training.evaluation.synthesis.numbers import RealArray
from training.evaluation.synthesis.pictures import Pictures

GRID_COLUMNS = 10

_GAP_PX = 2
_MAP_PICTURES = 2000
"""Of each set on a map: more take minutes and are not seen."""

_PERPLEXITY = 30.0
"""About how many neighbours a picture keeps on a map; fewer where there are few pictures."""


def draw_grid(frames: UInt8Array, columns: int = GRID_COLUMNS) -> UInt8Array:
    """Draw pictures [N, 112, 112] in rows, grey between them."""
    missing = -len(frames) % columns
    padded = np.concatenate([frames, np.full((missing, *frames.shape[1:]), 40, np.uint8)])
    padded = np.pad(padded, ((0, 0), (0, _GAP_PX), (0, _GAP_PX)), constant_values=40)
    rows = padded.reshape(-1, columns, *padded.shape[1:])  # [N, H, W] -> [rows, columns, H, W]
    return np.asarray(np.vstack([np.hstack(list(row)) for row in rows]), np.uint8)


def draw_neighbours(made: UInt8Array, nearest: UInt8Array, kept: UInt8Array, columns: int = 4) -> UInt8Array:
    """Draw each made picture beside its nearest training picture and that as the copy filter keeps it."""
    triples = np.concatenate([made, nearest, kept], axis=2)
    return draw_grid(triples, columns)


def write_picture(picture: UInt8Array, path: Path) -> str:
    """Write a PNG and give its name."""
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return path.name


def per_view_grid(pictures: Pictures, rows: int = 2) -> UInt8Array:
    """Draw some rows of each view, in order of the views."""
    chosen = [
        np.resize(np.flatnonzero(pictures.views == view), rows * GRID_COLUMNS) for view in np.unique(pictures.views)
    ]
    return draw_grid(pictures.frames[np.concatenate(chosen)])


def lay_out(features: RealArray, seed: int = 0) -> RealArray:
    """Lay features [N, D] out on a plane, [N, 2].

    Reference:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008.
    """
    from sklearn.manifold import TSNE

    neighbours = min(_PERPLEXITY, (len(features) - 1) / 3)
    return np.asarray(TSNE(init="pca", perplexity=neighbours, random_state=seed).fit_transform(features), np.float32)


def draw_map(places: RealArray, labels: Sequence[str], title: str, path: Path) -> str:
    """Draw points [N, 2] coloured by their label, as thesis figure 5.13; gives the file's name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    names = np.asarray(labels)
    for name in sorted(set(labels)):
        across, up = places[names == name].T
        axes.scatter(across, up, s=4, label=name, linewidths=0)
    axes.legend(markerscale=4, fontsize=7)
    axes.set(title=title, xticks=[], yticks=[])
    figure.savefig(path, dpi=110)
    return path.name


def draw_histograms(parts: Mapping[str, RealArray], path: Path, bins: int = 40) -> str:
    """Draw how densely each set [N, 2] lies on one map, side by side, as thesis figure 5.14; gives the file's name."""
    from matplotlib.figure import Figure

    every = np.concatenate(list(parts.values()))
    edges = [np.linspace(low, high, bins + 1) for low, high in zip(every.min(axis=0), every.max(axis=0), strict=True)]
    counted = {name: np.histogramdd(places, bins=edges, density=True)[0] for name, places in parts.items()}
    brightest = max(float(counts.max()) for counts in counted.values())
    figure = Figure(figsize=(5 * len(parts), 4.6), layout="constrained")
    for axes, (name, counts) in zip(np.atleast_1d(figure.subplots(1, len(parts))), counted.items(), strict=True):
        axes.imshow(counts.T, origin="lower", vmin=0, vmax=brightest, cmap="viridis")
        axes.set(title=name, xticks=[], yticks=[])
    figure.savefig(path, dpi=110)
    return path.name


def draw_curves(curves: Mapping[str, RealArray], along: str, value: str, path: Path) -> str:
    """Draw curves, [N, 2] each, over training steps or evaluations; gives the file's name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        axes.plot(*points.T, marker="o", label=name)
    axes.set(xlabel=along, ylabel=value, xscale="log")
    axes.legend()
    figure.savefig(path, dpi=110)
    return path.name


def draw_maps(sets: Mapping[str, tuple[RealArray, Sequence[str], Sequence[str]]], out: Path) -> list[str]:
    """Lay sets out together and draw them by view, by source, and as densities; gives the files' names.

    Args:
        sets: by name, features [N, D] with the view and the source of each.
        out: folder for the files.
    """
    kept = {name: _thin(held) for name, held in sets.items()}
    places = lay_out(np.concatenate([features for features, _, _ in kept.values()]))
    views = [f"{name} {view}" for name, (_, own, _) in kept.items() for view in own]
    sources = [source for _, _, own in kept.values() for source in own]
    ends = np.cumsum([0, *(len(features) for features, _, _ in kept.values())])
    parts = {name: places[start:end] for name, start, end in zip(kept, ends[:-1], ends[1:], strict=True)}
    return [
        draw_map(places, views, "By view", out / "map_views.png"),
        draw_map(places, sources, "By source", out / "map_sources.png"),
        draw_histograms(parts, out / "map_densities.png"),
    ]


def _thin(held: tuple[RealArray, Sequence[str], Sequence[str]]) -> tuple[RealArray, list[str], list[str]]:
    features, views, sources = held
    chosen = np.random.default_rng(0).permutation(len(features))[:_MAP_PICTURES]
    return features[chosen], [views[place] for place in chosen], [sources[place] for place in chosen]
