"""Hold a served model to the golden answers that lie beside its weights: only what passes goes live.

Standard library and numpy only, because it also runs inside Triton's own container.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.cine.errors import ModelContractError
from training.export.triton_process import FloatArray

LOGITS = "logits"
"""The output whose softmax is what callers see; adding the same to every logit of a frame changes nothing."""

TOLERANCES = {"fp32": 1e-3, "tf32": 1e-2, "fp16": 1e-2}
"""Largest shift from the golden answer, of any probability (absolute) and of any output (relative to its size).

tf32 is what onnxruntime multiplies in on a GPU; it has the ten bits of fp16.
"""


class Server(Protocol):
    """What is judged: something that serves a model; `TritonProcess` does."""

    def config(self, model: str) -> dict[str, Any]:
        """Give a model's configuration."""

    def infer(self, model: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
        """Run a model once."""


@dataclass(frozen=True)
class Judgement:
    """How far a served model is from the golden answers.

    Attributes:
        probability_shift: largest over frames, views and batch sizes.
        relative_shift: largest of any output, relative to that output's size: a golden answer of probabilities near 0
            and 1 would hide wrong logits.
    """

    probability_shift: float
    relative_shift: float

    def is_within(self, tolerance: float) -> bool:
        """Say whether it may go live; an answer that is not a number may not."""
        return self.probability_shift <= tolerance and self.relative_shift <= tolerance


def judge(server: Server, model: str, golden: Mapping[str, FloatArray]) -> Judgement:
    """Ask a served model for the golden answers, at batch 1, golden and largest.

    Args:
        server: serves the model.
        model: its name.
        golden: inputs and outputs by tensor name, batch first.

    Returns:
        The largest shifts; NaN when an answer holds one.

    Raises:
        ModelUnavailableError: the server refused.
        ModelContractError: an answer has another shape than the golden one.
    """
    config = server.config(model)
    inputs = [tensor["name"] for tensor in config["input"]]
    outputs = [tensor["name"] for tensor in config["output"]]
    absolute, relative = [0.0], [0.0]
    for batch in sorted({1, len(golden[inputs[0]]), int(config["max_batch_size"])}):
        wanted = {name: tile(golden[name], batch) for name in (*inputs, *outputs)}
        answers = server.infer(model, {name: wanted[name] for name in inputs})
        for name in outputs:
            check_shape(name, answers[name], wanted[name])
            relative.append(relative_shift(name, answers[name], wanted[name]))
        if LOGITS in outputs:
            absolute.append(float(np.abs(_softmax(answers[LOGITS]) - _softmax(wanted[LOGITS])).max()))
    return Judgement(float(np.max(absolute)), float(np.max(relative)))


def check_shape(name: str, answer: FloatArray, golden: FloatArray) -> None:
    """Hold an answer to the golden one's shape.

    Raises:
        ModelContractError: they differ.
    """
    if answer.shape != golden.shape:
        raise ModelContractError(
            found=f"{name} of shape {answer.shape}", expected=f"{golden.shape}", advice="Export the model again."
        )


def relative_shift(name: str, answer: FloatArray, golden: FloatArray) -> float:
    """Measure how far one output is off, relative to its size; of logits only what tells views apart counts."""
    if name == LOGITS:
        answer = answer - answer.mean(axis=-1, keepdims=True)
        golden = golden - golden.mean(axis=-1, keepdims=True)
    return float(np.linalg.norm(answer - golden) / np.linalg.norm(golden))


def tile(array: FloatArray, batch: int) -> FloatArray:
    """Repeat rows, or leave some out, until there are `batch` of them."""
    return array[np.arange(batch) % len(array)]


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)
