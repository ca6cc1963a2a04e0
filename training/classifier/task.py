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
from training.classifier.augmentation import Batch, augment, mix, weaken
from training.classifier.config import AugmentationConfig, ClassifierConfig
from training.classifier.dataset import FrameSet
from training.classifier.metrics import balanced_accuracy, log_loss
from training.classifier.networks import ViewNetwork
from training.classifier.predictions import CinePredictions, mean_by_cine

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
        self._subjects = training.subjects[starts]

    def build(self) -> nn.Module:
        """Build a fresh network."""
        return ViewNetwork(self._config.network)

    def loss(self, network: nn.Module, step: int) -> Tensor:
        """Give the cross-entropy of a step's batch, which depends on seed and step only."""
        device = next(network.parameters()).device
        generator = Generator(device).manual_seed(self._config.loop.seed * 1_000_003 + step)
        chosen = self.choose(step)
        frames = torch.from_numpy(to_tensor(self._training.frames[chosen])).to(device)
        shares = torch.from_numpy(self._training.shares[chosen]).to(device)
        batch = self._prepare(frames, shares, step, generator)
        logits = network(batch.frames)[0].float()
        return functional.cross_entropy(logits, smooth(batch.targets, self._config.objective.label_smoothing))

    def validate(self, network: nn.Module, step: int) -> dict[str, float]:
        """Measure cines of unseen subjects and styles, before calibration."""
        cines = predict_cines(network, self._held_out)
        logits, labels = cines.logits, cines.labels
        return {"balanced_accuracy": balanced_accuracy(logits, labels), "balanced_log_loss": log_loss(logits, labels)}

    def _prepare(self, frames: Tensor, shares: Tensor, step: int, generator: Generator) -> Batch:
        config = self._config.augmentation
        with torch.no_grad(), torch.autocast(frames.device.type, enabled=False):
            strength = min(1.0, step / max(1.0, config.full_from * self._config.loop.steps))
            batch = Batch(augment(frames, weaken(config, strength), generator), shares)
            if step >= config.mixing_from * self._config.loop.steps:
                batch = mix(batch, config, generator)
        return batch

    def choose(self, step: int) -> IntArray:
        """Choose one frame of each of B cines; every cine comes once before any comes twice.

        A turn over all cines goes in rounds with one cine of each subject, so a batch holds a subject twice at most
        where it crosses from one round to the next.
        """
        size, total = self._config.objective.batch_size, len(self._starts)
        places = np.arange(step * size, (step + 1) * size)
        cines = np.empty(size, np.int64)
        for turn in np.unique(places // total):
            order = self._order(int(turn))
            of_turn = places // total == turn
            cines[of_turn] = order[places[of_turn] % total]
        rng = np.random.default_rng([self._config.loop.seed, step, 11])
        return np.asarray(self._starts[cines] + (rng.random(size) * self._lengths[cines]).astype(np.int64))

    def _order(self, turn: int) -> IntArray:
        rng = np.random.default_rng([self._config.loop.seed, turn, 7])
        mixed = rng.permutation(len(self._subjects))
        grouped = mixed[np.argsort(self._subjects[mixed], kind="stable")]
        subjects = self._subjects[grouped]
        first = np.flatnonzero(np.diff(subjects, prepend=-1))
        rounds = np.arange(len(subjects)) - np.repeat(first, np.diff(np.append(first, len(subjects))))
        return np.asarray(grouped[np.lexsort((rng.random(len(subjects)), rounds))])


def smooth(shares: Tensor, smoothing: float) -> Tensor:
    """Spread some of what is one of the four views over the four, [B, K]; whether it is one of them stays as sure."""
    four = shares[:, : len(TARGET_VIEWS)]
    spread = four.sum(dim=1, keepdim=True) / len(TARGET_VIEWS)
    return torch.cat([torch.lerp(four, spread.expand_as(four), smoothing), shares[:, len(TARGET_VIEWS) :]], dim=1)


def predict_cines(network: nn.Module, frames: FrameSet) -> CinePredictions:
    """Answer every cine of a set with raw log-odds."""
    first = np.flatnonzero(np.diff(frames.cines, prepend=-1))
    return CinePredictions(
        logits=mean_by_cine(infer(network, frames.frames), frames.cines),
        shares=mean_by_cine(frames.shares, frames.cines),
        styles=frames.styles[first],
        planes=frames.planes[first],
        traits=frames.traits[first],
        subjects=frames.subjects[first],
    )


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
    changed = np.empty_like(by_cine)
    for time in range(count):
        generator = Generator().manual_seed(seed)
        tensor = torch.from_numpy(to_tensor(by_cine[:, time]))
        changed[:, time] = to_frames(augment(tensor, config, generator).numpy())
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
