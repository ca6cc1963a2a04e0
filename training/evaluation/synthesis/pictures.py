"""Sets of pictures that are compared: training images, held-out images, synthetic ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.cine.cine import BoolArray, IntArray, UInt8Array
from services.cine.views import TARGET_VIEWS
from training.classifier.dataset import FrameSet
from training.diffusion.dataset import ImageSet
from training.simulator.styles import STYLES

LEAST_VIEW_SHARE = 0.5
"""Of one of the four views in a frame: a generator of views is not trained on what shows none."""


@dataclass(frozen=True)
class Pictures:
    """Pictures as the classifier sees them; every array has one entry a picture.

    Attributes:
        frames: [N, 112, 112] uint8, black outside the sector.
        views: index into TARGET_VIEWS.
        styles: index into a generator's styles, one more where it is none of them.
        subjects: seed of the heart; of a synthetic picture its own number.
        cines: which cine.
    """

    frames: UInt8Array
    views: IntArray
    styles: IntArray
    subjects: IntArray
    cines: IntArray

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, chosen: BoolArray | IntArray) -> Pictures:
        """Keep some pictures, in the order given."""
        return Pictures(**{name: values[chosen] for name, values in vars(self).items()})

    def by_subject(self) -> Pictures:
        """Put the pictures of one subject in a row, subjects rising."""
        return self.take(np.argsort(self.subjects, kind="stable"))


def from_frames(frames: FrameSet, styles: tuple[str, ...] = STYLES) -> Pictures:
    """Keep of a rendered set the B-mode frames of the four views; styles are counted as given."""
    views = frames.shares.argmax(axis=1)
    shown = (views < len(TARGET_VIEWS)) & (frames.shares.max(axis=1) > LEAST_VIEW_SHARE)
    counted = count_styles(map(str, frames.styles), styles)
    return Pictures(frames.frames, views, counted, frames.subjects, frames.cines).take(shown)


def from_images(images: ImageSet) -> Pictures:
    """Give what a generator learns from, or is watched by, as pictures; a view of a subject counts as one cine."""
    cines = np.unique(np.stack([images.subjects, images.views], axis=1), axis=0, return_inverse=True)[1].ravel()
    return Pictures(images.images, images.views, images.styles, images.subjects, cines)


def count_styles(names: Iterable[str], styles: tuple[str, ...]) -> IntArray:
    """Give each name's place among the styles, one more where it is none of them, [N]."""
    places = {style: place for place, style in enumerate(styles)}
    return np.array([places.get(name, len(styles)) for name in names], np.int64)


def join(parts: Iterable[Pictures]) -> Pictures:
    """Put sets one after the other; their cines are told apart, their subjects are not."""
    held = list(parts)
    starts = np.cumsum([0, *(int(part.cines.max(initial=-1)) + 1 for part in held[:-1])])
    joined = {name: np.concatenate([vars(part)[name] for part in held]) for name in vars(held[0])}
    joined["cines"] = np.concatenate([part.cines + start for part, start in zip(held, starts, strict=True)])
    return Pictures(**joined)


def load_shards(folder: Path) -> Pictures:
    """Read all shards that the classifier's training rendered into a folder."""
    parts = []
    for path in sorted(folder.glob("shard-*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            parts.append(from_frames(FrameSet(**{name: arrays[name] for name in arrays.files})))
    return join(parts)
