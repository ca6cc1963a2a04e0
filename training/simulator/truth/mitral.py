"""Points of the mitral valve in the plane."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import Float32Array, as_float32
from training.simulator.truth.landmarks import leaflet_ends, picture_landmarks
from training.simulator.truth.recording import Recording

CLOSED_OPENING = 0.02  # a valve that is open by less is closed


@dataclass(frozen=True)
class MitralValve:
    """Points of the valve, each [T, 2]; NaN where the plane does not cut them.

    Attributes:
        anterior_hinge, posterior_hinge: where the leaflets leave the wall, on the cavity's outline.
        anterior_tip, posterior_tip: free edges of the leaflets.
        coaptation: where the edges meet; NaN while the valve is open.
    """

    anterior_hinge: Float32Array
    posterior_hinge: Float32Array
    anterior_tip: Float32Array
    posterior_tip: Float32Array
    coaptation: Float32Array


def mitral_valve_mm(recording: Recording) -> MitralValve:
    """Points of the valve in mm on the plane (right, down, flip undone)."""
    hinges = picture_landmarks(recording).mm
    scenes = recording.scenes
    anterior, posterior = (
        np.stack([leaflet_ends(scene, name)[1] for scene in scenes]) for name in ("mitral_anterior", "mitral_posterior")
    )
    is_closed = np.array([state.mitral_opening < CLOSED_OPENING for state in recording.states])
    meeting = np.where(is_closed[:, None], (anterior + posterior) / 2, np.nan)
    front, behind = hinges["mitral_anterior_hinge"], hinges["mitral_posterior_hinge"]
    return MitralValve(front, behind, anterior, posterior, as_float32(meeting))


def mitral_valve_px(recording: Recording) -> MitralValve:
    """The same in pixels (x, y) of the picture."""
    points = vars(mitral_valve_mm(recording))
    return MitralValve(**{name: recording.screen.to_px(places) for name, places in points.items()})
