"""Sets of noise sectors that stand for training, held-out and made pictures."""

import numpy as np

from tests.unit.models.copy_scenes import frames
from training.evaluation.synthesis.pictures import Pictures


def pictures(subjects: range, count: int = 1, views: int = 4) -> Pictures:
    """Frames of subjects, each a cine, the views in turn."""
    held = frames(subjects, count)
    every = np.arange(len(held))
    return Pictures(held, every % views, np.zeros(len(held), int), np.repeat(np.array(subjects), count), every)
