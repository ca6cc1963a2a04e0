"""Whether the outline of a frame tells its view: a linear probe on nothing but where the sector lies."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from services.cine.cine import FloatArray, IntArray, UInt8Array
from services.cine.preprocessing import to_tensor
from services.cine.views import TARGET_VIEWS
from training.classifier.augmentation import augment
from training.classifier.config import AugmentationConfig
from training.classifier.dataset import FrameSet
from training.classifier.geometry import find_inside
from training.evaluation.findings import Z_95

PROBE_SIDE_PX = 14
"""The outline is looked at with so many rows and columns: 196 numbers, far fewer than there are frames."""

RIDGE = 10.0
"""Added to the diagonal of the normal equations; there are hundreds of frames behind each."""


@dataclass(frozen=True)
class Probe:
    """How often a linear probe names one of four views.

    Attributes:
        accuracy: balanced over views, on other subjects than it was fitted on.
        margin: half the 95 % interval around chance for so many cines.
    """

    accuracy: float
    margin: float

    @property
    def is_at_chance(self) -> bool:
        """Whether it does no better than guessing, for so many cines."""
        return self.accuracy <= 1.0 / len(TARGET_VIEWS) + self.margin


def probe_outlines(frames: FrameSet, changes: AugmentationConfig | None, seed: int) -> Probe:
    """Fit a probe on the outlines of half of the subjects and ask it about the other half.

    Args:
        frames: of several subjects; one frame of each cine of the four views is looked at.
        changes: change frames as training does before; None takes them as rendered.
        seed: of frames and changes.
    """
    first = np.flatnonzero(np.diff(frames.cines, prepend=-1))
    first = first[frames.shares[first, : len(TARGET_VIEWS)].max(axis=1) > 0.5]
    labels = frames.shares[first].argmax(axis=1)
    pictures = torch.from_numpy(to_tensor(frames.frames[first]))
    if changes is not None:
        pictures = augment(pictures, changes, torch.Generator().manual_seed(seed))
    masks = find_inside((pictures + 1) / 2)[:, 0].numpy()
    return probe(shrink(np.asarray(masks * 255, np.uint8)), labels, frames.subjects[first], seed)


def probe(features: FloatArray, labels: IntArray, subjects: IntArray, seed: int) -> Probe:
    """Fit ridge regression to the four labels on half of the subjects; measure it on the others.

    Args:
        features: [N, D].
        labels: index into TARGET_VIEWS, [N].
        subjects: [N].
        seed: of the halves.
    """
    everyone = np.unique(subjects)
    fitted = np.random.default_rng(seed).permutation(everyone)[: len(everyone) // 2]
    is_fitted = np.isin(subjects, fitted)
    centred = np.concatenate([features - features[is_fitted].mean(axis=0), np.ones((len(labels), 1))], axis=1)
    targets = np.eye(len(TARGET_VIEWS))[labels]
    known = centred[is_fitted]
    weights = np.linalg.solve(known.T @ known + RIDGE * np.eye(known.shape[1]), known.T @ targets[is_fitted])
    answers, wanted = (centred[~is_fitted] @ weights).argmax(axis=1), labels[~is_fitted]
    views = np.unique(wanted)
    accuracy = float(np.mean([(answers[wanted == view] == view).mean() for view in views]))
    chance = 1.0 / len(TARGET_VIEWS)
    return Probe(accuracy, float(Z_95 * np.sqrt(chance * (1 - chance) / len(wanted))))


def shrink(masks: UInt8Array) -> FloatArray:
    """Reduce masks [N, H, W] to features [N, D] of 0-1."""
    size = (PROBE_SIDE_PX, PROBE_SIDE_PX)
    small = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA).ravel() for mask in masks]
    return np.asarray(np.stack(small), np.float32) / np.float32(255.0)
