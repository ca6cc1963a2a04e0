from __future__ import annotations

from pathlib import Path

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from services.models.repository import parse_config
from services.models.spec import VIEW_CLASSIFIER
from training.export.triton_config import write_config

REPOSITORY = Path(__file__).parents[4] / "model_repository"
SPECS = {spec.name: spec for spec in (VIEW_CLASSIFIER,)}
FILES = ("config.pbtxt", "labels.txt", "configs/tensorrt_accelerator.pbtxt", "configs/plan.pbtxt")
VARIANTS = [name for name in FILES if name.endswith(".pbtxt")]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_config(VIEW_CLASSIFIER, {"sha256": "abc", "preprocessing": "def"}, tmp_path)
    return tmp_path


def parse(path: Path) -> ModelConfig:
    """Parse against Triton's own schema: unknown fields, types and enumerated values are refused."""
    return parse_config(path.read_text())


def tensors(config: ModelConfig) -> list[tuple[str, str, tuple[int, ...]]]:
    types = type(config.input[0]).DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number
    return [(t.name, types[t.data_type].name, tuple(t.dims)) for t in (*config.input, *config.output)]


@pytest.mark.parametrize("name", sorted(SPECS))
@pytest.mark.parametrize("file", FILES)
def test_committed_file_is_what_the_spec_gives_today(name: str, file: str, tmp_path: Path) -> None:
    folder = REPOSITORY / name
    parameters = {key: value.string_value for key, value in parse(folder / "config.pbtxt").parameters.items()}
    write_config(SPECS[name], parameters, tmp_path)
    assert (folder / file).read_text() == (tmp_path / file).read_text()


def test_every_model_of_the_repository_has_a_spec() -> None:
    assert {path.parent.name for path in REPOSITORY.glob("*/config.pbtxt")} == set(SPECS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_has_the_tensors_of_the_spec(written: Path, variant: str) -> None:
    config = parse(written / variant)
    expected = [
        (tensor.name, f"TYPE_{tensor.datatype}", tensor.shape)
        for tensor in (*VIEW_CLASSIFIER.inputs, *VIEW_CLASSIFIER.outputs)
    ]
    assert tensors(config) == expected
    assert (config.name, config.max_batch_size) == (VIEW_CLASSIFIER.name, VIEW_CLASSIFIER.max_batch_size)
    assert {key: value.string_value for key, value in config.parameters.items()} == {
        "sha256": "abc",
        "preprocessing": "def",
    }


def test_labels_are_in_the_order_of_the_first_output(written: Path) -> None:
    config = parse(written / "config.pbtxt")
    assert (written / config.output[0].label_filename).read_text().split() == list(VIEW_CLASSIFIER.labels)


def test_queue_is_bounded_and_its_timeout_can_only_shrink(written: Path) -> None:
    policy = parse(written / "config.pbtxt").dynamic_batching.default_queue_policy
    assert policy.max_queue_size > 0
    assert policy.default_timeout_microseconds > 0
    assert policy.allow_timeout_override
    assert policy.timeout_action == type(policy).REJECT


def test_batching_prefers_sizes_that_the_model_takes(written: Path) -> None:
    config = parse(written / "config.pbtxt")
    sizes = config.dynamic_batching.preferred_batch_size
    assert sizes
    assert all(0 < size <= config.max_batch_size for size in sizes)


def test_smallest_and_largest_batch_are_warmed_up(written: Path) -> None:
    config = parse(written / "config.pbtxt")
    assert [warmup.batch_size for warmup in config.model_warmup] == [1, VIEW_CLASSIFIER.max_batch_size]
    for warmup in config.model_warmup:
        assert {name: tuple(each.dims) for name, each in warmup.inputs.items()} == {
            tensor.name: tensor.shape for tensor in VIEW_CLASSIFIER.inputs
        }


def test_variants_differ_only_in_who_runs_the_weights(written: Path) -> None:
    onnx, accelerated, plan = (parse(written / variant) for variant in VARIANTS)
    assert (onnx.backend, onnx.default_model_filename) == ("onnxruntime", "model.onnx")
    assert (plan.backend, plan.platform, plan.default_model_filename) == ("", "tensorrt_plan", "model.plan")
    accelerator = accelerated.optimization.execution_accelerators.gpu_execution_accelerator[0]
    assert accelerator.name == "tensorrt"
    assert accelerator.parameters["trt_profile_opt_shapes"] == "frames:8x1x112x112"
    for variant in (accelerated, plan):
        assert variant.instance_group[0].kind == ModelInstanceGroup.KIND_GPU
        variant.instance_group[0].kind = ModelInstanceGroup.KIND_AUTO
        variant.ClearField("optimization")
        variant.backend, variant.platform, variant.default_model_filename = onnx.backend, "", "model.onnx"
        assert variant == onnx
