"""Write what Triton must know about a model, so that nobody writes tensor names twice.

`config.pbtxt` serves model.onnx on any machine. The two variants in `configs/` need an NVIDIA GPU and are chosen when
the server starts: `tritonserver --model-config-name=tensorrt_accelerator`, or `=plan` once `training.export.tensorrt`
has built, checked and published a plan.

Reference:
    Triton user guide: model configuration (dynamic batching, queue policy, warm-up, custom model configuration).
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import (
    DataType,
    ModelConfig,
    ModelDynamicBatching,
    ModelInput,
    ModelInstanceGroup,
    ModelOptimizationPolicy,
    ModelOutput,
    ModelParameter,
    ModelQueuePolicy,
    ModelVersionPolicy,
    ModelWarmup,
)

from services.models.spec import ModelSpec, TensorSpec
from training.export.tensorrt import WORKSPACE_BYTES, profile, shapes_argument

QUEUE_SIZE = 64
"""Requests that may wait; one more is refused at once, so that callers hear of it while they can still do something."""

QUEUE_TIMEOUT_US = 10_000_000
"""Longest wait in the queue; a request may ask for less, never for more."""

QUEUE_DELAY_US = 500
"""Longest wait for other requests to merge with: about what a request over loopback costs anyway."""

ENGINE_CACHE = "/var/cache/triton"
"""Where the accelerator keeps engines and timings in the container; without a volume each start builds them anew."""

_LABELS = "labels.txt"


def write_config(spec: ModelSpec, parameters: dict[str, str], folder: Path) -> None:
    """Write config.pbtxt, labels.txt and the variants in configs/.

    Args:
        spec: the model's tensors and labels.
        parameters: what a client must know about the weights: sha256, preprocessing, trained_on, abstain_below.
        folder: of the model, in the model repository.
    """
    onnx = onnx_config(spec, parameters)
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    (folder / _LABELS).write_text("".join(f"{label}\n" for label in spec.labels))
    _write(onnx, folder / "config.pbtxt", "Serves model.onnx with Triton's onnxruntime backend, on GPU or CPU.")
    _write(
        accelerator_config(onnx, spec),
        folder / "configs" / "tensorrt_accelerator.pbtxt",
        "Serves model.onnx, compiled by TensorRT inside onnxruntime: --model-config-name=tensorrt_accelerator.",
    )
    _write(
        plan_config(onnx),
        folder / "configs" / "plan.pbtxt",
        "Serves a model.plan that deploy/tensorrt/build.sh built on this GPU: --model-config-name=plan.",
    )


def onnx_config(spec: ModelSpec, parameters: dict[str, str]) -> ModelConfig:
    """Describe a model to Triton's onnxruntime backend; arguments as `write_config`.

    A request holds all frames of a cine, and batching merges whole requests, up to the spec's largest batch.
    """
    largest = spec.max_batch_size
    config = ModelConfig(
        name=spec.name,
        backend="onnxruntime",
        default_model_filename="model.onnx",
        max_batch_size=largest,
        version_policy=ModelVersionPolicy(latest=ModelVersionPolicy.Latest(num_versions=1)),
        input=[ModelInput(name=t.name, data_type=_datatype(t), dims=t.shape) for t in spec.inputs],
        output=[ModelOutput(name=t.name, data_type=_datatype(t), dims=t.shape) for t in spec.outputs],
        instance_group=[ModelInstanceGroup(count=1, kind=ModelInstanceGroup.KIND_AUTO)],
        dynamic_batching=ModelDynamicBatching(
            preferred_batch_size=[size for size in (largest // 4, largest // 2, largest) if size],
            max_queue_delay_microseconds=QUEUE_DELAY_US,
            default_queue_policy=ModelQueuePolicy(
                timeout_action=ModelQueuePolicy.REJECT,
                default_timeout_microseconds=QUEUE_TIMEOUT_US,
                allow_timeout_override=True,
                max_queue_size=QUEUE_SIZE,
            ),
        ),
        model_warmup=[_warmup("one_frame", 1, spec), _warmup("largest_batch", largest, spec)],
        parameters={key: ModelParameter(string_value=value) for key, value in parameters.items()},
    )
    if spec.labels:
        config.output[0].label_filename = _LABELS
    return config


def accelerator_config(onnx: ModelConfig, spec: ModelSpec) -> ModelConfig:
    """Derive the variant that lets onnxruntime compile the graph with TensorRT."""
    config = _on_gpu(onnx)
    tensors = {tensor.name: tensor.shape for tensor in spec.inputs}
    accelerator = ModelOptimizationPolicy.ExecutionAccelerators.Accelerator(
        name="tensorrt",
        parameters={
            "precision_mode": "FP16",
            "max_workspace_size_bytes": str(WORKSPACE_BYTES),
            "trt_engine_cache_enable": "true",
            "trt_engine_cache_path": f"{ENGINE_CACHE}/engines",
            "trt_timing_cache_enable": "true",
            "trt_timing_cache_path": f"{ENGINE_CACHE}/timings",
            **{
                f"trt_profile_{bound}_shapes": shapes_argument(tensors, batch)
                for bound, batch in profile(spec.max_batch_size).items()
            },
        },
    )
    config.optimization.execution_accelerators.gpu_execution_accelerator.append(accelerator)
    return config


def plan_config(onnx: ModelConfig) -> ModelConfig:
    """Derive the variant that serves a TensorRT plan."""
    config = _on_gpu(onnx)
    config.ClearField("backend")
    config.platform = "tensorrt_plan"
    config.default_model_filename = "model.plan"
    return config


def _on_gpu(onnx: ModelConfig) -> ModelConfig:
    config = ModelConfig()
    config.CopyFrom(onnx)
    config.instance_group[0].kind = ModelInstanceGroup.KIND_GPU
    return config


def _warmup(name: str, batch_size: int, spec: ModelSpec) -> ModelWarmup:
    """Run random frames through every instance before it counts as ready, so that no caller pays for the first call.

    What is an index is 0: random ones would lie outside every table.
    """
    inputs = {
        t.name: ModelWarmup.Input(
            data_type=_datatype(t), dims=t.shape, **{"zero_data" if t.datatype == "INT64" else "random_data": True}
        )
        for t in spec.inputs
    }
    return ModelWarmup(name=name, batch_size=batch_size, count=1, inputs=inputs)


def _datatype(tensor: TensorSpec) -> int:
    return int(DataType.Value(f"TYPE_{tensor.datatype}"))


def _write(config: ModelConfig, path: Path, header: str) -> None:
    text = text_format.MessageToString(config, use_short_repeated_primitives=True)
    path.write_text(f"# {header} Written by training.export.triton_config.\n{text}")
