"""PROVISIONAL (lead)."""

import numpy as np

from training.simulator.arrays import Float32Array
from training.simulator.truth.recording import Recording


def frame_shares(recording: Recording) -> Float32Array:
    """Shares [T, 5]."""
    shares = np.zeros((len(recording.times_ms), 5), dtype=np.float32)
    shares[:, 0] = 1
    return shares
