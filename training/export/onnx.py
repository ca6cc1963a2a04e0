"""Write a network as one ONNX file, and refuse when onnxruntime answers otherwise than torch."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from services.models.onnx_backend import Provider, open_session
from services.models.spec import ModelSpec

OPSET = 18
PARITY_TOLERANCE = 1e-4
"""Largest difference of any output, absolute, between torch and onnxruntime on the golden input."""

_EXAMPLE_BATCH = 2
_TYPES = {"FP32": torch.float32, "INT64": torch.int64}


class ParityError(RuntimeError):
    """The exported model does not answer as the trained one does; the message names by how much."""


@dataclass(frozen=True)
class Golden:
    """An input and the answers of the trained network to it, kept beside the weights.

    Attributes:
        inputs: by tensor name, batch first.
        outputs: by tensor name, as torch gave them.
    """

    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, NDArray[Any]]

    def save(self, path: Path) -> None:
        """Write both to one npz file."""
        np.savez_compressed(path, **self.inputs, **self.outputs)  # type: ignore[arg-type]


def answer_in_torch(network: nn.Module, spec: ModelSpec, inputs: dict[str, NDArray[Any]]) -> Golden:
    """Ask the trained network, in float32 on the CPU."""
    network.eval()
    with torch.no_grad():
        outputs = network(*(torch.from_numpy(inputs[tensor.name]) for tensor in spec.inputs))
    named = zip(spec.outputs, outputs, strict=True)
    return Golden(inputs, {tensor.name: output.numpy() for tensor, output in named})


def export_onnx(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write one file with named tensors and a dynamic batch axis.

    Args:
        network: takes and gives the tensors of the spec, in order.
        spec: names and shapes.
        path: of the file.
    """
    examples = tuple(
        torch.zeros(_EXAMPLE_BATCH, *tensor.shape, dtype=_TYPES[tensor.datatype]) for tensor in spec.inputs
    )
    batch = torch.export.Dim("batch", min=1, max=spec.max_batch_size)
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):  # its progress goes to stdout, for answers
        warnings.filterwarnings("ignore", "# The axis name: batch will not be used")  # all inputs share the one axis
        program = torch.onnx.export(
            network.eval(),
            examples,
            input_names=[tensor.name for tensor in spec.inputs],
            output_names=[tensor.name for tensor in spec.outputs],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in spec.inputs),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx exported nothing; expected a program")
    model = program.model_proto
    forget_source(model)
    onnx.save(model, path)


def forget_source(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes of the source: stack traces with the maker's folders, larger than the rest."""
    graph = model.graph
    del graph.value_info[:]
    parts: list[Any] = [model, graph, *graph.node, *graph.input, *graph.output]
    for part in parts:
        part.doc_string = ""
        del part.metadata_props[:]


def check_parity(path: Path, golden: Golden, tolerance: float = PARITY_TOLERANCE) -> float:
    """Ask onnxruntime the same as torch, in one batch and one by one.

    Returns:
        The largest absolute difference.

    Raises:
        ParityError: it is over the tolerance, or not a number.
    """
    session = open_session(path, Provider.CPU, 1)
    names = list(golden.outputs)
    count = len(next(iter(golden.inputs.values())))
    worst = 0.0
    for rows in (slice(0, count), *(slice(row, row + 1) for row in range(count))):
        found = session.run(names, {name: values[rows] for name, values in golden.inputs.items()})
        for name, values in zip(names, found, strict=True):
            worst = float(np.maximum(worst, np.abs(values - golden.outputs[name][rows]).max()))
    if not worst <= tolerance:
        raise ParityError(
            f"Found answers of onnxruntime {worst:.2e} away from torch's; expected at most {tolerance:.0e}. "
            "Nothing was exported: look for an operator that the exporter translates otherwise."
        )
    return worst
