"""What the view classifier means: frames in, one view for the cine out, or none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.cine.cine import FloatArray
from services.cine.errors import ModelContractError
from services.cine.views import ANSWERED_VIEWS, View
from services.models.backend import Backend
from services.models.spec import VIEW_CLASSIFIER


@dataclass(frozen=True)
class ViewPrediction:
    """The answer for one cine.

    Attributes:
        view: the most probable view, or None when the model abstains.
        confidence: its calibrated probability.
        probabilities: of ANSWERED_VIEWS, [K], summing to 1.
        frame_probabilities: the same a frame, [N, K].
    """

    view: View | None
    confidence: float
    probabilities: FloatArray
    frame_probabilities: FloatArray


async def predict_view(backend: Backend, model_input: FloatArray, timeout_s: float) -> ViewPrediction:
    """Name the view of one cine.

    Args:
        backend: runs the view classifier.
        model_input: [N, 1, 112, 112] float32 in [-1, 1], N at least 1.
        timeout_s: how long the model may take, s.

    Returns:
        The answer of the mean over the frames of their log-probabilities: `OTHER` where the plane is none of the four.

    Raises:
        CapacityError, ModelError: as `Backend.infer`.
    """
    outputs = await backend.infer({VIEW_CLASSIFIER.inputs[0].name: model_input}, timeout_s)
    logits = outputs[VIEW_CLASSIFIER.outputs[0].name]
    if logits.shape != (len(model_input), len(ANSWERED_VIEWS)) or not np.isfinite(logits).all():
        raise ModelContractError(
            found=f"log-odds of shape {logits.shape}, or not all of them numbers",
            expected=f"{len(model_input)} x {len(ANSWERED_VIEWS)} numbers",
            advice="Check the served model against its golden pair; half precision may overflow.",
        )
    return combine(logits, backend.identity.abstain_below)


def combine(logits: FloatArray, abstain_below: float) -> ViewPrediction:
    """Combine the calibrated log-odds of frames, [N, K], into the answer for the cine."""
    probabilities = _softmax(logits.mean(axis=0))
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    return ViewPrediction(
        view=ANSWERED_VIEWS[best] if confidence >= abstain_below else None,
        confidence=confidence,
        probabilities=probabilities,
        frame_probabilities=_softmax(logits),
    )


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
