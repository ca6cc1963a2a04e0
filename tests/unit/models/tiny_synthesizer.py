"""The smallest graph that keeps the synthesizer's contract: noise on a pattern of the view, at a style's level."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from services.cine.preprocessing import MODEL_SIDE_PX, preprocessing_fingerprint
from services.cine.views import TARGET_VIEWS
from services.models.spec import ECHO_SYNTHESIZER
from training.export.triton_config import write_config

STYLES = ("crisp", "soft", "handheld")
CARD = "# A synthesizer that has learned nothing\n"
SPREAD = 0.6
"""Of the noise; with 0 all images of a view and style are one."""


def make_graph(spread: float = SPREAD, work: int = 1) -> bytes:
    """Build the graph.

    Args:
        spread: of the noise.
        work: convolutions of 32 channels it goes through for nothing but the time they take.
    """
    side, rng = MODEL_SIDE_PX, np.random.default_rng(3)
    coarse = rng.normal(0, 0.5, (len(TARGET_VIEWS) + 1, 1, 7, 7))
    tables = {
        "patterns": np.kron(coarse, np.ones((1, 1, side // 7, side // 7))),
        "levels": np.linspace(-0.3, 0.3, len(STYLES) + 1).reshape(-1, 1, 1, 1),
        "up": rng.normal(0, 0.2, (32, 1, 3, 3)),
        "mix": rng.normal(0, 0.05, (32, 32, 3, 3)),
        "down": rng.normal(0, 0.05, (1, 32, 3, 3)),
        "spread": np.array(spread),
    }
    pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [helper.make_node("Conv", ["noise", "up"], ["wide0"], **pads)]
    for at in range(work):
        nodes += [
            helper.make_node("Conv", [f"wide{at}", "mix"], [f"mixed{at}"], **pads),
            helper.make_node("Tanh", [f"mixed{at}"], [f"wide{at + 1}"]),
        ]
    nodes += [
        helper.make_node("Conv", [f"wide{work}", "down"], ["texture"], **pads),
        helper.make_node("Add", ["texture", "noise"], ["rough"]),
        helper.make_node("Mul", ["rough", "spread"], ["speckle"]),
        helper.make_node("Squeeze", ["view", "axis"], ["views"]),
        helper.make_node("Squeeze", ["style", "axis"], ["styles"]),
        helper.make_node("Gather", ["patterns", "views"], ["pattern"]),
        helper.make_node("Gather", ["levels", "styles"], ["level"]),
        helper.make_node("Sum", ["speckle", "pattern", "level"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["images"]),
    ]
    image = ["batch", 1, side, side]
    graph = helper.make_graph(
        nodes,
        "tiny_synthesizer",
        [
            helper.make_tensor_value_info("noise", TensorProto.FLOAT, image),
            helper.make_tensor_value_info("view", TensorProto.INT64, ["batch", 1]),
            helper.make_tensor_value_info("style", TensorProto.INT64, ["batch", 1]),
        ],
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, image)],
        [numpy_helper.from_array(table.astype(np.float32), name) for name, table in tables.items()]
        + [numpy_helper.from_array(np.array([1], np.int64), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_synthesizer(repository: Path, graph: bytes | None = None, **changed: str) -> Path:
    """Write a tiny synthesizer into a model repository; `changed` parameters break what a test wants broken."""
    folder = repository / ECHO_SYNTHESIZER.name
    (folder / "1").mkdir(parents=True)
    data = make_graph() if graph is None else graph
    (folder / "1" / "model.onnx").write_bytes(data)
    parameters = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "labels": "",
        "styles": ",".join(STYLES),
        "preprocessing": preprocessing_fingerprint(),
        "trained_on": "nothing",
    }
    write_config(ECHO_SYNTHESIZER, parameters | changed, folder)
    (folder / "card.md").write_text(CARD)
    return folder


def sha256_of(repository: Path) -> str:
    """Give the digest of the synthesizer's weights in a model repository."""
    return hashlib.sha256((repository / ECHO_SYNTHESIZER.name / "1" / "model.onnx").read_bytes()).hexdigest()
