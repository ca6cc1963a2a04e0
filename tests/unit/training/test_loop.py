"""The one loop: it learns, stops at a NaN with step and seed, and a killed run ends as an unbroken one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.loop import (
    CHECKPOINT_FILE,
    HISTORY_FILE,
    WEIGHTS_FILE,
    Device,
    LoopConfig,
    Precision,
    TrainingDivergedError,
    is_half,
    learning_rate_at,
    train,
)
from training.optimisers import LEAST_CHANNELS, OptimiserName
from training.tensor_file import read_tensors

CONFIG = LoopConfig(
    steps=12,
    warmup_steps=3,
    optimiser=OptimiserName.ADAMW,
    learning_rate=0.05,
    weight_decay=0.01,
    ema_decay=0.9,
    checkpoint_every_steps=4,
    validate_every_steps=6,
    seed=3,
    device=Device.CPU,
    precision=Precision.FP32,
    threads=1,
)


class Line:
    """A task small enough to be learnt in a dozen steps: fit y = 2 x."""

    def __init__(self, spoilt_step: int | None = None) -> None:
        self._spoilt_step = spoilt_step

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.1), nn.Linear(4, 1))

    def loss(self, network: nn.Module, step: int) -> Tensor:
        x = torch.randn(16, 1, generator=torch.Generator().manual_seed(step))
        value: Tensor = (network(x) - 2 * x).square().mean()
        return value * float("nan") if step == self._spoilt_step else value

    def validate(self, network: nn.Module, step: int) -> dict[str, float]:
        return {"error": float(self.loss(network, 999))}


def test_resumed_run_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    train(Line(), CONFIG, tmp_path / "unbroken")
    for stop in (2, 7, 12):
        train(Line(), CONFIG, tmp_path / "broken", stop_after=stop)
    unbroken, _ = read_tensors(tmp_path / "unbroken" / CHECKPOINT_FILE)
    broken, _ = read_tensors(tmp_path / "broken" / CHECKPOINT_FILE)
    assert unbroken.keys() == broken.keys()
    assert all(torch.equal(value, broken[name]) for name, value in unbroken.items())


def test_kill_between_checkpoints_loses_only_the_steps_since(tmp_path: Path) -> None:
    with pytest.raises(TrainingDivergedError):
        train(Line(spoilt_step=10), CONFIG, tmp_path)
    assert train(Line(), CONFIG, tmp_path, stop_after=0).step == 8


def test_loss_falls_and_averaged_weights_are_written(tmp_path: Path) -> None:
    state = train(Line(), replace(CONFIG, steps=60, validate_every_steps=10), tmp_path)
    history = json.loads((tmp_path / HISTORY_FILE).read_text())
    assert [entry["step"] for entry in history] == [10, 20, 30, 40, 50, 60]
    assert history[-1]["error"] < 0.5 * history[0]["error"]
    weights, _ = read_tensors(tmp_path / WEIGHTS_FILE)
    assert all(torch.equal(weights[name], value) for name, value in state.ema.state_dict().items())


def test_nan_stops_with_step_and_seed(tmp_path: Path) -> None:
    with pytest.raises(TrainingDivergedError, match="step 5 with seed 3"):
        train(Line(spoilt_step=5), CONFIG, tmp_path)


def test_half_precision_trains_as_well(tmp_path: Path) -> None:
    state = train(Line(), replace(CONFIG, precision=Precision.BF16), tmp_path)
    assert all(value.dtype == torch.float32 for value in state.network.state_dict().values())


def test_precision_is_what_was_asked_for_and_auto_is_half_on_a_gpu() -> None:
    assert is_half(replace(CONFIG, precision=Precision.BF16))
    assert not is_half(replace(CONFIG, precision=Precision.FP32))
    assert is_half(replace(CONFIG, precision=Precision.AUTO, device=Device.CUDA))
    assert isinstance(is_half(replace(CONFIG, precision=Precision.AUTO)), bool)


def test_learning_rate_rises_then_falls_to_almost_nothing() -> None:
    rates = [learning_rate_at(step, CONFIG) for step in range(CONFIG.steps)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(CONFIG.learning_rate)
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[-1] < 0.1 * CONFIG.learning_rate


class Picture(Line):
    """A task with a wide kernel."""

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, LEAST_CHANNELS, 3), nn.Conv2d(LEAST_CHANNELS, LEAST_CHANNELS, 1))

    def loss(self, network: nn.Module, step: int) -> Tensor:
        x = torch.randn(4, 1, 5, 5, generator=torch.Generator().manual_seed(step))
        value: Tensor = (network(x) - x.mean()).square().mean()
        return value


def test_a_resumed_run_of_muon_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    config = replace(CONFIG, optimiser=OptimiserName.MUON, learning_rate=0.01)
    train(Picture(), config, tmp_path / "unbroken")
    train(Picture(), config, tmp_path / "broken", stop_after=5)
    train(Picture(), config, tmp_path / "broken")
    whole, mended = (read_tensors(tmp_path / name / WEIGHTS_FILE)[0] for name in ("unbroken", "broken"))
    assert all(torch.equal(whole[name], mended[name]) for name in whole)
