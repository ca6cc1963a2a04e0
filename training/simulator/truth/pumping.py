"""What the ventricle pumps, and when."""

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.truth.recording import Recording


def lvef_fraction(recording: Recording) -> float:
    """Ejection fraction, 0-1, from the volumes of the model's cavity at end-diastole and end-systole."""
    heart = recording.heart
    return 1 - heart.lv_volume_ml(1.0) / heart.lv_volume_ml(0.0)


def lv_volumes_ml(recording: Recording) -> Float32Array:
    """Volume of the left ventricle's cavity at each frame, [T] ml."""
    return as_float32([recording.heart.lv_volume_ml(state.contraction) for state in recording.states])


def ed_frame(recording: Recording) -> int:
    """Index of the frame nearest to end-diastole, the first of several: the largest volume."""
    return int(np.argmin([state.contraction for state in recording.states]))


def es_frame(recording: Recording) -> int:
    """Index of the frame nearest to end-systole, the first of several: the smallest volume."""
    return int(np.argmax([state.contraction for state in recording.states]))
