"""Halved weights give the answers of rounded ones, in a file half as large that tells nothing of its maker."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from services.models.spec import ModelSpec, TensorSpec
from training.export.half_precision import halve_weights, round_to_half
from training.export.onnx import answer_in_torch, check_parity, export_onnx
from training.export.triton_config import onnx_config

SPEC = ModelSpec(
    name="looker",
    inputs=(TensorSpec("noise", (64,), "any"), TensorSpec("view", (1,), "which", datatype="INT64")),
    outputs=(TensorSpec("images", (64,), "products"),),
    labels=(),
    max_batch_size=4,
)


class Looker(nn.Module):
    """A product, and a table that is looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.product = nn.Linear(64, 64)
        self.table = nn.Embedding(5, 64)

    def forward(self, noise: Tensor, view: Tensor) -> tuple[Tensor]:
        return (self.product(noise) + self.table(view[:, 0]),)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Looker, Path]:
    torch.manual_seed(0)
    network = Looker()
    round_to_half(network)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(network, SPEC, path)
    return network, path


def test_rounding_keeps_what_half_precision_can_hold(exported: tuple[Looker, Path]) -> None:
    weight = exported[0].product.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, weight.half().float())


def test_halved_file_answers_as_the_rounded_network(exported: tuple[Looker, Path], tmp_path: Path) -> None:
    network, path = exported
    halved = tmp_path / "model.onnx"
    halved.write_bytes(path.read_bytes())
    halve_weights(halved)
    rng = np.random.default_rng(0)
    inputs = {"noise": rng.normal(size=(3, 64)).astype(np.float32), "view": np.array([[0], [4], [2]])}
    assert check_parity(halved, answer_in_torch(network, SPEC, inputs)) < 1e-5
    assert halved.stat().st_size < path.stat().st_size - 64 * 64 * 2 + 500
    kinds = {tensor.data_type for tensor in onnx.load(halved).graph.initializer if np.prod(tensor.dims) >= 1024}
    assert kinds == {onnx.TensorProto.FLOAT16}


def test_file_holds_no_trace_of_the_makers_folders(exported: tuple[Looker, Path]) -> None:
    data = exported[1].read_bytes()
    assert b".py" not in data
    assert str(Path(__file__).parent).encode() not in data


def test_warm_up_asks_for_an_index_that_exists() -> None:
    warmup = onnx_config(SPEC, {}).model_warmup[0]
    assert warmup.inputs["view"].WhichOneof("input_data_type") == "zero_data"
    assert warmup.inputs["noise"].WhichOneof("input_data_type") == "random_data"
