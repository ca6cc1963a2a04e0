"""Look at what the network is shown: one row a view, the frame as rendered and then changed again and again."""

from __future__ import annotations

import numpy as np
import torch

from services.cine.cine import UInt8Array
from services.cine.preprocessing import to_frames, to_tensor
from services.cine.views import ANSWERED_VIEWS
from training.classifier.augmentation import augment
from training.classifier.config import AugmentationConfig
from training.classifier.dataset import FrameSet

_GAP_PX = 2
_GAP_GREY = 90


def draw_augmentations(frames: FrameSet, config: AugmentationConfig, changes: int, seed: int) -> UInt8Array:
    """Draw some frames of each view beside changed copies of them.

    Args:
        frames: where to take them from.
        config: ranges of the changes.
        changes: copies of each frame.
        seed: of frames and changes.

    Returns:
        One picture, grey, [H, W].
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for view in range(len(ANSWERED_VIEWS)):
        for index in rng.choice(np.flatnonzero(frames.shares.argmax(axis=1) == view), size=2):
            original = to_tensor(frames.frames[index : index + 1])
            many = torch.from_numpy(np.repeat(original, changes, axis=0))
            changed = augment(many, config, generator)
            rows.append(_line_up(to_frames(np.concatenate([original, changed.numpy()]))))
    return np.concatenate(rows)


def _line_up(tiles: UInt8Array) -> UInt8Array:
    """Put tiles [N, H, W] beside one another with a gap between them."""
    padded = np.pad(tiles, ((0, 0), (0, _GAP_PX), (0, _GAP_PX)), constant_values=_GAP_GREY)
    return np.concatenate(list(padded), axis=1)
