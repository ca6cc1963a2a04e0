"""What a copy filter knows of a training set, in one file beside the generator it belongs to.

Where the training pictures are personal data, so is this file: it stays where it was made, and holds no thumbnails.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from services.cine.cine import FloatArray, IntArray, UInt8Array
from services.cine.errors import ConfigError, ModelContractError
from services.models.copy_pictures import CELLS, contrast
from services.models.copy_search import REGIONS, Features

INDEX_FILE = "copy_index.npz"
"""Beside the generator's weights, where its maker may keep it there."""

_FORMAT = 1


@dataclass(frozen=True)
class Reference:
    """How near pictures of untrained subjects come to the training set, by what they show.

    Attributes:
        centres: median nearness of each view, style and region, [V+1, S+1, R]; the last of each stands for any.
        spreads: from there to the lowest 2 %, of each view and region, [V+1, R].
        scores: of other untrained subjects, rising, [M].
        threshold: p-value up to which an image counts as a copy.
    """

    centres: FloatArray
    spreads: FloatArray
    scores: FloatArray
    threshold: float

    def score(self, nearness: FloatArray, views: IntArray, styles: IntArray) -> tuple[IntArray, FloatArray]:
        """Give the region that speaks most for a copy, and how much, of nearness [B, R]; lower speaks more."""
        views = np.minimum(views, self.centres.shape[0] - 1)
        styles = np.minimum(styles, self.centres.shape[1] - 1)
        scores = (nearness - self.centres[views, styles]) / self.spreads[views]
        return scores.argmin(axis=1), np.asarray(scores.min(axis=1), np.float32)

    def p_values(self, scores: FloatArray) -> FloatArray:
        """Give the share of untrained pictures, with the image itself, whose score is at most that, [B]."""
        below = np.searchsorted(self.scores, scores, side="right")
        return np.asarray((1 + below) / (1 + len(self.scores)), np.float64)


@dataclass(frozen=True)
class CopyIndex:
    """The training pictures as the filter needs them.

    Attributes:
        model_sha256: of the generator's weights, hexadecimal.
        trained_on: what the training pictures are, "simulated" for one.
        features: how pictures are described.
        thumbnails: [N, 28, 28]; none (N = 0) where they may not be kept, and then nothing is aligned.
        descriptors: [N, R, D]; none where there are thumbnails, which tell them.
        subjects: of the training pictures, [N], rising.
        reference: what untrained subjects measure.
    """

    model_sha256: str
    trained_on: str
    features: Features
    thumbnails: UInt8Array
    descriptors: FloatArray
    subjects: IntArray
    reference: Reference

    @property
    def has_thumbnails(self) -> bool:
        """Tell whether candidates can be looked at in pixels."""
        return len(self.thumbnails) > 0

    def describe(self) -> FloatArray:
        """Give the descriptors of all training pictures, [N, R, D]."""
        if not self.has_thumbnails:
            return self.descriptors.astype(np.float32)
        return self.features.describe(contrast(self.thumbnails))


def save_index(index: CopyIndex, path: Path) -> None:
    """Write an index, whole or not at all, readable by its owner only."""
    half_done = path.with_suffix(f".{os.getpid()}.part")
    descriptor = os.open(half_done, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        np.savez_compressed(
            file,
            format=np.int64(_FORMAT),
            model_sha256=np.str_(index.model_sha256),
            trained_on=np.str_(index.trained_on),
            mean=index.features.mean,
            directions=index.features.directions.astype(np.float16),
            thumbnails=index.thumbnails,
            descriptors=index.descriptors.astype(np.float16),
            subjects=index.subjects,
            centres=index.reference.centres,
            spreads=index.reference.spreads,
            scores=index.reference.scores,
            threshold=np.float64(index.reference.threshold),
        )
    half_done.replace(path)


def load_index(path: Path, model_sha256: str) -> CopyIndex:
    """Read the index of a generator.

    Raises:
        ConfigError: there is none, or it cannot be read.
        ModelContractError: it belongs to other weights.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        index = _build(held)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ConfigError(
            found=f"no readable copy index {path.name} ({type(error).__name__})",
            expected="the one that was made with the generator",
            advice="Make it where the training images are, or serve without one: every manifest will say so.",
        ) from error
    if index.model_sha256 != model_sha256:
        raise ModelContractError(
            found=f"a copy index for weights {index.model_sha256[:12]}",
            expected=f"one for {model_sha256[:12]}",
            advice="Make the index again for these weights.",
        )
    return index


def _build(held: dict[str, np.ndarray]) -> CopyIndex:
    if int(held["format"]) != _FORMAT:
        raise ValueError("another format")
    count = len(held["subjects"])
    if count not in (len(held["thumbnails"]), len(held["descriptors"])) or (np.diff(held["subjects"]) < 0).any():
        raise ValueError("parts of different lengths or order")
    if held["thumbnails"].shape[1:] != (CELLS, CELLS) or held["directions"].shape[:2] != (REGIONS, CELLS**2):
        raise ValueError("parts of another shape")
    reference = Reference(held["centres"], held["spreads"], held["scores"], float(held["threshold"]))
    return CopyIndex(
        model_sha256=str(held["model_sha256"]),
        trained_on=str(held["trained_on"]),
        features=Features(held["mean"], held["directions"].astype(np.float32)),
        thumbnails=held["thumbnails"],
        descriptors=held["descriptors"],
        subjects=held["subjects"],
        reference=reference,
    )
