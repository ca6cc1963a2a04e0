"""Find the training pictures that an image may be a copy of: in a few linear features, under many poses at once.

A pose followed by features is one matrix, so all poses of all images are one product, and looking them all up in the
index is another. Halves of the picture are looked up too: a copy may be one half of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from services.cine.cine import BoolArray, FloatArray, IntArray
from services.cine.errors import ConfigError
from services.models.copy_pictures import CELLS, pose, warping

FEATURES = 48
"""Linear features of each region, in the order of how well they tell pictures apart."""

FIRST_FEATURES = 16
"""So many are compared with every picture of the index, all of them with those that are likely then."""

_LIKELY_SUBJECTS = 64
"""Subjects whose pictures are compared in all features; of planted copies none was missed beyond the first ten."""

REGIONS = 5
"""The whole picture, its upper, lower, left and right half."""

CANDIDATES = ((2, 1, 1), *((1, 1),) * (REGIONS - 1))
"""How many pictures of the likeliest subject, of the next and so on are looked at closely, for each region.

Frames of one cine are so alike that the likeliest is not always the one that was copied; and a second subject there
must be, for there is a ratio to take.
"""

_WHOLE_POSES = tuple(
    pose(is_mirrored, rotation_deg, scale, right, down)
    for is_mirrored, rotation_deg in product((False, True), (-5.0, 5.0))
    for scale, moves in ((1.0, (-1.33, 0.0, 1.33)), (0.89, (-3.2, -1.6, 0.0, 1.6, 3.2)))
    for right, down in product(moves, moves)
)
"""Turned by up to 10 degrees, moved by up to 8 px, and cut to 85 % of the side, which moves the middle further."""

_HALF_POSES = (pose(False, 0.0, 1.0), pose(True, 0.0, 1.0))

_ROWS = 16
"""Images that are multiplied at once, missing ones as zeros."""

_CACHED_LIKENESSES = 140_000
"""Of all poses with some pictures of the index at once, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class Features:
    """Linear features of contrast pictures.

    Attributes:
        mean: contrast of the mean training picture, [784].
        directions: of each region, [R, 784, D]; 0 outside it.
    """

    mean: FloatArray
    directions: FloatArray

    def describe(self, pictures: FloatArray) -> FloatArray:
        """Give the features of contrast pictures [N, 28, 28], of length 1 in each region, [N, R, D]."""
        flat = pictures.reshape(len(pictures), -1) - self.mean  # [N, 28, 28] -> [N, 784]
        return _unit(np.stack([flat @ directions for directions in self.directions], axis=1))


@dataclass(frozen=True)
class Candidates:
    """Pairs to be looked at closely; every array has one entry a pair, those of an image and region in a row.

    Attributes:
        images: which image, [A].
        regions: which region, [A].
        places: which picture of the index, [A].
        maps: rough pose that carries the image to it, [A, 3, 3].
        likenesses: cosine of their features, [A].
    """

    images: IntArray
    regions: IntArray
    places: IntArray
    maps: FloatArray
    likenesses: FloatArray

    def take(self, chosen: BoolArray) -> Candidates:
        """Keep some pairs, chosen [A]."""
        return Candidates(**{name: values[chosen] for name, values in vars(self).items()})


def region_masks() -> FloatArray:
    """Give each region's cells, 1 inside, [R, 784]."""
    rows, columns = np.mgrid[:CELLS, :CELLS].reshape(2, -1)
    half = CELLS // 2
    inside = [np.ones(CELLS**2, bool), rows < half, rows >= half, columns < half, columns >= half]
    return np.stack(inside).astype(np.float32)


class CopySearch:
    """Looks images up among training pictures.

    Args:
        features: how pictures are described.
        descriptors: of the training pictures, [N, R, D], those of one subject in a row.
        subjects: of the training pictures, [N], rising.

    Raises:
        ConfigError: all pictures are of one subject: no ratio can be taken.
    """

    def __init__(self, features: Features, descriptors: FloatArray, subjects: IntArray) -> None:
        if len(np.unique(subjects)) < 2:
            raise ConfigError(
                found="a copy index of one subject",
                expected="two at least",
                advice="Make it from all training pictures, each with its own subject.",
            )
        self._subjects = subjects
        self._starts = np.flatnonzero(np.diff(subjects, prepend=subjects[0] - 1))
        self._lengths = np.diff(np.append(self._starts, len(subjects)))
        self._poses = [np.stack(_WHOLE_POSES if region == 0 else _HALF_POSES) for region in range(REGIONS)]
        self._banks, self._offsets, self._tables, self._first = [], [], [], []
        for poses, directions, table in zip(
            self._poses, features.directions, descriptors.transpose(1, 2, 0), strict=True
        ):
            self._banks.append(np.concatenate([directions.T @ warping(moved) for moved in poses]))
            self._offsets.append(directions.T @ features.mean)
            self._tables.append(np.asarray(table.T, np.float32, order="C"))  # [D, N] -> [N, D]
            self._first.append(np.ascontiguousarray(_unit(table[:FIRST_FEATURES].T).T))

    def find(self, pictures: FloatArray) -> Candidates:
        """Give the candidates of contrast pictures [B, 28, 28]: the best picture of each of the likeliest subjects."""
        flat = pictures.reshape(len(pictures), -1)  # [B, 28, 28] -> [B, 784]
        parts = [self._find_in(region, flat) for region in range(REGIONS)]
        return Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _find_in(self, region: int, flat: FloatArray) -> tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]:
        posed = _multiply(flat, self._banks[region].T).reshape(len(flat), -1, FEATURES)  # [B, P*D] -> [B, P, D]
        posed = posed - self._offsets[region]
        found = [self._find_one(region, one) for one in posed]
        places = np.stack([place for place, _ in found])  # [B, K]
        likenesses = np.stack([likeness for _, likeness in found])  # [B, P, K]
        maps = self._poses[region][likenesses.argmax(axis=1)]  # [B, K, 3, 3]
        images = np.repeat(np.arange(len(flat)), places.shape[1])
        regions = np.full(len(images), region)
        return images, regions, places.ravel(), maps.reshape(-1, 3, 3), likenesses.max(axis=1).ravel()

    def _find_one(self, region: int, posed: FloatArray) -> tuple[IntArray, FloatArray]:
        """Give an image's candidates [K] and their likeness in each of its poses [P, D], [P, K]."""
        first, table = _unit(posed[:, :FIRST_FEATURES]), self._first[region]
        step = _CACHED_LIKENESSES // len(first)
        starts = range(0, table.shape[1], step)
        rough = np.concatenate([(first @ table[:, start : start + step]).max(axis=0) for start in starts])
        likely = self._likely(rough)
        likeness = _unit(posed) @ self._tables[region][likely].T  # [P, L]
        chosen = self._best(likely, likeness.max(axis=0), CANDIDATES[region])
        return likely[chosen], likeness[:, chosen]

    def _likely(self, rough: FloatArray) -> IntArray:
        """Give the places of all pictures of the likeliest subjects, rising, [L]."""
        by_subject = np.maximum.reduceat(rough, self._starts)
        count = min(_LIKELY_SUBJECTS, len(by_subject))
        is_likely = np.zeros(len(by_subject), bool)
        is_likely[np.argpartition(-by_subject, count - 1)[:count]] = True
        return np.flatnonzero(np.repeat(is_likely, self._lengths))

    def _best(self, likely: IntArray, likeness: FloatArray, counts: tuple[int, ...]) -> IntArray:
        """Choose the likeliest pictures of the likeliest subjects, [K]; a subject with too few gives its last again."""
        chosen: list[int] = []
        left, subjects = likeness.copy(), self._subjects[likely]
        for count in counts:
            own = np.flatnonzero(subjects == subjects[left.argmax()])
            own = own[np.argsort(-likeness[own])]
            chosen += [int(own[min(place, len(own) - 1)]) for place in range(count)]
            left[own] = -np.inf
        return np.array(chosen)


def _multiply(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Multiply rows [B, n] with a matrix, always as many at once: the last bits of a product depend on its size."""
    padded = np.zeros((-(-len(rows) // _ROWS), _ROWS, rows.shape[1]), np.float32)
    padded.reshape(-1, rows.shape[1])[: len(rows)] = rows
    return np.concatenate([block @ matrix for block in padded])[: len(rows)]


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + np.float32(1e-6)), np.float32)
