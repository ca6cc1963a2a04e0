"""The one training loop. What differs between trainings is a task: what to build, what to minimise, what to measure.

Every step draws its data from (seed, step) alone, so a run that was killed and resumed ends with the same weights as
one that was not (same machine and thread count). Under torchrun every process takes batches of its own.
"""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from training.json_file import write_json
from training.optimisers import OptimiserName, build_optimisers
from training.parallel import joined, share_gradients, this_process, wait_for_all
from training.progress import show_progress
from training.tensor_file import read_tensors, write_tensors

CHECKPOINT_FILE = "training.safetensors"
WEIGHTS_FILE = "weights.safetensors"
HISTORY_FILE = "history.json"

_LEAST_LEARNING_RATE_FRACTION = 0.01
"""The cosine ends at this share of the peak: a rate of zero would waste the last steps."""

_GRADIENT_NORM_LIMIT = 5.0


class Device(StrEnum):
    """Where to train."""

    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """Number format of convolutions and products; weights and their averages stay float32.

    AUTO is bf16 on a GPU and on processors with instructions for it, else fp32:
    without the instructions bf16 is far slower.
    """

    FP32 = "fp32"
    BF16 = "bf16"
    AUTO = "auto"


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train.

    Attributes:
        steps: optimiser steps in all.
        warmup_steps: steps over which the learning rate rises.
        optimiser: which rule.
        learning_rate: peak, followed by a cosine.
        weight_decay: on weights with two axes or more.
        ema_decay: of the averaged weights.
        checkpoint_every_steps, validate_every_steps: how often.
        seed: of weights, data order and augmentation.
        device, precision: where and how to compute.
        threads: of torch on the CPU; 1 where other work shares the cores.
    """

    steps: int
    warmup_steps: int
    optimiser: OptimiserName
    learning_rate: float
    weight_decay: float
    ema_decay: float
    checkpoint_every_steps: int
    validate_every_steps: int
    seed: int
    device: Device
    precision: Precision
    threads: int


class Task(Protocol):
    """What the loop trains."""

    def build(self) -> nn.Module:
        """Build the network with fresh weights; the loop has seeded torch."""

    def loss(self, network: nn.Module, step: int) -> Tensor:
        """Give the loss of the batch of this number, a scalar; runs under the loop's precision."""

    def validate(self, network: nn.Module, step: int) -> dict[str, float]:
        """Measure the averaged weights of a step on held-out data."""


class TrainingDivergedError(RuntimeError):
    """The loss is not a number any more; the message names step and seed."""


@dataclass
class TrainingState:
    """Everything a run needs to go on.

    Attributes:
        network, ema: the weights in training and their running average.
        optimisers: with their moments; between them they train every weight.
        step: steps done.
        spent_s: wall-clock time spent so far, over all resumptions, s.
    """

    network: nn.Module
    ema: nn.Module
    optimisers: list[torch.optim.Optimizer]
    step: int = 0
    spent_s: float = 0.0


def train(task: Task, config: LoopConfig, folder: Path, *, stop_after: int | None = None) -> TrainingState:
    """Train a task to its end, going on from where an earlier run in the same folder stopped.

    Args:
        task: what to train.
        config: how.
        folder: where checkpoint, history and final weights go.
        stop_after: end early at this step, as a kill would; the checkpoint of that step is kept.

    Returns:
        The state at the end; its `ema` holds the weights to use.

    Raises:
        TrainingDivergedError: the loss is not finite.
    """
    with joined():
        return _train(task, config, folder, config.steps if stop_after is None else min(stop_after, config.steps))


def _train(task: Task, config: LoopConfig, folder: Path, last: int) -> TrainingState:
    torch.set_num_threads(config.threads)
    folder.mkdir(parents=True, exist_ok=True)
    state = start_state(task, config)
    resume(state, folder / CHECKPOINT_FILE)
    is_first = this_process().is_first
    started = time.monotonic() - state.spent_s
    with show_progress("training", config.steps) as advance:
        while state.step < last:
            loss = take_step(task, config, state)
            state.spent_s = time.monotonic() - started
            advance(state.step, f"loss {loss:.3f}")
            if is_first and (state.step % config.validate_every_steps == 0 or state.step == config.steps):
                note_validation(task, config, state, folder / HISTORY_FILE)
            if is_first and (state.step % config.checkpoint_every_steps == 0 or state.step == last):
                save(state, folder / CHECKPOINT_FILE)
    if is_first and state.step == config.steps:
        write_tensors(folder / WEIGHTS_FILE, state.ema.state_dict(), {"step": str(state.step)})
    wait_for_all()
    return state


def start_state(task: Task, config: LoopConfig) -> TrainingState:
    """Build network, average and optimisers from the seed."""
    torch.manual_seed(config.seed)
    network = task.build().to(config.device.value)
    if config.device is Device.CPU:
        network = network.to(memory_format=torch.channels_last)
    ema = copy.deepcopy(network).requires_grad_(False).eval()
    optimisers = build_optimisers(network, config.optimiser, config.learning_rate, config.weight_decay)
    return TrainingState(network, ema, optimisers)


def take_step(task: Task, config: LoopConfig, state: TrainingState) -> float:
    """Do one optimiser step and move the averaged weights; returns the loss."""
    for group in (group for optimiser in state.optimisers for group in optimiser.param_groups):
        group["lr"] = learning_rate_at(state.step, config)
    state.network.train()
    batch = this_process().batch_of(state.step)
    torch.manual_seed(config.seed * 1_000_003 + batch)  # dropout is drawn from the batch as well
    with torch.autocast(config.device.value, torch.bfloat16, enabled=is_half(config)):
        loss = task.loss(state.network, batch)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingDivergedError(
            f"Found a loss of {value} at step {state.step} with seed {config.seed}; expected a number. "
            "Lower the learning rate, or train in fp32."
        )
    state.network.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    share_gradients(state.network)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), _GRADIENT_NORM_LIMIT)
    for optimiser in state.optimisers:
        optimiser.step()
    state.step += 1
    _average(state, min(config.ema_decay, (1 + state.step) / (10 + state.step)))
    return value


def is_half(config: LoopConfig) -> bool:
    """Say whether convolutions and products are done in bf16."""
    if config.precision is not Precision.AUTO:
        return config.precision is Precision.BF16
    if config.device is Device.CUDA:
        return True
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def learning_rate_at(step: int, config: LoopConfig) -> float:
    """Rise linearly, then fall along half a cosine."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    low = _LEAST_LEARNING_RATE_FRACTION
    return config.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * share)) / 2)


@torch.no_grad()
def _average(state: TrainingState, decay: float) -> None:
    for average, weight in zip(state.ema.parameters(), state.network.parameters(), strict=True):
        average.lerp_(weight, 1 - decay)


def note_validation(task: Task, config: LoopConfig, state: TrainingState, path: Path) -> None:
    """Measure the averaged weights and add a line to the history, replacing what a killed run had noted later."""
    with torch.no_grad():
        measured = task.validate(state.ema, state.step)
    history = json.loads(path.read_text()) if path.exists() else []
    history = [entry for entry in history if entry["step"] < state.step]
    rate = learning_rate_at(state.step, config)
    history.append({"step": state.step, "spent_s": round(state.spent_s, 1), "learning_rate": rate, **measured})
    write_json(path, history)


def save(state: TrainingState, path: Path) -> None:
    """Write weights, average and optimisers to one file, whole or not at all."""
    tensors = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in state.ema.state_dict().items()}
    for number, optimiser in enumerate(state.optimisers):
        for index, moments in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{index}.{name}": value for name, value in moments.items()}
    write_tensors(path, tensors, {"step": str(state.step), "spent_s": repr(state.spent_s)})


def resume(state: TrainingState, path: Path) -> None:
    """Put a saved state back; does nothing where there is none."""
    if not path.exists():
        return
    tensors, metadata = read_tensors(path)
    state.network.load_state_dict(_below(tensors, "network."))
    state.ema.load_state_dict(_below(tensors, "ema."))
    for number, optimiser in enumerate(state.optimisers):
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, f"optimiser.{number}.").items():
            index, key = name.split(".", 1)
            moments.setdefault(int(index), {})[key] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
    state.step, state.spent_s = int(metadata["step"]), float(metadata["spent_s"])


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
