"""From a finished training run to a folder that both backends serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from services.cine.cine import FloatArray
from services.cine.preprocessing import MODEL_SIDE_PX, to_tensor
from services.cine.views import ANSWERED_VIEWS
from services.models.spec import VIEW_CLASSIFIER
from training.classifier.card import write_classifier_card
from training.classifier.config import ClassifierConfig
from training.classifier.dataset import render
from training.classifier.networks import CalibratedNetwork, ViewNetwork, count_multiply_adds, count_parameters
from training.classifier.simulation import CineOrder, random_style
from training.configuration import build_config
from training.export.onnx import answer_in_torch
from training.export.repository_writer import Export, write_model
from training.loop import WEIGHTS_FILE
from training.run_folder import read_checkpoint
from training.tensor_file import read_tensors

LEFT_OUT_FILE = "families.md"
"""What `echoplane evaluate families` writes into the folder of a run, for the card."""

_GOLDEN_SUBJECT = 7
_GOLDEN_TIMES_MS = (0.0, 350.0)
_GOLDEN_SIZE_PX = 224


def export_classifier(checkpoint_folder: Path, repository: Path) -> Path:
    """Export a trained view classifier, held to torch's answers on the golden frames.

    Args:
        checkpoint_folder: what `train classifier` wrote.
        repository: the model repository.

    Returns:
        The model's folder.

    Raises:
        ConfigError: the folder holds no finished run, or one for another preprocessing.
        ParityError: onnxruntime answers otherwise than torch; nothing was written.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    left_out = checkpoint_folder / LEFT_OUT_FILE
    checkpoint["left_out"] = left_out.read_text() if left_out.exists() else ""
    calibration = checkpoint["calibration"]
    network = CalibratedNetwork(load_network(checkpoint, checkpoint_folder), calibration["temperature"]).eval()
    weights_bytes = sum(weight.numel() * weight.element_size() for weight in network.parameters())
    facts = {
        "parameters": count_parameters(network),
        "multiply_adds": count_multiply_adds(network, MODEL_SIDE_PX),
        "bytes": weights_bytes,
    }
    parameters = {
        "trained_on": checkpoint["trained_on"],
        "abstain_below": f"{calibration['abstain_below']:.4f}",
        "wrong_share": f"{calibration['wrong_share']:.4f}",
        "answered": f"{calibration['answered']:.4f}",
        "temperature": f"{calibration['temperature']:.6f}",
        "recipe": checkpoint["config"]["recipe"],
        "commit": checkpoint["commit"],
    }
    export = Export(
        spec=VIEW_CLASSIFIER,
        network=network,
        golden=answer_in_torch(network, VIEW_CLASSIFIER, {VIEW_CLASSIFIER.inputs[0].name: make_golden_frames()}),
        parameters=parameters,
        card=lambda sha256, parity: write_classifier_card(checkpoint, facts, sha256, parity),
    )
    return write_model(export, repository)


def load_network(checkpoint: dict[str, Any], folder: Path) -> ViewNetwork:
    """Rebuild the network of a run and put its averaged weights in."""
    network = ViewNetwork(build_config(checkpoint["config"], ClassifierConfig).network)
    network.load_state_dict(read_tensors(folder / WEIGHTS_FILE)[0])
    return network.eval()


def make_golden_frames() -> FloatArray:
    """Simulate and preprocess two frames of each view and of none, of a subject in no split, [10, 1, 112, 112]."""
    orders = [
        CineOrder(_GOLDEN_SUBJECT, view, random_style(()), _GOLDEN_SIZE_PX, _GOLDEN_TIMES_MS) for view in ANSWERED_VIEWS
    ]
    return np.ascontiguousarray(to_tensor(render(orders).frames))
