"""Sets of pictures that are compared: training images, held-out images, synthetic ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.cine.cine import BoolArray, IntArray, UInt8Array
from services.cine.views import TARGET_VIEWS
from training.classifier.dataset import FrameSet
from training.simulator.styles import STYLES

LEAST_VIEW_SHARE = 0.5
"""Of one of the four views in a frame: a generator of views is not trained on what shows none."""


@dataclass(frozen=True)
class Pictures:
    """Pictures as the classifier sees them; every array has one entry a picture.

    Attributes:
        frames: [N, 112, 112] uint8, black outside the sector.
        views: index into TARGET_VIEWS.
        styles: index into STYLES, one more where it is none of them.
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


def from_frames(frames: FrameSet) -> Pictures:
    """Keep of a rendered set the B-mode frames of the four views."""
    views = frames.shares.argmax(axis=1)
    shown = (views < len(TARGET_VIEWS)) & (frames.shares.max(axis=1) > LEAST_VIEW_SHARE)
    places = {style: place for place, style in enumerate(STYLES)}
    styles = np.array([places.get(str(style), len(STYLES)) for style in frames.styles])
    return Pictures(frames.frames, views, styles, frames.subjects, frames.cines).take(shown)


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


def load_pictures(path: Path) -> Pictures:
    """Read a set from an npz whose arrays are named as the fields."""
    with np.load(path, allow_pickle=False) as held:
        return Pictures(**{name: held[name] for name in held.files})
