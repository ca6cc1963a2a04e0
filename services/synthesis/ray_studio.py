"""The same units on a Ray cluster: shards go to as many processes as there is room for, images come back here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.cine.errors import ConfigError, ModelContractError, ModelUnavailableError
from services.models.onnx_backend import OnnxBackend
from services.models.repository import ModelIdentity, find_weights, identify, load_config
from services.models.spec import ECHO_SYNTHESIZER
from services.synthesis.copies import CopyFiles, open_copy_check
from services.synthesis.generate import Made, Studio
from services.synthesis.plan import ImageFormat, Shard, Unit, shards

SHARD_IMAGES = 64
"""Images that one process makes before it asks for more: four inferences, so that the last shard keeps nobody long."""

_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
"""Of every process: the copy filter's sums must be those of any other machine."""


class RayStudio:
    """Makes images on a cluster. Opened by `open_ray_studio`.

    Args:
        ray: the module, connected.
        repository: of the models, at the same path on every node.
        copies: files of the copy filter, at the same paths on every node.
        infer_timeout_s: how long one inference may take, s.
        processes: that make images; one core each.
    """

    def __init__(self, ray: Any, repository: Path, copies: CopyFiles, infer_timeout_s: float, processes: int) -> None:
        self._ray = ray
        folder = repository / ECHO_SYNTHESIZER.name
        version = find_weights(folder).parent.name
        self.identity: ModelIdentity = identify(load_config(folder), ECHO_SYNTHESIZER, version, "onnxruntime")
        check = open_copy_check(copies, folder, self.identity.sha256)
        self.copy_index = "" if check is None else check.index
        seat = ray.remote(num_cpus=1, runtime_env={"env_vars": _ENVIRONMENT})(_Seat)
        arguments = (repository.resolve(), copies.resolved(), self.identity.sha256, self.copy_index, infer_timeout_s)
        self._seats = [seat.remote(*arguments) for _ in range(processes)]

    async def make(
        self, units: Iterable[Unit], batch_seed: int, image_format: ImageFormat
    ) -> AsyncGenerator[list[Made], None]:
        """Make images, a shard at a time, as they come; as `Studio.make`."""
        waiting = shards(units, SHARD_IMAGES)[::-1]
        running: dict[asyncio.Task[list[Made]], Any] = {}

        def start(seat: Any) -> None:
            if waiting:
                running[asyncio.create_task(self._ask(seat, waiting.pop(), batch_seed, image_format))] = seat

        for seat in self._seats:
            start(seat)
        try:
            while running:
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    start(running.pop(task))
                    yield task.result()
        finally:
            for task in running:
                task.cancel()

    async def _ask(self, seat: Any, shard: Shard, batch_seed: int, image_format: ImageFormat) -> list[Made]:
        try:
            made: list[Made] = await seat.make.remote(shard, batch_seed, image_format)
            return made
        except self._ray.exceptions.RayError as error:
            raise ModelUnavailableError(
                found=f"a process of the cluster that failed ({type(error).__name__})",
                expected="images",
                advice="Look at the cluster's logs; the same command goes on from here.",
            ) from error


class _Seat:
    """One process of the cluster, with the model open."""

    def __init__(
        self, repository: Path, copies: CopyFiles, sha256: str, copy_index: str, infer_timeout_s: float
    ) -> None:
        self._wanted = sha256, copy_index
        check = open_copy_check(copies, repository / ECHO_SYNTHESIZER.name, sha256)
        self._studio = Studio(OnnxBackend(repository, ECHO_SYNTHESIZER), check, None, infer_timeout_s)

    async def make(self, shard: Shard, batch_seed: int, image_format: ImageFormat) -> list[Made]:
        """Make the images of a shard.

        Raises:
            ModelContractError: this node has other weights, or another copy index, than the one that asks.
        """
        if (self._studio.identity.sha256, self._studio.copy_index) != self._wanted:
            raise ModelContractError(
                found="a node with other weights or another copy index",
                expected="the same model repository and copy index on every node",
                advice="Copy them to every node.",
            )
        batches = self._studio.make(shard.units, batch_seed, image_format)
        return [made async for batch in batches for made in batch]


@contextmanager
def open_ray_studio(
    repository: Path, copies: CopyFiles, infer_timeout_s: float, address: str | None = None
) -> Iterator[RayStudio]:
    """Connect to a cluster (RAY_ADDRESS), or start one on this machine, for as long as the context lasts.

    Raises:
        ConfigError: Ray is not installed, or the copy index that was named cannot be read.
        ModelError: the synthesizer is not in the repository, or not the one this code was built for.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            found="no Ray", expected="the package ray", advice="Install the extra: pip install 'echoplane[ray]'."
        ) from error
    ray.init(address, log_to_driver=False, include_dashboard=False, configure_logging=False)
    try:
        cores: float = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call,unused-ignore]
        yield RayStudio(ray, repository, copies, infer_timeout_s, max(1, int(cores)))
    finally:
        ray.shutdown()
