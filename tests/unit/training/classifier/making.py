"""Predictions of cines, made up with as much noise as a test wants."""

from __future__ import annotations

import numpy as np

from services.cine.views import ANSWERED_VIEWS
from training.classifier.predictions import CinePredictions
from training.classifier.simulation import families

VIEWS = len(ANSWERED_VIEWS)
STYLES = tuple(style for styles in families().values() for style in styles)


def make_predictions(labels: np.ndarray, logits: np.ndarray, styles: np.ndarray | str = "camus") -> CinePredictions:
    """Cines of eight to a subject, in one style or in those given."""
    count = len(labels)
    return CinePredictions(
        logits=np.asarray(logits, np.float32),
        shares=np.eye(VIEWS, dtype=np.float32)[labels],
        styles=np.broadcast_to(np.asarray(styles), count),
        planes=np.array(["a4c", "subcostal"])[(labels == VIEWS - 1).astype(int)],
        traits=np.stack([np.linspace(0.2, 0.75, count), np.linspace(50, 110, count), np.full(count, 9.0)], axis=1),
        subjects=np.arange(count) // 8,
    )


def draw_cines(noise: float, seed: int, subjects: int = 12) -> CinePredictions:
    """Every view in every style for some subjects; the more noise the more errors."""
    rng = np.random.default_rng(seed)
    who, labels, styles = (axis.ravel() for axis in np.mgrid[:subjects, :VIEWS, : len(STYLES)])
    logits = 3.0 * np.eye(VIEWS)[labels] + rng.normal(0, noise, (len(labels), VIEWS))
    made = make_predictions(labels, logits, np.array(STYLES)[styles])
    return CinePredictions(**vars(made) | {"subjects": who})
