"""The Triton backend: the same models on a server of their own, over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
import tritonclient.grpc.aio as triton
from google.protobuf.message import Message
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from services.cine.errors import (
    CapacityError,
    EchoplaneError,
    ModelContractError,
    ModelTimeoutError,
    ModelUnavailableError,
)
from services.models.repository import ModelIdentity, identify
from services.models.spec import ModelSpec

START_TIMEOUT_S = 5.0
"""How long one question at start may take."""

_GRACE_S = 0.5
"""Beyond the deadline that Triton is given, before the caller gives up by itself."""


class TritonBackend:
    """Runs a model on Triton. Made by `connect_triton`, which checks the contract first."""

    def __init__(self, client: triton.InferenceServerClient, spec: ModelSpec, identity: ModelIdentity) -> None:
        self._client, self._spec, self.identity = client, spec, identity

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        """Run the model once; as `Backend.infer`."""
        tensors = []
        for tensor in self._spec.inputs:
            array = inputs[tensor.name]
            wanted = triton.InferInput(tensor.name, list(array.shape), tensor.datatype)
            wanted.set_data_from_numpy(np.ascontiguousarray(array))
            tensors.append(wanted)
        call = self._client.infer(
            self._spec.name,
            tensors,
            model_version=self.identity.version,
            client_timeout=timeout_s,
            timeout=int(timeout_s * 1e6),
        )
        try:
            answer = await asyncio.wait_for(call, timeout_s + _GRACE_S)
        except (InferenceServerException, TimeoutError) as error:
            raise translate(error) from error
        return {tensor.name: self._output(answer, tensor.name) for tensor in self._spec.outputs}

    def _output(self, answer: triton.InferResult, name: str) -> NDArray[Any]:
        array = answer.as_numpy(name)
        if array is None:
            raise ModelContractError(
                found=f"an answer without the tensor {name}",
                expected="every output of the model's spec",
                advice="Deploy the model repository of this version.",
            )
        return np.asarray(array)

    async def is_ready(self) -> bool:
        """Ask Triton what it serves now, take that up, and say whether it is ready.

        A server that loads another version goes on being used where that one keeps the contract, and not otherwise.
        """
        try:
            self.identity = await _identify(self._client, self._spec)
            ready = self._client.is_model_ready(self._spec.name, self.identity.version, client_timeout=START_TIMEOUT_S)
            return bool(await asyncio.wait_for(ready, START_TIMEOUT_S))
        except (InferenceServerException, TimeoutError, EchoplaneError):
            return False

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()


async def connect_triton(address: str, spec: ModelSpec) -> TritonBackend:
    """Connect to Triton and hold what it serves to the spec.

    Args:
        address: host:port of its gRPC endpoint.
        spec: which model, and what it must look like.

    Raises:
        ModelUnavailableError: it does not answer, or does not have the model.
        ModelContractError: its model is not the one this code was built for.
    """
    client = triton.InferenceServerClient(address)
    try:
        return TritonBackend(client, spec, await _identify(client, spec))
    except EchoplaneError:
        await client.close()
        raise


async def _identify(client: triton.InferenceServerClient, spec: ModelSpec) -> ModelIdentity:
    config = await _ask(client.get_model_config(spec.name, client_timeout=START_TIMEOUT_S))
    metadata = await _ask(client.get_model_metadata(spec.name, client_timeout=START_TIMEOUT_S))
    return identify(config.config, spec, max(metadata.versions, key=int), "triton")


async def _ask(question: Any) -> Any:
    try:
        answer: Message = await asyncio.wait_for(question, START_TIMEOUT_S)
        return answer
    except (InferenceServerException, TimeoutError) as error:
        raise translate(error) from error


def translate(error: InferenceServerException | TimeoutError) -> EchoplaneError:
    """Turn what Triton says into our errors.

    A full queue comes as UNAVAILABLE, which clients retry at once and for ever: it becomes a CapacityError, told by its
    message because Triton gives it no status of its own.
    """
    status = "" if isinstance(error, TimeoutError) else str(error.status())
    text = "" if isinstance(error, TimeoutError) else str(error.message()).lower()
    if "queue size" in text:
        return CapacityError(
            found="the model's queue full", expected="room for another request", advice="Wait, then try again."
        )
    if isinstance(error, TimeoutError) or "DEADLINE" in status or "timeout" in text:
        return ModelTimeoutError(found="no answer in time", expected="one within the deadline", advice="Try later.")
    if "INVALID_ARGUMENT" in status:
        return ModelContractError(
            found="a model that refuses its own input",
            expected="the tensors of the model's spec",
            advice="Deploy the model repository of this version.",
        )
    return ModelUnavailableError(
        found=f"a model server that answers {status or 'nothing'}",
        expected="it ready with the model loaded",
        advice="Check that Triton runs and has loaded the model repository.",
    )
