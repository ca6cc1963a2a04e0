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
from services.synthesis.copies import open_copy_check
from services.synthesis.generate import Made, Studio
from services.synthesis.plan import ImageFormat, Shard, Unit, shards

SHARD_IMAGES = 64
"""Images that one process makes before it asks for more: four inferences, so that the last shard keeps nobody long."""


class RayStudio:
    """Makes images on a cluster. Opened by `open_ray_studio`.

    Args:
        ray: the module, connected.
        repository: of the models, at the same path on every node.
        infer_timeout_s: how long one inference may take, s.
        processes: that make images; one core each.
    """

    def __init__(self, ray: Any, repository: Path, infer_timeout_s: float, processes: int) -> None:
        self._ray = ray
        folder = repository / ECHO_SYNTHESIZER.name
        version = find_weights(folder).parent.name
        self.identity: ModelIdentity = identify(load_config(folder), ECHO_SYNTHESIZER, version, "onnxruntime")
        seat = ray.remote(num_cpus=1)(_Seat)
        copies = open_copy_check(None, folder, self.identity.sha256, None)
        self.copy_index = "" if copies is None else copies.index
        arguments = (str(repository.resolve()), self.identity.sha256, infer_timeout_s)
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

    def __init__(self, repository: str, sha256: str, infer_timeout_s: float) -> None:
        self._sha256 = sha256
        copies = open_copy_check(None, Path(repository, ECHO_SYNTHESIZER.name), sha256, None)
        self._studio = Studio(OnnxBackend(Path(repository), ECHO_SYNTHESIZER), copies, None, infer_timeout_s)

    async def make(self, shard: Shard, batch_seed: int, image_format: ImageFormat) -> list[Made]:
        """Make the images of a shard.

        Raises:
            ModelContractError: this node has other weights than the one that asks.
        """
        if self._studio.identity.sha256 != self._sha256:
            raise ModelContractError(
                found="a node with other weights",
                expected="the same model repository on every node",
                advice="Copy the model repository to every node.",
            )
        batches = self._studio.make(shard.units, batch_seed, image_format)
        return [made async for batch in batches for made in batch]


@contextmanager
def open_ray_studio(repository: Path, infer_timeout_s: float, address: str | None = None) -> Iterator[RayStudio]:
    """Connect to a cluster (RAY_ADDRESS), or start one on this machine, for as long as the context lasts.

    Raises:
        ConfigError: Ray is not installed.
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
        yield RayStudio(ray, repository, infer_timeout_s, max(1, int(cores)))
    finally:
        ray.shutdown()
