"""What is measured on cines, balanced over views so that a common view does not hide a rare one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.cine.cine import FloatArray, IntArray
from services.cine.views import ANSWERED_VIEWS
from training.classifier.predictions import CinePredictions, softmax

_CALIBRATION_BINS = 15

Metric = Callable[[FloatArray, IntArray], float]


def recalls(logits: FloatArray, labels: IntArray) -> FloatArray:
    """Give the share of each view's cines that are named right, [K]; NaN for a view that is not there."""
    matrix = confusion(logits, labels)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.diag(matrix) / matrix.sum(axis=1), np.float32)


def balanced_accuracy(logits: FloatArray, labels: IntArray) -> float:
    """Average the recall of the views that are there."""
    return float(np.nanmean(recalls(logits, labels)))


def log_loss(logits: FloatArray, labels: IntArray) -> float:
    """Give the mean over views of the mean negative log-probability of the right one, nats."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return float(np.mean([losses[labels == view].mean() for view in np.unique(labels)]))


def confusion(logits: FloatArray, labels: IntArray) -> IntArray:
    """Count cines by true view (row) and answer (column), [K, K]."""
    matrix = np.zeros((len(ANSWERED_VIEWS), len(ANSWERED_VIEWS)), np.int64)
    np.add.at(matrix, (labels, logits.argmax(axis=1)), 1)
    return matrix


def expected_calibration_error(logits: FloatArray, labels: IntArray) -> float:
    """Average the gap between confidence and accuracy over bins of equally many cines.

    Reference:
        Guo 2017, On Calibration of Modern Neural Networks, with equal-mass bins (Nguyen and O'Connor 2015).
    """
    probabilities = softmax(logits)
    confidence, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.array_split(np.argsort(confidence), min(_CALIBRATION_BINS, len(labels)))
    return float(sum(len(b) * abs(confidence[b].mean() - is_right[b].mean()) for b in bins) / len(labels))


def selective_accuracy(logits: FloatArray, labels: IntArray, coverage: float) -> float:
    """Give the accuracy on the most confident share of the cines."""
    confidence = softmax(logits).max(axis=1)
    kept = np.argsort(-confidence, kind="stable")[: max(1, round(coverage * len(labels)))]
    return float((logits[kept].argmax(axis=1) == labels[kept]).mean())


def accuracy_interval(predictions: CinePredictions, draws: int) -> tuple[float, float]:
    """Give the 95 % interval of the balanced accuracy, over subjects.

    Where nothing was named wrong, drawing again finds nothing wrong either: then the lower end is the exact one for so
    many subjects without an error.

    Reference:
        Clopper and Pearson 1934, for no failure among n: the 2.5 % bound is .025 ** (1 / n).
    """
    if (predictions.logits.argmax(axis=1) == predictions.labels).all():
        return float(0.025 ** (1.0 / len(np.unique(predictions.subjects)))), 1.0
    return bootstrap_interval(balanced_accuracy, predictions, draws)


def bootstrap_interval(metric: Metric, predictions: CinePredictions, draws: int, seed: int = 0) -> tuple[float, float]:
    """Give the 95 % interval of a metric by drawing subjects, with all their cines, with replacement.

    Reference:
        Efron 1979, percentile interval; clusters because cines of one heart are not independent.
    """
    rng = np.random.default_rng(seed)
    _, group = np.unique(predictions.subjects, return_inverse=True)
    members = [np.flatnonzero(group == index) for index in range(group.max() + 1)]
    values = []
    for _ in range(draws):
        chosen = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        values.append(metric(predictions.logits[chosen], predictions.labels[chosen]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
