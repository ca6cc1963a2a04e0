"""The twin: serves model.onnx through Triton's Python backend, where the onnxruntime backend is not to be had.

Everything else (tensors, batching, queue, warm-up, parameters) is the repository's own configuration.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils  # brought by the server


class TritonPythonModel:
    """What Triton's Python backend calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the served version's weights; the parameter `delay_s` makes the model slow on purpose."""
        config = json.loads(args["model_config"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        folder = Path(args["model_repository"]) / args["model_version"]
        weights = folder / ("model.plan" if (folder / "model.plan").exists() else "model.onnx")
        self.session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [tensor["name"] for tensor in config["output"]]
        self.delay_s = float(config["parameters"].get("delay_s", {"string_value": "0"})["string_value"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run the requests that Triton merged as one batch, and part the answers again."""
        time.sleep(self.delay_s)
        sizes = [pb_utils.get_input_tensor_by_name(r, self.inputs[0]).as_numpy().shape[0] for r in requests]
        feeds = {
            name: np.concatenate([pb_utils.get_input_tensor_by_name(r, name).as_numpy() for r in requests])
            for name in self.inputs
        }  # [b1, ...], [b2, ...] -> [b1 + b2, ...]
        outputs = self.session.run(self.outputs, feeds)
        # [b1 + b2, ...] -> [b1, ...], [b2, ...]
        parts = [np.split(output, np.cumsum(sizes)[:-1]) for output in outputs]
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor(*named) for named in zip(self.outputs, map(np.ascontiguousarray, answer), strict=True)]
            )
            for answer in zip(*parts, strict=True)
        ]
