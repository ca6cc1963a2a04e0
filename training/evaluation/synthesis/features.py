"""Features that sets of pictures are compared in: the shipped view classifier's, always there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from services.cine.cine import FloatArray, UInt8Array
from services.cine.preprocessing import to_tensor
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER

_BATCH = 32


class ClassifierFeatures:
    """Gives the classifier's embedding and its view of pictures.

    Args:
        repository: the model repository's folder.
    """

    def __init__(self, repository: Path) -> None:
        self._backend = OnnxBackend(repository, VIEW_CLASSIFIER)

    def describe(self, frames: UInt8Array) -> tuple[FloatArray, FloatArray]:
        """Give features [N, 128] and log-probabilities [N, K] of frames [N, 112, 112]."""
        features, logits = [], []
        for start in range(0, len(frames), _BATCH):
            given = self._backend.run({VIEW_CLASSIFIER.inputs[0].name: to_tensor(frames[start : start + _BATCH])})
            logits.append(given[VIEW_CLASSIFIER.outputs[0].name])
            features.append(given[VIEW_CLASSIFIER.outputs[1].name])
        return np.concatenate(features), np.concatenate(logits)
