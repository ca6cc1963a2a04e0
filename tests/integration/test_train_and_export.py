"""Train in seconds, export, and serve the result: the smoke preset through every step, and with few libraries."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.cine.errors import ConfigError
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER
from services.models.view_classifier import combine
from training.classifier.config import load_preset
from training.classifier.export import export_classifier
from training.classifier.recipe import train_classifier
from training.classifier.simulation import families
from training.configuration import to_plain

ROOT = Path(__file__).parents[2]

BARE_MACHINE = """
import sys
for name in ("rich", "typer", "safetensors", "onnx", "onnxruntime", "onnxscript", "pydicom", "av", "grpc",
             "google.protobuf", "tritonclient", "pydantic", "PIL", "torchvision"):
    sys.modules[name] = None
import runpy
runpy.run_module("training.classifier", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished smoke run in `run/`, exported to `repository/`, and its rendered frames beside it."""
    folder = tmp_path_factory.mktemp("training")
    train_classifier(load_preset("smoke"), folder / "run", folder / "frames")
    export_classifier(folder / "run", folder / "repository")
    return folder


def test_exported_smoke_model_is_served_and_answers_the_golden_frames(run: Path) -> None:
    folder = run / "repository" / VIEW_CLASSIFIER.name
    backend = OnnxBackend(run / "repository", VIEW_CLASSIFIER)
    with np.load(folder / "1" / "golden.npz") as golden:
        outputs = backend.run({"frames": golden["frames"]})
        assert np.abs(outputs["logits"] - golden["logits"]).max() <= 1e-4
        assert np.abs(outputs["embedding"] - golden["embedding"]).max() <= 1e-4
    prediction = combine(outputs["logits"], backend.identity.abstain_below)
    assert prediction.probabilities.sum() == pytest.approx(1.0, abs=1e-5)
    assert backend.identity.trained_on == "simulated"
    assert (folder / "1" / "model.onnx").stat().st_size < 12_000_000


def test_card_names_data_numbers_limits_and_digest(run: Path) -> None:
    card = (run / "repository" / VIEW_CLASSIFIER.name / "card.md").read_text()
    for words in ("simulated data only", "Not a medical device", "balanced accuracy", "sha256", "OTHER", "Limits"):
        assert words in card
    assert all(family in card for family in families())


def test_finished_run_is_not_trained_again_and_another_configuration_is_refused(run: Path) -> None:
    before = (run / "run" / "weights.safetensors").read_bytes()
    again = train_classifier(load_preset("smoke"), run / "run", run / "frames")
    assert (run / "run" / "weights.safetensors").read_bytes() == before
    assert tuple(again.report["families"]) == tuple(families())
    with pytest.raises(ConfigError, match="another configuration"):
        train_classifier(load_preset("cpu"), run / "run", run / "frames")


def test_training_needs_only_torch_numpy_and_opencv(run: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(to_plain(load_preset("smoke"))))
    arguments = [sys.executable, "-c", BARE_MACHINE, str(config), str(tmp_path / "run"), str(run / "frames")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    weights = [folder / "run" / "weights.safetensors" for folder in (run, tmp_path)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
