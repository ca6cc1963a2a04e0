"""The model repository on disk, in Triton's own layout, so that both backends serve the same files.

model_repository/<model>/config.pbtxt   tensors and, as `parameters`, everything a client must know about the weights
                        /labels.txt     one label a line, in output order
                        /1/model.onnx   the highest number is served
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from services.cine.errors import ModelContractError, ModelError, ModelUnavailableError
from services.cine.preprocessing import preprocessing_fingerprint
from services.models.spec import ECHO_SYNTHESIZER, ModelSpec, TensorSpec


@dataclass(frozen=True)
class ModelIdentity:
    """Which weights answer, and what is known about them.

    Attributes:
        name, version: as Triton names them.
        sha256: of the ONNX file, hexadecimal.
        backend: "onnxruntime" or "triton".
        trained_on: the data behind the weights, for example "simulated".
        abstain_below: cine confidence under which no view is named; 0 for a model that names none.
        styles: source styles that a synthesizer can be asked for, in the order of its input.
    """

    name: str
    version: str
    sha256: str
    backend: str
    trained_on: str
    abstain_below: float
    styles: tuple[str, ...] = ()


def load_config(folder: Path) -> ModelConfig:
    """Parse a model's `config.pbtxt` against Triton's own schema.

    Raises:
        ModelUnavailableError: there is none.
        ModelContractError: it does not parse.
    """
    try:
        return parse_config((folder / "config.pbtxt").read_text())
    except FileNotFoundError as error:
        raise ModelUnavailableError(
            found=f"no {folder.name}/config.pbtxt in the model repository {folder.parent}",
            expected="an exported model",
            advice="Name it (--model-repository, ECHOPLANE_GATEWAY_MODEL_REPOSITORY) or run `echoplane export`.",
        ) from error


def parse_config(text: str) -> ModelConfig:
    """Parse the text of a `config.pbtxt`.

    Raises:
        ModelContractError: it does not parse.
    """
    try:
        return text_format.Parse(text, ModelConfig())
    except text_format.ParseError as error:
        raise _broken(f"a config.pbtxt that does not parse: {error}") from error


def find_weights(folder: Path) -> Path:
    """Give the ONNX file of the highest version.

    Raises:
        ModelUnavailableError: there is none.
    """
    files = [path for path in folder.glob("*/model.onnx") if path.parent.name.isdigit()]
    if not files:
        raise ModelUnavailableError(
            found=f"no {folder.name}/<number>/model.onnx in the model repository {folder.parent}",
            expected="exported weights",
            advice="Name it (--model-repository, ECHOPLANE_GATEWAY_MODEL_REPOSITORY) or run `echoplane export`.",
        )
    return max(files, key=lambda path: int(path.parent.name))


def identify(config: ModelConfig, spec: ModelSpec, version: str, backend: str) -> ModelIdentity:
    """Hold a model's configuration to its spec and read who it is.

    Args:
        config: from disk or from a running Triton.
        spec: what this code was built for.
        version: the served version.
        backend: who runs it.

    Raises:
        ModelContractError: its tensors, batch size, labels or preprocessing are not this code's.
    """
    _check_tensors("input", config.input, spec.inputs)
    _check_tensors("output", config.output, spec.outputs)
    if config.max_batch_size < spec.max_batch_size:
        raise _broken(f"batches of at most {config.max_batch_size} where {spec.max_batch_size} belong")
    if (labels := _parameter(config, "labels")) != ",".join(spec.labels):
        raise _broken(f"the labels {labels} where {','.join(spec.labels)} belong")
    fingerprint = _parameter(config, "preprocessing")
    if fingerprint != preprocessing_fingerprint():
        raise _broken(f"weights for preprocessing {fingerprint}, while this service does {preprocessing_fingerprint()}")
    return ModelIdentity(
        name=config.name,
        version=version,
        sha256=_parameter(config, "sha256"),
        backend=backend,
        trained_on=_parameter(config, "trained_on"),
        abstain_below=float(_parameter(config, "abstain_below")) if spec.labels else 0.0,
        styles=tuple(filter(None, _parameter(config, "styles").split(","))) if spec is ECHO_SYNTHESIZER else (),
    )


def check_weights(path: Path, identity: ModelIdentity) -> None:
    """Hold the ONNX file to the digest that its configuration names.

    Raises:
        ModelContractError: they differ.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != identity.sha256:
        raise _broken(f"weights with sha256 {digest[:12]} where config.pbtxt names {identity.sha256[:12]}")


def read_card(folder: Path, sha256: str) -> str:
    """Give the model card of weights, in Markdown; empty where the folder has none, or that of other weights.

    Args:
        folder: of the model, in a model repository; with Triton a copy of what it serves, or nothing.
        sha256: of the weights, hexadecimal.
    """
    try:
        is_theirs = load_config(folder).parameters["sha256"].string_value == sha256
        return (folder / "card.md").read_text() if is_theirs else ""
    except (ModelError, OSError):
        return ""


def _check_tensors(kind: str, tensors: Iterable[Any], wanted: tuple[TensorSpec, ...]) -> None:
    found = [(t.name, tuple(t.dims), DataType.Name(t.data_type).removeprefix("TYPE_")) for t in tensors]
    expected = [(tensor.name, tensor.shape, tensor.datatype) for tensor in wanted]
    if found != expected:
        raise _broken(f"{kind} tensors {found} where {expected} belong")


def _parameter(config: ModelConfig, key: str) -> str:
    if key not in config.parameters:
        raise _broken(f"a config.pbtxt without the parameter {key}")
    return str(config.parameters[key].string_value)


def _broken(found: str) -> ModelContractError:
    return ModelContractError(
        found=found,
        expected="a model that was exported for this version",
        advice="Export the model again with this version (`echoplane export`).",
    )
