"""Features that sets of pictures are compared in: the shipped view classifier's, and Inception's where there is a file.

The classifier's see what tells views apart and little else; Inception's were learned from photographs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from services.cine.cine import FloatArray, IntArray, UInt8Array
from services.cine.errors import ConfigError
from services.cine.preprocessing import to_tensor
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER

_BATCH = 32

_INCEPTION_PX = 299
_IMAGENET_MEAN, _IMAGENET_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Describer(Protocol):
    """Gives features of pictures."""

    def describe(self, frames: UInt8Array) -> FloatArray:
        """Give features [N, D] of frames [N, 112, 112]."""


class ClassifierFeatures:
    """Gives the classifier's embedding and its view of pictures.

    Args:
        repository: the model repository's folder.
    """

    def __init__(self, repository: Path) -> None:
        self._backend = OnnxBackend(repository, VIEW_CLASSIFIER)

    def describe(self, frames: UInt8Array) -> FloatArray:
        """Give features [N, 128] of frames [N, 112, 112]."""
        return self._ask(frames, 1)

    def answers(self, frames: UInt8Array) -> IntArray:
        """Give the likeliest of its answers for each frame, [N]."""
        return np.asarray(self._ask(frames, 0).argmax(axis=1), np.int64)

    def _ask(self, frames: UInt8Array, output: int) -> FloatArray:
        name, asked = VIEW_CLASSIFIER.outputs[output].name, VIEW_CLASSIFIER.inputs[0].name
        pieces = (frames[start : start + _BATCH] for start in range(0, len(frames), _BATCH))
        return np.concatenate([self._backend.run({asked: to_tensor(piece)})[name] for piece in pieces])


class InceptionFeatures:
    """Gives the pooled features of torchvision's Inception v3.

    Published Frechet distances come from another conversion of the same network and cannot be compared with these.

    Args:
        weights: file of its state, as torchvision offers it (inception_v3_google-*.pth).

    Raises:
        ConfigError: torchvision is not installed, or the file holds something else.
    """

    def __init__(self, weights: Path) -> None:
        try:
            import torch
            from torchvision.models import inception_v3

            network = inception_v3(weights=None, init_weights=False, aux_logits=True)
            network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        except (ImportError, OSError, RuntimeError, ValueError, TypeError) as error:
            raise ConfigError(
                found=f"no Inception network from {weights.name} ({type(error).__name__})",
                expected="torchvision, and its inception_v3 weights as a file",
                advice="Install torchvision, or leave --inception out.",
            ) from error
        network.fc = torch.nn.Identity()
        self._network = network.eval()

    def describe(self, frames: UInt8Array) -> FloatArray:
        """Give features [N, 2048] of frames [N, 112, 112]."""
        import torch

        mean, sd = np.array(_IMAGENET_MEAN, np.float32), np.array(_IMAGENET_SD, np.float32)
        given = []
        for start in range(0, len(frames), _BATCH):
            large = [cv2.resize(frame, (_INCEPTION_PX, _INCEPTION_PX)) for frame in frames[start : start + _BATCH]]
            shown = (np.stack(large)[..., None] / np.float32(255) - mean) / sd  # [B, 299, 299] -> [B, 299, 299, 3]
            with torch.inference_mode():
                given.append(self._network(torch.from_numpy(shown.transpose(0, 3, 1, 2).copy())).numpy())
        return np.concatenate(given)
