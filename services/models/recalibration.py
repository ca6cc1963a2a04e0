"""A site's own temperature and threshold, fitted on its labelled cines, laid over a model whose weights stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from services.cine.errors import ConfigError, ModelContractError
from services.models.backend import Backend
from services.models.repository import ModelIdentity
from services.models.spec import VIEW_CLASSIFIER


@dataclass(frozen=True)
class Recalibration:
    """What `echoplane evaluate recalibrate` found out.

    Attributes:
        sha256: of the weights it was fitted for.
        temperature: divides the model's log-odds, over 0.
        abstain_below: cine confidence under which no view is named, 0-1.
    """

    sha256: str
    temperature: float
    abstain_below: float


def read_recalibration(path: Path) -> Recalibration:
    """Read the JSON file of a recalibration.

    Raises:
        ConfigError: there is none, or its numbers are missing or out of range.
    """
    try:
        values = json.loads(path.read_text())
        found = Recalibration(str(values["model_sha256"]), float(values["temperature"]), float(values["abstain_below"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, f"it cannot be read ({type(error).__name__})") from error
    if not (0.0 < found.temperature < float("inf") and 0.0 <= found.abstain_below <= 1.0):
        raise _unusable(path, "its numbers are out of range")
    return found


class RecalibratedBackend:
    """Runs a model and answers with a site's own temperature and threshold.

    Args:
        backend: runs the model.
        recalibration: fitted for its weights.

    Raises:
        ConfigError: it was fitted for other weights.
    """

    def __init__(self, backend: Backend, recalibration: Recalibration) -> None:
        self._backend, self._own = backend, recalibration
        if not self._fits():
            raise ConfigError(
                found=f"a recalibration of the weights {recalibration.sha256[:12]}",
                expected=f"one of {backend.identity.sha256[:12]}, which are served",
                advice="Run `echoplane evaluate recalibrate` with these weights.",
            )

    @property
    def identity(self) -> ModelIdentity:
        """The model's own, with the site's threshold."""
        return replace(self._backend.identity, abstain_below=self._own.abstain_below)

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        """Run the model once; as `Backend.infer`.

        Raises:
            ModelContractError: also when the server has loaded other weights meanwhile.
        """
        if not self._fits():
            raise ModelContractError(
                found="weights that the site's recalibration was not fitted for",
                expected=self._own.sha256[:12],
                advice="Recalibrate, or serve without a recalibration.",
            )
        outputs = await self._backend.infer(inputs, timeout_s)
        logits = VIEW_CLASSIFIER.outputs[0].name
        return outputs | {logits: outputs[logits] / self._own.temperature}

    async def is_ready(self) -> bool:
        """Say whether a call would be answered now, with the weights it was fitted for."""
        return await self._backend.is_ready() and self._fits()

    async def close(self) -> None:
        """Let go of the model."""
        await self._backend.close()

    def _fits(self) -> bool:
        return self._backend.identity.sha256 == self._own.sha256


def recalibrated(backend: Backend, path: Path | None) -> Backend:
    """Lay a site's recalibration over a backend, where it has one.

    Raises:
        ConfigError: as `read_recalibration` and `RecalibratedBackend`.
    """
    return backend if path is None else RecalibratedBackend(backend, read_recalibration(path))


def _unusable(path: Path, found: str) -> ConfigError:
    return ConfigError(
        found=f"{path}: {found}",
        expected="a file that `echoplane evaluate recalibrate` wrote",
        advice="Write it anew, or leave the setting out.",
    )
