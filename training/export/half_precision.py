"""Keep a model's weights in half precision: half the file, the same arithmetic, as each is cast back when loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

_SMALLEST = 1024
"""Numbers of a tensor from which halving it is worth a node of its own."""


def round_to_half(network: nn.Module) -> None:
    """Round a network's weights, in place, to what half precision can hold, so that its file loses nothing more."""
    for weight in network.parameters():
        weight.data = weight.data.half().float()


def halve_weights(path: Path) -> None:
    """Rewrite an ONNX file so that its large float32 weights are float16 with a cast behind each.

    Args:
        path: of the file; weights that half precision cannot hold would change its answers, which parity would tell.
    """
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _SMALLEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)
