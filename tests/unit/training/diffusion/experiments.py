"""The smoke experiment, and images that can be told apart: a bright box, its place the view, its width the style."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from services.cine.views import TARGET_VIEWS
from training.diffusion.condition import Condition
from training.diffusion.config import DiffusionConfig, Objective, load_preset
from training.diffusion.dataset import ImageSet, Parts
from training.diffusion.denoiser import Denoiser

STYLES = 3


def make_config(kind: Objective = Objective.EDM) -> DiffusionConfig:
    smoke = load_preset("smoke", DiffusionConfig)
    return replace(smoke, objective=replace(smoke.objective, kind=kind))


def make_denoiser(kind: Objective = Objective.EDM) -> Denoiser:
    """Build the smoke network with a last layer that does something."""
    config = make_config(kind)
    torch.manual_seed(0)
    denoiser = Denoiser(config.network, config.objective, STYLES).eval()
    for weight in denoiser.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.05)
    return denoiser


def make_images(count: int = 24, first_subject: int = 0) -> ImageSet:
    index = np.arange(count)
    views, styles = index % len(TARGET_VIEWS), index // len(TARGET_VIEWS) % STYLES
    images = np.random.default_rng(0).integers(20, 60, (count, 112, 112), dtype=np.uint8)
    for image, view, style in zip(images, views, styles, strict=True):
        image[10 + 24 * view :][:20, 20 : 50 + 20 * style] = 200
    return ImageSet(images, views, styles, first_subject + index // 4, 0)


def make_parts() -> Parts:
    return Parts(make_images(), make_images(8, first_subject=100))


def ask(count: int, view: int = 1, style: int = 2) -> Condition:
    return Condition(torch.full((count,), view), torch.full((count,), style))
