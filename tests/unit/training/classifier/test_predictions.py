"""A cine's answer is the mean over its frames; half-way between two planes there is no right one."""

import numpy as np

from tests.unit.training.classifier.making import make_predictions
from training.classifier.predictions import CinePredictions, mean_by_cine, softmax


def test_cine_answer_is_the_mean_over_its_frames() -> None:
    logits = np.arange(24, dtype=np.float32).reshape(6, 4)
    averaged = mean_by_cine(logits, np.array([0, 0, 0, 1, 2, 2]))
    assert np.allclose(averaged, [logits[:3].mean(axis=0), logits[3], logits[4:].mean(axis=0)])


def test_mean_log_odds_answer_as_mean_log_probabilities_do() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (6, 5)).astype(np.float32)
    cines = np.array([0, 0, 0, 1, 1, 1])
    by_odds = softmax(mean_by_cine(logits, cines))
    by_probability = softmax(mean_by_cine(np.log(softmax(logits)), cines))
    assert np.allclose(by_odds, by_probability, atol=1e-5)


def test_a_sweep_between_two_planes_has_no_right_answer() -> None:
    made = make_predictions(np.array([0, 4]), np.zeros((2, 5)))
    swept = CinePredictions(**vars(made) | {"shares": np.array([[0.5, 0, 0, 0, 0.5], [0, 0.1, 0, 0, 0.9]], np.float32)})
    assert list(swept.is_clear) == [False, True]
    assert list(swept.take(swept.is_clear).labels) == [4]
