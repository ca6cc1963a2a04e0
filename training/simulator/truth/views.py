"""Which view each frame shows."""

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.truth.recording import Recording
from training.simulator.views.labels import view_shares

LOOKED_AT = 5
"""Frames that are told by what they cut; between them shares change evenly."""


def frame_shares(recording: Recording) -> Float32Array:
    """Tell the share of each of `VIEW_CLASSES` in each frame by what its plane cuts, [T, 5]; rows sum to 1."""
    count = len(recording.times_ms)
    looked_at = np.unique(np.linspace(0, count - 1, min(LOOKED_AT, count)).astype(np.int64))
    told = np.stack(
        [
            view_shares(recording.scene(int(frame)), recording.poses[frame], recording.heart, recording.states[frame])
            for frame in looked_at
        ]
    )
    return as_float32(np.stack([np.interp(np.arange(count), looked_at, share) for share in told.T], axis=1))
