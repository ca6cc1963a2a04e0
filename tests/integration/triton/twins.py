"""Twins: the repository's own models, run by the one backend that the tests' Triton has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from google.protobuf import text_format

from services.models.repository import load_config
from services.models.spec import VIEW_CLASSIFIER

ROOT = Path(__file__).parents[3]
REPOSITORY = ROOT / "model_repository"
INSTALLED = ROOT / ".cache" / "triton"
MODEL = Path(__file__).parent / "twin" / "model.py"
_SERVER = INSTALLED / "server" / "pytriton" / "tritonserver"


def make_twin(
    repository: Path,
    name: str = "",
    parameters: dict[str, str] | None = None,
    queue_size: int | None = None,
    source: Path = REPOSITORY / VIEW_CLASSIFIER.name,
) -> Path:
    """Copy a model into another repository, to be run by the Python backend; give its folder."""
    name = name or source.name
    twin = repository / name
    shutil.copytree(source, twin)
    for weights in twin.glob("*/model.onnx"):
        shutil.copy(MODEL, weights.parent)
    config = load_config(source)
    config.name, config.backend, config.default_model_filename = name, "python", MODEL.name
    for key, value in (parameters or {}).items():
        config.parameters[key].string_value = value
    if queue_size is not None:
        config.dynamic_batching.default_queue_policy.max_queue_size = queue_size
    for path in (twin / "config.pbtxt", twin / "configs" / "plan.pbtxt"):
        path.write_text(text_format.MessageToString(config))
    return twin


def triton_command(shm_prefix: str) -> list[str]:
    """Spell the installed server; its regions of shared memory get a prefix of their own."""
    return [
        str(_SERVER / "bin" / "tritonserver"),
        f"--backend-directory={_SERVER / 'backends'}",
        f"--backend-config=python,shm-region-prefix-name={shm_prefix}",
        "--disable-auto-complete-config",
    ]


def triton_environment() -> dict[str, str]:
    """Give the environment of the server: its Python backend takes the first `python3` on PATH."""
    path = os.pathsep.join((str(INSTALLED / "stub" / "bin"), os.environ["PATH"]))
    own = {"PATH": path, "LD_LIBRARY_PATH": str(INSTALLED / "lib"), "ORT_DISABLE_TELEMETRY": "1"}
    return {**os.environ, **own}
