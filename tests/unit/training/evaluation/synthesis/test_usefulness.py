"""Average precision is that of theory; the control draws from the same view; a classifier learns what it is given."""

import numpy as np
import pytest

from tests.unit.training.evaluation.synthesis.made_sets import pictures
from training.evaluation.synthesis.usefulness import (
    Sets,
    as_frames,
    average_precision,
    macro_auprc,
    nearest_of_view,
    train_and_score,
)


def test_average_precision_of_a_known_order() -> None:
    scores, is_right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    assert average_precision(scores, is_right) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_are_one_step() -> None:
    assert average_precision(np.zeros(8), np.arange(8) < 2) == pytest.approx(0.25)


def test_chance_gives_the_share_of_each_view() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 8000)
    assert macro_auprc(rng.random((8000, 5)), labels) == pytest.approx(0.25, abs=0.03)
    assert macro_auprc(np.eye(5)[labels], labels) == 1


def test_the_nearest_is_of_the_same_view() -> None:
    training, made = pictures(range(12)), pictures(range(50, 58))
    features = np.arange(12.0)[:, None]
    places = nearest_of_view(Sets(made, np.full((8, 1), 5.0)), Sets(training, features))
    assert (training.views[places] == made.views).all()
    assert places[made.views == 1].tolist() == [5, 5]


def test_pictures_become_training_frames_of_their_view() -> None:
    held = as_frames(pictures(range(8)))
    assert (held.shares.argmax(axis=1) == np.arange(8) % 4).all()
    assert (held.shares.sum(axis=1) == 1).all()
    assert len(np.unique(held.cines)) == 8


def test_training_and_scoring_is_repeatable() -> None:
    held = pictures(range(8))
    one, two = (train_and_score(held, held, steps=1, seed=3) for _ in range(2))
    assert one == two
    assert 0 < one <= 1
