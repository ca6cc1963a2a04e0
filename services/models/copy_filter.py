"""Is an image a copy of a training image? Decided an image at a time, so that no batching changes an answer.

Evidence is the distance to the nearest training picture after alignment, and its ratio to the nearest of another
subject (Gu et al., "On Memorization in Diffusion Models", 2023, with several images a subject). It becomes a p-value by
comparison with images of subjects that were never trained on, looked up in the same index (Vovk et al., "Algorithmic
Learning in a Random World", 2005, section 2.2; Bates et al., "Testing for Outliers with Conformal p-values", 2023).
Their median is taken by view and style, their spread by view, and then all are ranked together: no view and style has
the hundred images that a p-value of 1 % takes.

A distance is a hint at who was trained on: a client learns `is_copy` and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.cine.cine import FloatArray, IntArray, UInt8Array
from services.cine.preprocessing import to_frames
from services.models.copy_alignment import align
from services.models.copy_index import CopyIndex
from services.models.copy_pictures import contrast, shrink
from services.models.copy_search import CANDIDATES, REGIONS, Candidates, CopySearch

RATIO_WEIGHT = 0.5
"""Of the ratio beside the distance: of 0, .5, 1, 2 and 5 the one that found most planted copies of hard kinds."""

_LEAST_DISTANCE = 0.01
"""Two pictures nearer than this are the same; keeps logarithms finite."""


@dataclass(frozen=True)
class CopyRecord:
    """What stays in the server's own record about one image.

    Attributes:
        p_value: share of pictures of untrained subjects that are as near to the training set, (0, 1].
        score: nearness in units of those pictures' spread, at most 0 for half of them; lower is nearer.
        distance: to the nearest training picture, of the region that counted, 0 to 2.
        ratio: of that to the nearest picture of another subject, 0 to 1.
        region: whole, upper, lower, left or right half.
        place: of that picture in the index.
        subject: whose it is.
    """

    p_value: float
    score: float
    distance: float
    ratio: float
    region: int
    place: int
    subject: int


@dataclass(frozen=True)
class Judgement:
    """The answer for one image: what a client may learn, and what it may not."""

    is_copy: bool
    record: CopyRecord


@dataclass(frozen=True)
class Evidence:
    """What was found about images, [B, R] each: nearest distance, ratio to another subject's, place in the index."""

    distances: FloatArray
    ratios: FloatArray
    places: IntArray

    @property
    def nearness(self) -> FloatArray:
        """Log of the distance, and of the ratio with its weight; lower is nearer, [B, R]."""
        return np.asarray(np.log(self.distances) + RATIO_WEIGHT * np.log(self.ratios), np.float32)


class CopyFilter:
    """Compares images with a generator's training pictures; numpy and OpenCV only, and nothing is remembered.

    Args:
        index: of those pictures.
    """

    def __init__(self, index: CopyIndex) -> None:
        self._index = index
        self._search = CopySearch(index.features, index.describe(), index.subjects)

    def judge(self, images: FloatArray, views: IntArray, styles: IntArray) -> list[Judgement]:
        """Say of each image whether it is a copy.

        Args:
            images: [B, 1, 112, 112] float32 in [-1, 1].
            views: what was asked for, [B], as the generator's condition counts them.
            styles: the same, [B].

        Returns:
            One answer an image, in order, each independent of the others.
        """
        evidence = self.examine(to_frames(images))
        regions, scores = self._index.reference.score(evidence.nearness, views, styles)
        p_values = self._index.reference.p_values(scores)
        judged = []
        for image, region in enumerate(regions):
            place = int(evidence.places[image, region])
            record = CopyRecord(
                p_value=float(p_values[image]),
                score=float(scores[image]),
                distance=float(evidence.distances[image, region]),
                ratio=float(evidence.ratios[image, region]),
                region=int(region),
                place=place,
                subject=int(self._index.subjects[place]),
            )
            judged.append(Judgement(record.p_value <= self._index.reference.threshold, record))
        return judged

    def examine(self, frames: UInt8Array) -> Evidence:
        """Find out how near frames [B, 112, 112] are to training pictures."""
        candidates = self._search.find(contrast(shrink(frames)))
        if self._index.has_thumbnails:
            aligned = align(frames, contrast(self._index.thumbnails[candidates.places]), candidates)
            candidates = replace(candidates, likenesses=aligned)
        return self._conclude(candidates, len(frames))

    def _conclude(self, candidates: Candidates, count: int) -> Evidence:
        distances, ratios = np.empty((2, count, REGIONS), np.float32)
        places = np.empty((count, REGIONS), np.int64)
        for region in range(REGIONS):
            own = candidates.take(candidates.regions == region)
            apart = np.sqrt(2 * np.maximum(1 - own.likenesses, 0)).reshape(count, sum(CANDIDATES[region]))
            apart = np.maximum(apart, _LEAST_DISTANCE)
            where = own.places.reshape(apart.shape)
            first = apart.argmin(axis=1, keepdims=True)
            nearest = np.take_along_axis(where, first, axis=1)
            others = np.where(self._index.subjects[where] != self._index.subjects[nearest], apart, np.inf)
            distances[:, region], places[:, region] = apart.min(axis=1), nearest[:, 0]
            ratios[:, region] = np.minimum(distances[:, region] / others.min(axis=1), 1.0)
        return Evidence(distances, ratios, places)
