"""Sectors full of smooth noise: every subject another pattern, every frame of a subject a little different."""

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from services.models.copy_index import CopyIndex, Reference, save_index
from services.models.copy_pictures import CELLS, contrast, shrink
from services.models.copy_search import FEATURES, REGIONS, Features, region_masks

SIDE_PX = 112


def sector() -> np.ndarray:
    """A triangle with its tip up, [112, 112] bool."""
    mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.fillConvexPoly(mask, np.array([[56, 4], [104, 100], [8, 100]]), 1)
    return mask.astype(bool)


def noise(seed: tuple[int, ...], sigma_px: float = 4.0) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation 1, [112, 112]."""
    white = np.random.default_rng(seed).standard_normal((SIDE_PX, SIDE_PX))
    smooth = cv2.GaussianBlur(white, (0, 0), sigma_px)
    return smooth / smooth.std()


def frame(subject: int, number: int = 0) -> np.ndarray:
    """One frame of a subject, [112, 112] uint8."""
    pattern = 0.95 * noise((subject,)) + 0.3 * noise((subject, number))
    return (np.clip(110 + 45 * pattern, 5, 255) * sector()).astype(np.uint8)


def frames(subjects: range, count: int = 1) -> np.ndarray:
    """Frames of subjects, [N, 112, 112]."""
    return np.stack([frame(subject, number) for subject in subjects for number in range(count)])


def random_features() -> Features:
    """Directions that nothing was learned for: many enough to tell noise apart."""
    rng = np.random.default_rng(3)
    directions = rng.standard_normal((REGIONS, CELLS**2, FEATURES)) * region_masks()[..., None]
    return Features(np.zeros(CELLS**2, np.float32), directions.astype(np.float32))


def make_index(subjects: range, count: int = 2, keeps_thumbnails: bool = True) -> CopyIndex:
    """An index of some subjects; an image counts as a copy from a nearness that only one of 100 strangers has."""
    thumbnails = shrink(frames(subjects, count))
    features = random_features()
    zeros, ones = np.zeros((5, 17, REGIONS), np.float32), np.ones((5, REGIONS), np.float32)
    return CopyIndex(
        model_sha256="ab" * 32,
        trained_on="noise",
        features=features,
        thumbnails=thumbnails if keeps_thumbnails else thumbnails[:0],
        descriptors=features.describe(contrast(thumbnails))[: 0 if keeps_thumbnails else None],
        subjects=np.repeat(np.array(subjects), count),
        reference=Reference(zeros, ones, np.linspace(-0.9, 0.2, 100, dtype=np.float32), 0.01),
    )


def write_index(path: Path, model_sha256: str) -> str:
    """Write an index by which one in ten images of the tiny synthesizer is a copy; gives its name."""
    index = make_index(range(20))
    save_index(replace(index, model_sha256=model_sha256, reference=replace(index.reference, threshold=0.82)), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
