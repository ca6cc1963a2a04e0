"""The images that a generator learns from: simulated as the classifier's are, with as many of each view as asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from services.cine.cine import IntArray, UInt8Array
from services.cine.errors import ConfigError
from services.cine.preprocessing import to_tensor
from services.cine.views import TARGET_VIEWS
from training.classifier.dataset import FrameSet, load_rendered
from training.classifier.simulation import CineOrder, thesis_views
from training.classifier.splits import draw_times_ms
from training.diffusion.condition import Condition
from training.diffusion.config import DataConfig

LEAST_SHARE = 0.5
"""A frame is one of a view when its plane cuts at least so much of it; what was aimed at and missed is left out."""

THESIS_IMAGES = {"lvh": 11_182, "dynamic": 10_026, "tmed": 17_707}
"""Images of each source in the thesis (its table 4.1): how often a confounded set shows each."""


@dataclass(frozen=True)
class ImageSet:
    """Images ready for training; every array has one entry an image.

    Attributes:
        images: [N, 112, 112] uint8, black outside the sector.
        views, styles: indices into TARGET_VIEWS and into the styles of the set.
        subjects: whose heart.
        left_out: images that were rendered and showed none of the four views.
    """

    images: UInt8Array
    views: IntArray
    styles: IntArray
    subjects: IntArray
    left_out: int

    def condition(self) -> Condition:
        """Give what each shows."""
        return Condition(torch.from_numpy(self.views), torch.from_numpy(self.styles))


@dataclass(frozen=True)
class Parts:
    """What a generator learns from, and what it is measured on; no subject is in both."""

    training: ImageSet
    held_out: ImageSet

    def with_styles(self, count: int) -> Parts:
        """Keep the first `count` styles; all others become `count`, which stands for any."""
        training, held_out = (
            replace(part, styles=np.minimum(part.styles, count)) for part in (self.training, self.held_out)
        )
        return Parts(training, held_out)


def load_parts(data: DataConfig, cache_folder: Path) -> Parts:
    """Give the simulated images of both parts, rendering what is not in the cache."""
    parts = []
    for name, orders in (("generator", order_training(data)), ("generator-held-out", order_held_out(data))):
        frames = load_rendered(name, orders, (data.shard_cines, data.workers), cache_folder)
        parts.append(keep_views(frames, data.styles))
    return Parts(*parts)


def order_training(data: DataConfig) -> tuple[CineOrder, ...]:
    """List the cines of the training part; the same configuration gives the same list."""
    return _order(range(data.first_seed, data.first_seed + data.train_subjects), data)


def order_held_out(data: DataConfig) -> tuple[CineOrder, ...]:
    """List the cines of the held-out part."""
    start = data.first_seed + data.train_subjects
    return _order(range(start, start + data.held_out_subjects), data)


def keep_views(frames: FrameSet, styles: tuple[str, ...]) -> ImageSet:
    """Keep the frames that are of one of the four views by what was cut."""
    shares = frames.shares[:, : len(TARGET_VIEWS)]
    kept = shares.max(axis=1) >= LEAST_SHARE
    index = {style: number for number, style in enumerate(styles)}
    return ImageSet(
        images=frames.frames[kept],
        views=shares[kept].argmax(axis=1).astype(np.int64),
        styles=np.array([index[str(style)] for style in frames.styles[kept]], np.int64),
        subjects=frames.subjects[kept].astype(np.int64),
        left_out=int((~kept).sum()),
    )


def draw_batch(
    images: ImageSet, size: int, seed: int, step: int, device: torch.device
) -> tuple[torch.Tensor, Condition]:
    """Draw a step's batch, which depends on seed and step only; every image comes once before any comes twice.

    Returns:
        Images [B, 1, 112, 112] in [-1, 1], and what they show.
    """
    total = len(images.images)
    places = np.arange(step * size, (step + 1) * size)
    chosen = np.empty(size, np.int64)
    for turn in np.unique(places // total):
        of_turn = places // total == turn
        chosen[of_turn] = np.random.default_rng([seed, int(turn), 13]).permutation(total)[places[of_turn] % total]
    clean = torch.from_numpy(to_tensor(images.images[chosen])).to(device)
    shown = Condition(torch.from_numpy(images.views[chosen]), torch.from_numpy(images.styles[chosen]))
    return clean, shown.to(device)


def style_chances(view: str, data: DataConfig) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Give the chance of each style for a view, summing to 1.

    Raises:
        ConfigError: a confounded set with a style that the thesis does not have, or a view that no style shows.
    """
    if not data.is_confounded:
        return np.full(len(data.styles), 1 / len(data.styles))
    shown = {style: thesis_views(style) for style in data.styles}
    weights = [
        THESIS_IMAGES.get(style, 0) * getattr(shares, view.lower()) if shares is not None else 0.0
        for style, shares in shown.items()
    ]
    if None in shown.values() or sum(weights) <= 0:
        raise ConfigError(
            found=f"styles {', '.join(data.styles)} in a confounded set",
            expected=f"some of {', '.join(THESIS_IMAGES)}, with every view among them",
            advice="Name those, or set is_confounded to false.",
        )
    return np.array(weights) / sum(weights)


def _order(subjects: range, data: DataConfig) -> tuple[CineOrder, ...]:
    """Make the commonest view of every heart, and of the others as many as their share asks for."""
    wanted = [share / max(data.view_shares) * len(subjects) for share in data.view_shares]
    chances = {view: style_chances(view.value, data) for view in TARGET_VIEWS}
    orders = []
    ranks = [
        np.random.default_rng([subjects.start, view, 107]).permutation(len(subjects)) for view in range(len(wanted))
    ]
    for place, subject in enumerate(subjects):
        for number, view in enumerate(TARGET_VIEWS):
            if ranks[number][place] >= round(wanted[number]):
                continue
            rng = np.random.default_rng([subject, number, 109])
            style = data.styles[int(rng.choice(len(data.styles), p=chances[view]))]
            size_px = data.sizes_px[int(rng.integers(len(data.sizes_px)))]
            orders.append(CineOrder(subject, view, style, size_px, tuple(draw_times_ms(data.frames, rng))))
    return tuple(orders)
