"""The embedded backend: onnxruntime in this process. A provider that was asked for and is not there is an error."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from services.cine.errors import ConfigError, ModelContractError, ModelTimeoutError
from services.models.priority import give_way
from services.models.repository import check_weights, find_weights, identify, load_config
from services.models.spec import ModelSpec

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # since 1.29 it reports its use to its maker; read once, at import
import onnxruntime


class Provider(StrEnum):
    """Where onnxruntime computes."""

    CPU = "CPUExecutionProvider"
    CUDA = "CUDAExecutionProvider"
    TENSORRT = "TensorrtExecutionProvider"


class OnnxBackend:
    """Runs a model of the repository in this process.

    Args:
        repository: the model repository's folder.
        spec: which model, and what it must look like.
        provider: where to compute.
        threads: of one call.
        workers: calls that run at the same time.
        is_background: whether its threads give way to every other thread of the machine.

    Raises:
        ConfigError: the provider is not there.
        ModelUnavailableError: the model is not in the repository.
        ModelContractError: it is not the model this code was built for.
    """

    def __init__(
        self,
        repository: Path,
        spec: ModelSpec,
        provider: Provider = Provider.CPU,
        threads: int = 1,
        workers: int = 1,
        is_background: bool = False,
    ) -> None:
        folder = repository / spec.name
        weights = find_weights(folder)
        self.spec = spec
        self.identity = identify(load_config(folder), spec, weights.parent.name, "onnxruntime")
        check_weights(weights, self.identity)
        self._pool = ThreadPoolExecutor(
            workers, thread_name_prefix="onnx", initializer=give_way if is_background else None
        )
        try:  # opened in the pool, because the session's own threads inherit its priority
            self.session = self._pool.submit(open_session, weights, provider, threads, is_background).result()
            check_graph(self.session, spec)
        except BaseException:
            self._pool.shutdown()
            raise

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the model once, in this thread; arguments and result as `Backend.infer`."""
        names = [tensor.name for tensor in self.spec.outputs]
        try:
            return dict(zip(names, self.session.run(names, dict(inputs)), strict=True))
        except Exception as error:  # onnxruntime's exceptions share no public base
            raise ModelContractError(
                found=f"a model that refuses its own input ({type(error).__name__})",
                expected="the tensors of the model's spec",
                advice="Export the model again (`echoplane export`).",
            ) from error

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        """Run the model once; as `Backend.infer`."""
        call = asyncio.get_running_loop().run_in_executor(self._pool, self.run, inputs)
        try:
            return await asyncio.wait_for(call, timeout_s)
        except TimeoutError as error:
            raise ModelTimeoutError(
                found=f"no answer within {timeout_s:.1f} s",
                expected="one",
                advice="Ask for fewer frames, or try later.",
            ) from error

    async def is_ready(self) -> bool:
        """Say yes: a session that opened answers."""
        return True

    async def close(self) -> None:
        """End the worker threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def open_session(
    weights: Path, provider: Provider, threads: int, is_background: bool = False
) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the provider that was asked for, or not at all.

    onnxruntime only logs when a provider fails to start and computes on the CPU instead; the session is asked what it
    really got.

    Raises:
        ConfigError: the provider is not there.
        ModelContractError: the file is no model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if is_background:  # threads that wait for one another by spinning give way to nobody
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if provider not in onnxruntime.get_available_providers():
        raise _no_provider(provider, onnxruntime.get_available_providers())
    if provider is not Provider.CPU:
        onnxruntime.preload_dlls()  # CUDA and cuDNN come as wheels, where the loader does not look
    try:
        session = onnxruntime.InferenceSession(str(weights), options, providers=[provider.value])
    except Exception as error:  # onnxruntime's exceptions share no public base
        raise ModelContractError(
            found=f"a model.onnx that does not open ({type(error).__name__})",
            expected="a model that was exported for this version",
            advice="Export the model again (`echoplane export`).",
        ) from error
    if provider not in session.get_providers():
        raise _no_provider(provider, session.get_providers())
    return session


def check_graph(session: onnxruntime.InferenceSession, spec: ModelSpec) -> None:
    """Hold the tensors of the graph itself to the spec; `config.pbtxt` only claims them.

    Raises:
        ModelContractError: they differ.
    """
    for found, wanted in ((session.get_inputs(), spec.inputs), (session.get_outputs(), spec.outputs)):
        tensors = {(node.name, tuple(node.shape[1:])) for node in found}
        expected = {(tensor.name, tensor.shape) for tensor in wanted}
        if tensors != expected:
            raise ModelContractError(
                found=f"a graph with the tensors {sorted(tensors)}",
                expected=str(sorted(expected)),
                advice="Export the model again (`echoplane export`).",
            )


def _no_provider(provider: Provider, found: list[str]) -> ConfigError:
    return ConfigError(
        found=f"onnxruntime with {', '.join(found)}",
        expected=provider.value,
        advice="Install the `gpu` extra on a machine with that device, or set the provider to CPU.",
    )
