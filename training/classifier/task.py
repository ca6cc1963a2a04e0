"""What the training loop asks of the view classifier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from services.cine.cine import FloatArray, IntArray, UInt8Array
from services.cine.preprocessing import to_frames, to_tensor
from services.cine.views import TARGET_VIEWS
from training.classifier.augmentation import Batch, augment, mix
from training.classifier.config import AugmentationConfig, ClassifierConfig
from training.classifier.dataset import FrameSet
from training.classifier.metrics import balanced_accuracy, log_loss
from training.classifier.networks import ViewNetwork
from training.classifier.predictions import mean_by_cine

_EVALUATION_BATCH = 256


class ClassifierTask:
    """Trains on one set of frames and measures on another, of unseen styles.

    Args:
        config: the experiment.
        training: frames to learn from.
        held_out: frames of other subjects, for the curve only: nothing is chosen by it.
    """

    def __init__(self, config: ClassifierConfig, training: FrameSet, held_out: FrameSet) -> None:
        self._config, self._training, self._held_out = config, training, held_out
        starts = np.flatnonzero(np.diff(training.cines, prepend=-1))
        self._starts, self._lengths = starts, np.diff(np.append(starts, len(training.cines)))

    def build(self) -> nn.Module:
        """Build a fresh network."""
        return ViewNetwork(self._config.network)

    def loss(self, network: nn.Module, step: int) -> Tensor:
        """Give the cross-entropy of a step's batch, which depends on seed and step only."""
        device = next(network.parameters()).device
        generator = Generator(device).manual_seed(self._config.loop.seed * 1_000_003 + step)
        chosen = self.choose(step)
        frames = torch.from_numpy(to_tensor(self._training.frames[chosen])).to(device)
        labels = torch.from_numpy(self._training.labels[chosen]).to(device)
        batch = self._prepare(frames, labels, step, generator)
        logits = network(batch.frames)[0].float()
        return functional.cross_entropy(logits, batch.targets, label_smoothing=self._config.objective.label_smoothing)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measure cines of unseen subjects and styles, before calibration."""
        logits = mean_by_cine(infer(network, self._held_out.frames), self._held_out.cines)
        labels = self._held_out.labels[np.flatnonzero(np.diff(self._held_out.cines, prepend=-1))]
        return {"balanced_accuracy": balanced_accuracy(logits, labels), "balanced_log_loss": log_loss(logits, labels)}

    def _prepare(self, frames: Tensor, labels: Tensor, step: int, generator: Generator) -> Batch:
        config = self._config.augmentation
        with torch.no_grad(), torch.autocast(frames.device.type, enabled=False):
            changed = augment(frames, labels, config, generator)
            batch = Batch(changed, functional.one_hot(labels, len(TARGET_VIEWS)).to(changed.dtype))
            if step >= config.mixing_from * self._config.loop.steps:
                batch = mix(batch, config, generator)
        return batch

    def choose(self, step: int) -> IntArray:
        """Choose one frame of each of B cines; every cine comes once before any comes twice."""
        size, total = self._config.objective.batch_size, len(self._starts)
        places = np.arange(step * size, (step + 1) * size)
        cines = np.empty(size, np.int64)
        for turn in np.unique(places // total):
            order = np.random.default_rng([self._config.loop.seed, int(turn), 7]).permutation(total)
            of_turn = places // total == turn
            cines[of_turn] = order[places[of_turn] % total]
        rng = np.random.default_rng([self._config.loop.seed, step, 11])
        return np.asarray(self._starts[cines] + (rng.random(size) * self._lengths[cines]).astype(np.int64))


@torch.no_grad()
def change_cines(frames: FrameSet, config: AugmentationConfig, seed: int) -> FrameSet:
    """Change whole cines as training changes frames: one draw a cine, the same for all of its frames.

    Args:
        frames: every cine with the same number of frames.
        config: ranges of the changes.
        seed: of the draws.
    """
    count = int(np.bincount(frames.cines)[0])
    by_cine = frames.frames.reshape(-1, count, *frames.frames.shape[1:])  # [N*T, H, W] -> [N, T, H, W]
    labels = torch.from_numpy(frames.labels[::count])
    changed = np.empty_like(by_cine)
    for time in range(count):
        generator = Generator().manual_seed(seed)
        tensor = torch.from_numpy(to_tensor(by_cine[:, time]))
        changed[:, time] = to_frames(augment(tensor, labels, config, generator).numpy())
    return replace(frames, frames=changed.reshape(frames.frames.shape))


@torch.no_grad()
def infer(network: nn.Module, frames: UInt8Array) -> FloatArray:
    """Give the raw logits of frames, [N, 112, 112] uint8 to [N, K], in float32."""
    network.eval()
    device = next(network.parameters()).device
    outputs = []
    for start in range(0, len(frames), _EVALUATION_BATCH):
        tensor = torch.from_numpy(to_tensor(frames[start : start + _EVALUATION_BATCH])).to(device)
        outputs.append(network(tensor)[0].cpu().numpy())
    return np.concatenate(outputs)
