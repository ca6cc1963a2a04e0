"""A site's own temperature and threshold lie over the model, for the weights they were fitted for and no others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.cine.errors import ConfigError, ModelContractError
from services.models.recalibration import RecalibratedBackend, Recalibration, read_recalibration, recalibrated
from services.models.repository import ModelIdentity
from services.models.view_classifier import predict_view

FRAMES = np.zeros((2, 1, 112, 112), np.float32)


class Model:
    """Says PLAX, rather surely."""

    def __init__(self, sha256: str = "ab") -> None:
        self.identity = ModelIdentity("view_classifier", "1", sha256, "onnxruntime", "nothing", 0.5)
        self.is_open = True

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        logits = np.tile(np.array([0, 0, 3, 0, 0], np.float32), (len(inputs["frames"]), 1))
        return {"logits": logits, "embedding": np.zeros((len(logits), 128), np.float32)}

    async def is_ready(self) -> bool:
        return True

    async def close(self) -> None:
        self.is_open = False


async def test_temperature_lowers_the_confidence_and_the_threshold_is_the_sites() -> None:
    own = RecalibratedBackend(Model(), Recalibration("ab", temperature=3.0, abstain_below=0.45))
    plain, answer = await predict_view(Model(), FRAMES, 1.0), await predict_view(own, FRAMES, 1.0)
    assert answer.confidence < plain.confidence
    assert answer.view is None
    assert plain.view == "PLAX"
    assert own.identity.abstain_below == 0.45


async def test_it_is_as_ready_and_as_closed_as_the_model() -> None:
    model = Model()
    own = RecalibratedBackend(model, Recalibration("ab", 1.0, 0.5))
    assert await own.is_ready()
    await own.close()
    assert not model.is_open


def test_weights_that_it_was_not_fitted_for_stop_the_start() -> None:
    with pytest.raises(ConfigError, match="recalibrate"):
        RecalibratedBackend(Model("cd"), Recalibration("ab", 1.0, 0.5))


async def test_weights_that_change_under_it_are_not_answered_with() -> None:
    model = Model()
    own = RecalibratedBackend(model, Recalibration("ab", 1.0, 0.5))
    model.identity = Model("cd").identity
    assert not await own.is_ready()
    with pytest.raises(ModelContractError):
        await own.infer({"frames": FRAMES}, 1.0)


def test_a_file_is_read_and_laid_over_the_model(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"model_sha256": "ab", "temperature": 1.5, "abstain_below": 0.25, "cines": {}}))
    assert read_recalibration(path) == Recalibration("ab", 1.5, 0.25)
    assert recalibrated(Model(), path).identity.abstain_below == 0.25
    model = Model()
    assert recalibrated(model, None) is model


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"model_sha256": "ab", "temperature": 1.0}',
        '{"model_sha256": "ab", "temperature": 0, "abstain_below": 0.5}',
        '{"model_sha256": "ab", "temperature": NaN, "abstain_below": 0.5}',
        '{"model_sha256": "ab", "temperature": 1, "abstain_below": 1.5}',
    ],
)
def test_a_file_without_usable_numbers_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_recalibration(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"own\.json"):
        read_recalibration(tmp_path / "own.json")
