"""The smallest graph that keeps the view classifier's contract: pooled pixels times fixed weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from services.cine.preprocessing import preprocessing_fingerprint
from services.models.spec import VIEW_CLASSIFIER
from training.export.triton_config import write_config


def make_graph(input_name: str = "frames") -> bytes:
    """Build the graph: frames [B, 1, 112, 112] -> pooled [B, 1, 16, 8] -> embedding [B, 128] -> logits [B, 5]."""
    features, views = VIEW_CLASSIFIER.outputs[1].shape[0], VIEW_CLASSIFIER.outputs[0].shape[0]
    weights = np.random.default_rng(7).normal(size=(features, views)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", [input_name], ["pooled"], kernel_shape=[7, 14], strides=[7, 14]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["batch", 1, 112, 112])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", views]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", features]),
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_model(repository: Path, graph: bytes, **changed: str) -> Path:
    """Write a model repository with one tiny view classifier; `changed` parameters break what a test wants broken."""
    folder = repository / VIEW_CLASSIFIER.name
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(graph)
    parameters = {
        "sha256": hashlib.sha256(graph).hexdigest(),
        "labels": ",".join(VIEW_CLASSIFIER.labels),
        "preprocessing": preprocessing_fingerprint(),
        "trained_on": "nothing",
        "abstain_below": "0.5",
    }
    write_config(VIEW_CLASSIFIER, parameters | changed, folder)
    return folder
