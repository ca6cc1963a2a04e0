"""What the training loop asks of a generator."""

from __future__ import annotations

from pathlib import Path

import cv2
import torch
from torch import Generator, Tensor, nn

from training.diffusion.condition import Condition, drop
from training.diffusion.config import DiffusionConfig
from training.diffusion.contact_sheet import every_view, lay_out
from training.diffusion.dataset import ImageSet, Parts, draw_batch
from training.diffusion.denoiser import Denoiser
from training.diffusion.drawing import draw_images
from training.diffusion.measures import denoising_errors, fine_detail
from training.diffusion.objectives import loss_of

_WATCHED_IMAGES = 128
_SHOWN_OF_A_VIEW = 2


class DiffusionTask:
    """Trains a denoiser on one set of images and watches it on another, of other subjects.

    Args:
        config: the experiment.
        parts: what to learn from, and what to watch by.
        styles: how many the set has.
        drawn: folder for a row of pictures from the same noise whenever it is watched.
    """

    def __init__(self, config: DiffusionConfig, parts: Parts, styles: int, drawn: Path) -> None:
        self._config, self._parts, self._styles, self._drawn = config, parts, styles, drawn

    def build(self) -> nn.Module:
        """Build a fresh denoiser."""
        return Denoiser(self._config.network, self._config.objective, self._styles)

    def loss(self, network: nn.Module, step: int) -> Tensor:
        """Give the loss of a batch, which depends on seed and number only."""
        denoiser, objective = as_denoiser(network), self._config.objective
        device = next(network.parameters()).device
        generator = Generator(device).manual_seed(self._config.loop.seed * 1_000_003 + step)
        training, seed = self._parts.training, self._config.loop.seed
        clean, condition = draw_batch(training, objective.batch_size, seed, step, device)
        chances = (objective.drop_view, objective.drop_style)
        return loss_of(denoiser, clean, drop(condition, self._styles, chances, generator), generator)

    @torch.no_grad()
    def validate(self, network: nn.Module, step: int) -> dict[str, float]:
        """Measure denoising of held-out images, and the fine detail of as many drawn with their views and styles.

        Two pictures a view, which one looks at, go to <drawn>/<step>.png.
        """
        denoiser, config = as_denoiser(network), self._config
        clean, condition = watched(self._parts.held_out, _WATCHED_IMAGES, config.loop.seed)
        device = next(network.parameters()).device
        measured = denoising_errors(denoiser, clean.to(device), condition.to(device), config.loop.seed)
        if config.sampling.images:
            clean, condition = watched(self._parts.held_out, config.sampling.images, config.loop.seed)
            drawn = draw_images(denoiser, config.sampling, condition, config.loop.seed)
            measured["fine_detail"] = fine_detail(drawn, clean)
            self._draw_row(denoiser, step)
        return measured

    def _draw_row(self, denoiser: Denoiser, step: int) -> None:
        asked = every_view(_SHOWN_OF_A_VIEW, self._styles)
        row = draw_images(denoiser, self._config.sampling, asked, self._config.loop.seed)
        self._drawn.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(self._drawn / f"{step:07d}.png"), lay_out(row, len(row)))


def watched(images: ImageSet, count: int, seed: int) -> tuple[Tensor, Condition]:
    """Choose the same images at every call, [N, 1, 112, 112], and what they show."""
    return draw_batch(images, min(count, len(images.images)), seed, 0, torch.device("cpu"))


def as_denoiser(network: nn.Module) -> Denoiser:
    """Tell the type of what the loop hands back.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(network, Denoiser):
        raise TypeError(f"found a {type(network).__name__}, expected a Denoiser")
    return network
