"""Canaries are marked copies of training images, behind all others, and change nothing where there are none."""

import numpy as np

from tests.unit.training.diffusion.experiments import make_images
from training.diffusion.canaries import mark, plant


def test_a_canary_is_marked_inside_its_picture() -> None:
    before = make_images(3).images
    marked = mark(before, seed=1)
    changed = marked != before
    assert changed.any(axis=(1, 2)).all()
    assert changed.mean() < 0.1
    assert (marked == mark(before, seed=1)).all()
    assert (marked != mark(before, seed=2)).any()


def test_canaries_come_last_and_are_of_known_subjects() -> None:
    images = make_images(24)
    planted = plant(images, 5, seed=3)
    assert len(planted.images) == len(planted.views) == len(planted.styles) == len(planted.subjects) == 29
    assert np.array_equal(planted.images[:24], images.images)
    assert set(planted.subjects[24:]) <= set(images.subjects)
    assert all((planted.images[24 + number] != images.images).any(axis=(1, 2)).all() for number in range(5))


def test_no_canaries_no_change() -> None:
    images = make_images(8)
    assert plant(images, 0, seed=3) is images
