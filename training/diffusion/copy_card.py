"""What a synthesizer's card says of its copy filter."""

from __future__ import annotations

import numpy as np

from services.models.copy_index import CopyIndex
from training.evaluation.synthesis.indexing import MOST_FALSE_ALARMS

_OF = 10_000


def write_copy_filter(index: CopyIndex) -> str:
    """Write the card's last section: what the filter knows, and how often it is wrong."""
    reference = index.reference
    warning = f"\n**{warn_of_false_alarms(index)}**\n" if reference.threshold > MOST_FALSE_ALARMS else ""
    subjects = len(np.unique(index.subjects))
    return f"""
## Copy filter

It knows {len(index.subjects):,} training pictures of {subjects:,} subjects; {len(reference.scores):,} pictures of
others say what comes by chance. An image counts as a copy up to p = {reference.threshold:.4f}: of {_OF:,}
images that are none, about {_OF * reference.threshold:.0f} are replaced all the same. What is usual is told by view and
style; p-values are ranks among all of them.
{warning}"""


def warn_of_false_alarms(index: CopyIndex) -> str:
    """Say that the filter replaces more than it should, and what would help."""
    return (
        f"Of images that are no copies, {index.reference.threshold:.1%} are replaced all the same, more than the"
        f" {MOST_FALSE_ALARMS:.0%} aimed at: {len(index.reference.scores)} pictures calibrate the copy filter. Hold out"
        " more subjects."
    )
