"""The one seam between what a model means and who runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from services.models.repository import ModelIdentity


class Backend(Protocol):
    """Runs one model."""

    @property
    def identity(self) -> ModelIdentity:
        """Which weights answer."""

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        """Run the model once.

        Args:
            inputs: by tensor name, batch first, at most the spec's largest batch.
            timeout_s: how long the answer may take, s.

        Returns:
            Every output of the spec, by name.

        Raises:
            CapacityError: its queue is full.
            ModelTimeoutError: no answer in time.
            ModelUnavailableError: it is not there.
            ModelContractError: its answer is not what the spec says.
        """

    async def is_ready(self) -> bool:
        """Say whether a call would be answered now."""

    async def close(self) -> None:
        """Let go of it."""
