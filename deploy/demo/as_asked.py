"""Does a made batch show what was asked for? Told by the view classifier that is served beside the generator."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from services.cine.views import ANSWERED_VIEWS
from training.evaluation.synthesis.features import ClassifierFeatures

LEAST_AS_ASKED = 0.95
"""Of a batch's images that the classifier must name as asked for (issue 5)."""


def share_as_asked(manifest: Path, repository: Path) -> float:
    """Give the share of a batch's images that the classifier names as the view they were asked for, 0-1.

    Args:
        manifest: of a batch of PNG images; they lie beside it.
        repository: the model repository with the classifier.
    """
    rows = json.loads(manifest.read_text())["images"]
    images = [cv2.imread(str(manifest.parent / row["file"]), cv2.IMREAD_GRAYSCALE) for row in rows]
    answers = ClassifierFeatures(repository).answers(np.array(images, np.uint8))
    named = [ANSWERED_VIEWS[answer].value == row["view"] for answer, row in zip(answers, rows, strict=True)]
    return float(np.mean(named))
