"""The truth about each served model's tensors. `config.pbtxt`, export and both backends are held to it."""

from __future__ import annotations

from dataclasses import dataclass

from services.cine.preprocessing import MODEL_SIDE_PX
from services.cine.views import ANSWERED_VIEWS, TARGET_VIEWS


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a model.

    Attributes:
        name: as in the graph.
        shape: without the batch axis, which always comes first and is dynamic.
        meaning: values, range and order, in words.
        datatype: in Triton's spelling.
    """

    name: str
    shape: tuple[int, ...]
    meaning: str
    datatype: str = "FP32"


@dataclass(frozen=True)
class ModelSpec:
    """What a model takes and gives.

    Attributes:
        name: folder in the model repository and name on Triton.
        inputs, outputs: its tensors, in order.
        labels: meaning of the last axis of the first output, in order; empty where it has none.
        max_batch_size: largest batch of one call.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...]
    max_batch_size: int


VIEW_CLASSIFIER = ModelSpec(
    name="view_classifier",
    inputs=(
        TensorSpec(
            "frames",
            (1, MODEL_SIDE_PX, MODEL_SIDE_PX),
            "frames as services.cine.preprocessing makes them: [-1, 1], -1 outside the sector",
        ),
    ),
    outputs=(
        TensorSpec(
            "logits",
            (len(ANSWERED_VIEWS),),
            "calibrated log-probabilities of each view up to a constant; their mean over frames answers",
        ),
        TensorSpec("embedding", (128,), "features before the last layer"),
    ),
    labels=tuple(view.value for view in ANSWERED_VIEWS),
    max_batch_size=64,
)

ECHO_SYNTHESIZER = ModelSpec(
    name="echo_synthesizer",
    inputs=(
        TensorSpec("noise", (1, MODEL_SIDE_PX, MODEL_SIDE_PX), "standard normal"),
        TensorSpec("view", (1,), f"index into {', '.join(TARGET_VIEWS)}; {len(TARGET_VIEWS)}: any", datatype="INT64"),
        TensorSpec(
            "style", (1,), "index into the parameter `styles` of config.pbtxt; their number: any", datatype="INT64"
        ),
    ),
    outputs=(
        TensorSpec(
            "images",
            (1, MODEL_SIDE_PX, MODEL_SIDE_PX),
            "as services.cine.preprocessing makes frames: [-1, 1], -1 outside the sector",
        ),
    ),
    labels=(),
    max_batch_size=16,
)
"""Noise, view and source style in, images out; guidance and all sampler steps are inside the graph."""
