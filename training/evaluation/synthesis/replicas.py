"""How much of a made set is copied, and how much of the training set comes back: both, for either may look small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.cine.cine import IntArray
from services.models.copy_filter import Judgement
from training.evaluation.findings import Rate
from training.evaluation.synthesis.indexing import FALSE_DISCOVERY_SHARE, discovery_threshold


@dataclass(frozen=True)
class Replicas:
    """What was found.

    Attributes:
        samples: made pictures that are copies by the threshold of the index.
        discovered: made pictures that are copies, at most 1 % of them false, over the whole set.
        patients: trained-on subjects of whom there is a copy.
        most_copied: the greatest number of copies of one subject.
    """

    samples: Rate
    discovered: Rate
    patients: Rate
    most_copied: int


def count_replicas(judged: Sequence[Judgement], trained: IntArray) -> Replicas:
    """Count copies, and the subjects of training pictures `trained` [N] that they show.

    Reference:
        Dar et al., "Unconditional Latent Diffusion Models Memorize Patient Imaging Data", 2024: share of patients
        memorised and share of samples that are copies.
    """
    p_values = np.array([one.record.p_value for one in judged])
    found = p_values <= discovery_threshold(p_values, FALSE_DISCOVERY_SHARE)
    copies = np.array([one.record.subject for one in judged if one.is_copy], np.int64)
    subjects, counts = np.unique(copies, return_counts=True)
    return Replicas(
        samples=Rate(len(copies), len(judged)),
        discovered=Rate(int(found.sum()), len(judged)),
        patients=Rate(len(subjects), len(np.unique(trained))),
        most_copied=int(counts.max(initial=0)),
    )
