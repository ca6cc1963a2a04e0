"""What a frame costs the view classifier on one core, beside ResNet18: `python -m tests.bench.classifier`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torchvision.models import resnet18

from services.cine.preprocessing import MODEL_SIDE_PX

MODEL = Path("model_repository/view_classifier/1/model.onnx")
FRAMES = 8  # of one cine, as they are served
ROUNDS = 25
WANTED_MS = 2.0
MOST_OF_RESNET = 0.25
"""What a frame may cost beside ResNet18 in PyTorch, the same frames on one thread in the same run."""


def main() -> int:
    """Print CPU time a frame and its share of the baseline's; 0 if that is no more than it may be."""
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
    frames = np.random.default_rng(0).uniform(-1, 1, (FRAMES, 1, MODEL_SIDE_PX, MODEL_SIDE_PX)).astype(np.float32)
    network = resnet18(weights=None).eval()
    pictures = torch.from_numpy(frames).expand(-1, 3, -1, -1)

    def ours() -> object:
        return session.run(None, {session.get_inputs()[0].name: frames})

    @torch.inference_mode()
    def baseline() -> object:
        return network(pictures)

    pairs = np.array([(_cpu_ms(ours), _cpu_ms(baseline)) for _ in range(ROUNDS)]) / FRAMES
    ours_ms, baseline_ms = np.median(pairs, axis=0)
    share = float(np.median(pairs[:, 0] / pairs[:, 1]))
    print(f"view classifier: {ours_ms:.2f} CPU ms a frame of {FRAMES} on one thread ({WANTED_MS:.0f} asked for)")
    print(f"{share:.2f} of ResNet18 in PyTorch ({baseline_ms:.2f} ms, same frames and run; at most {MOST_OF_RESNET})")
    return int(share > MOST_OF_RESNET)


def _cpu_ms(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


if __name__ == "__main__":
    raise SystemExit(main())
