"""What a copied training image may look like when a generator gives it back: replicas made on purpose.

Every plant takes a picture [112, 112] uint8 as the classifier sees it and a random generator, and gives a picture like
it. Limits are those that the copy filter has to stand.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import cv2
import numpy as np

from services.cine.cine import UInt8Array
from services.cine.preprocessing import MODEL_SIDE_PX
from training.evaluation.synthesis.numbers import RealArray

Plant = Callable[[UInt8Array, np.random.Generator], UInt8Array]

LEAST_CROP_FRACTION = 0.85
LARGEST_SHIFT_PX = 8.0
GAIN_AND_GAMMA = (0.7, 1.4)
LARGEST_SPECKLE_FRACTION = 0.15
LARGEST_BLUR_PX = 1.5
LARGEST_ROTATION_DEG = 10.0
LEAST_JPEG_QUALITY = 50


def crop(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Cut out a square of at least 85 % of the side, anywhere, and enlarge it."""
    fraction = rng.uniform(LEAST_CROP_FRACTION, 1.0)
    corner = rng.uniform(0.0, 1.0 - fraction, 2) * MODEL_SIDE_PX
    return _warp(picture, np.array([[fraction, 0.0, corner[0]], [0.0, fraction, corner[1]]]))


def shift(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Move by up to 8 px along each axis; black comes in."""
    right, down = rng.uniform(-LARGEST_SHIFT_PX, LARGEST_SHIFT_PX, 2)
    return _warp(picture, np.array([[1.0, 0.0, right], [0.0, 1.0, down]]))


def gain(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Multiply the grey levels."""
    return _grey(picture.astype(np.float32) * rng.uniform(*GAIN_AND_GAMMA))


def gamma(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Raise the grey levels, 0-1, to a power."""
    return _grey(255.0 * (picture / np.float32(255.0)) ** rng.uniform(*GAIN_AND_GAMMA))


def speckle(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Multiply each pixel by 1 plus noise of a standard deviation up to 15 %."""
    sd = rng.uniform(0.0, LARGEST_SPECKLE_FRACTION)
    return _grey(picture * (1.0 + sd * rng.standard_normal(picture.shape)))


def blur(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Blur with a Gaussian of sigma up to 1.5 px."""
    sigma_px = rng.uniform(0.2, LARGEST_BLUR_PX)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.uint8)


def mirror(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Exchange left and right."""
    return np.ascontiguousarray(picture[:, ::-1])


def rotate(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Turn about the middle by up to 10 degrees; black comes in."""
    middle = (MODEL_SIDE_PX - 1) / 2
    angle_deg = rng.uniform(-LARGEST_ROTATION_DEG, LARGEST_ROTATION_DEG)
    return _warp(picture, np.asarray(cv2.getRotationMatrix2D((middle, middle), angle_deg, 1.0), np.float64))


def jpeg(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Compress as JPEG of quality 50 to 95 and decompress."""
    quality = int(rng.integers(LEAST_JPEG_QUALITY, 96))
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def resample(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Shrink to half and enlarge again."""
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(half, (MODEL_SIDE_PX, MODEL_SIDE_PX), interpolation=cv2.INTER_LINEAR), np.uint8)


SINGLE_PLANTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (crop, shift, gain, gamma, speckle, blur, mirror, rotate, jpeg, resample)  # the order of the reports
}

_PAIRS = tuple(combinations(SINGLE_PLANTS, 2))


def pair(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Apply two different plants one after the other, in either order."""
    names = rng.permutation(_PAIRS[int(rng.integers(len(_PAIRS)))])
    for name in names:
        picture = SINGLE_PLANTS[str(name)](picture, rng)
    return picture


EASY_PLANTS: dict[str, Plant] = {**SINGLE_PLANTS, "pair": pair}
"""The group of which 99 % must be found."""


def annotate(picture: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Burn in what a console writes: one to three lines of text, a row of scale marks, an electrocardiogram."""
    drawn = picture.copy()
    for _ in range(int(rng.integers(1, 4))):
        text = "".join(rng.choice(list("ABCDEHLMRSVX0123456789.:/ "), int(rng.integers(4, 14))))
        place = int(rng.integers(0, 60)), int(rng.integers(8, MODEL_SIDE_PX))
        cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.25, 0.5), int(rng.integers(150, 256)))
    column = int(rng.integers(0, MODEL_SIDE_PX))
    drawn[:: int(rng.integers(6, 14)), column : column + 2] = 220
    steps = np.cumsum(rng.normal(0.0, 1.5, MODEL_SIDE_PX)) + rng.uniform(70, 105)
    trace = np.stack([np.arange(MODEL_SIDE_PX), np.clip(steps, 60, MODEL_SIDE_PX - 1)], axis=1)
    cv2.polylines(drawn, [trace.astype(np.int32)], isClosed=False, color=200)
    return drawn


def mosaic(picture: UInt8Array, other: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Join one half of a picture to the other half of another, along either axis, which half by chance."""
    is_first = np.arange(MODEL_SIDE_PX) < MODEL_SIDE_PX // 2
    if rng.random() < 0.5:
        is_first = ~is_first
    kept = is_first[None, :] if rng.random() < 0.5 else is_first[:, None]
    return np.where(kept, picture, other)


def _warp(picture: UInt8Array, to_source: RealArray) -> UInt8Array:
    """Move a picture; `to_source` [2, 3] carries (column, row) of the result to the picture."""
    size = (MODEL_SIDE_PX, MODEL_SIDE_PX)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, to_source, size, flags=flags, borderValue=0), np.uint8)


def _grey(levels: RealArray) -> UInt8Array:
    return np.asarray(np.clip(np.rint(levels), 0, 255), np.uint8)
