from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.cine.cine import FloatArray
from services.cine.errors import ConfigError, ModelContractError, ModelTimeoutError, ModelUnavailableError
from services.models.onnx_backend import OnnxBackend, Provider
from services.models.spec import VIEW_CLASSIFIER
from services.models.view_classifier import predict_view
from tests.unit.models.tiny_model import make_graph, write_model


def frames(count: int = 3) -> FloatArray:
    return np.random.default_rng(1).uniform(-1, 1, (count, 1, 112, 112)).astype(np.float32)


async def test_answer_is_what_the_graph_says(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph())
    backend = OnnxBackend(tmp_path, VIEW_CLASSIFIER)
    outputs = await backend.infer({"frames": frames()}, timeout_s=5)
    pooled = frames().reshape(3, 16, 7, 8, 14).mean(axis=(2, 4))  # [B, 112, 112] -> [B, 16, 8]
    np.testing.assert_allclose(outputs["embedding"], pooled.reshape(3, 128), atol=1e-6)
    assert outputs["logits"].shape == (3, 5)
    assert await backend.is_ready()
    await backend.close()


async def test_frames_of_one_cine_are_combined_into_probabilities(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph())
    backend = OnnxBackend(tmp_path, VIEW_CLASSIFIER)
    answer = await predict_view(backend, frames(), timeout_s=5)
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert answer.frame_probabilities.shape == (3, 5)
    await backend.close()


def test_identity_is_read_from_the_configuration(tmp_path: Path) -> None:
    folder = write_model(tmp_path, make_graph(), abstain_below="0.7")
    shutil.copytree(folder / "1", folder / "12")
    (folder / "retired-13").mkdir()
    identity = OnnxBackend(tmp_path, VIEW_CLASSIFIER).identity
    assert (identity.version, identity.backend, identity.trained_on) == ("12", "onnxruntime", "nothing")
    assert identity.abstain_below == 0.7


@pytest.mark.parametrize("provider", [Provider.CUDA, Provider.TENSORRT])
def test_provider_that_is_not_there_stops_the_start(tmp_path: Path, provider: Provider) -> None:
    write_model(tmp_path, make_graph())
    with pytest.raises(ConfigError, match=provider.value):
        OnnxBackend(tmp_path, VIEW_CLASSIFIER, provider)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"sha256": "0" * 64}, "weights with sha256"), ({"preprocessing": "of another version"}, "of another version")],
)
def test_weights_that_are_not_the_configured_ones_are_refused(
    tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    write_model(tmp_path, make_graph(), **changed)
    with pytest.raises(ModelContractError, match=message):
        OnnxBackend(tmp_path, VIEW_CLASSIFIER)


def test_configuration_with_other_tensors_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph())
    other = dataclasses.replace(VIEW_CLASSIFIER, inputs=VIEW_CLASSIFIER.outputs)
    with pytest.raises(ModelContractError, match="input tensors"):
        OnnxBackend(tmp_path, other)


def test_graph_with_other_tensors_than_its_configuration_claims_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph(input_name="pictures"))
    with pytest.raises(ModelContractError, match="pictures"):
        OnnxBackend(tmp_path, VIEW_CLASSIFIER)


def test_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, b"not a graph")
    with pytest.raises(ModelContractError, match="does not open"):
        OnnxBackend(tmp_path, VIEW_CLASSIFIER)


@pytest.mark.parametrize("missing", ["1/model.onnx", "config.pbtxt"])
def test_missing_weights_or_configuration_are_named(tmp_path: Path, missing: str) -> None:
    path = write_model(tmp_path, make_graph()) / missing
    path.unlink()
    with pytest.raises(ModelUnavailableError, match=path.name):
        OnnxBackend(tmp_path, VIEW_CLASSIFIER)


@pytest.mark.parametrize("text", ["input_tensor { }", "name: view_classifier", 'backend: "onnxruntime"'])
def test_configuration_that_is_not_tritons_is_refused(tmp_path: Path, text: str) -> None:
    (write_model(tmp_path, make_graph()) / "config.pbtxt").write_text(text)
    with pytest.raises(ModelContractError):
        OnnxBackend(tmp_path, VIEW_CLASSIFIER)


def test_onnxruntime_reports_nothing_to_its_maker(tmp_path: Path) -> None:
    write_model(tmp_path / "repository", make_graph())
    script = (
        "from pathlib import Path; from services.models.onnx_backend import OnnxBackend;"
        "from services.models.spec import VIEW_CLASSIFIER; OnnxBackend(Path('repository'), VIEW_CLASSIFIER)"
    )
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-c", script], env={"HOME": str(home)}, cwd=tmp_path, check=True)
    assert not list(home.iterdir())


async def test_late_answer_is_a_timeout(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph())
    backend = OnnxBackend(tmp_path, VIEW_CLASSIFIER)
    with pytest.raises(ModelTimeoutError):
        await backend.infer({"frames": frames()}, timeout_s=0)
    await backend.close()


async def test_input_of_another_shape_is_a_broken_contract(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph())
    backend = OnnxBackend(tmp_path, VIEW_CLASSIFIER)
    with pytest.raises(ModelContractError, match="refuses its own input"):
        await backend.infer({"frames": frames()[:, :, :50]}, timeout_s=5)
    await backend.close()


def test_labels_in_another_order_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph(), labels="OTHER,PSAX,PLAX,A4C,A2C")
    with pytest.raises(ModelContractError, match="OTHER,PSAX,PLAX,A4C,A2C"):
        OnnxBackend(tmp_path, VIEW_CLASSIFIER)


@pytest.mark.parametrize(("found", "wanted"), [("max_batch_size: 64", "max_batch_size: 4"), ("TYPE_FP32", "TYPE_FP16")])
def test_another_batch_size_or_number_format_is_refused(tmp_path: Path, found: str, wanted: str) -> None:
    path = write_model(tmp_path, make_graph()) / "config.pbtxt"
    path.write_text(path.read_text().replace(found, wanted))
    with pytest.raises(ModelContractError):
        OnnxBackend(tmp_path, VIEW_CLASSIFIER)


@pytest.mark.parametrize("logits", [np.full((3, 5), np.nan), np.zeros((3, 4)), np.zeros((2, 5))])
async def test_an_answer_that_is_no_number_or_of_another_shape_is_a_broken_contract(
    tmp_path: Path, logits: FloatArray
) -> None:
    write_model(tmp_path, make_graph())
    backend = OnnxBackend(tmp_path, VIEW_CLASSIFIER)

    class Broken:
        identity = backend.identity

        async def infer(self, inputs: object, timeout_s: float) -> dict[str, FloatArray]:
            return {"logits": logits}

    with pytest.raises(ModelContractError, match="not all of them numbers"):
        await predict_view(Broken(), frames(), timeout_s=5)  # type: ignore[arg-type]
    await backend.close()
