"""Copies that a generator half remembers: training pictures noised part of the way and drawn again from there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from services.cine.cine import UInt8Array
from services.cine.preprocessing import to_frames, to_tensor
from training.configuration import build_config
from training.diffusion.condition import Condition
from training.diffusion.config import DiffusionConfig
from training.diffusion.denoiser import Denoiser
from training.diffusion.drawing import finish
from training.diffusion.recipe import load_denoiser
from training.diffusion.samplers import dpm_solver_pp_2m
from training.diffusion.schedules import karras_sigmas
from training.evaluation.synthesis.pictures import Pictures
from training.progress import show_progress
from training.run_folder import read_checkpoint
from training.simulator.styles import STYLES

RENOISED_SIGMAS = {"renoised_a_little": 0.3, "renoised": 0.8, "renoised_far": 2.0}
"""Noise levels of pixels in [-1, 1]: speckle is new; walls move a little; the picture's plan is all that is left."""

_STEPS = 8
_BATCH = 32


@dataclass(frozen=True)
class Generator:
    """What draws again.

    Attributes:
        denoiser: a teacher's.
        styles: that it knows.
        sigma_low: where its walks end.
    """

    denoiser: Denoiser
    styles: tuple[str, ...]
    sigma_low: float


def load_generator(run: Path) -> Generator:
    """Read a finished run of `train diffusion`."""
    checkpoint = read_checkpoint(run)
    sampling = build_config(checkpoint["config"], DiffusionConfig).sampling
    return Generator(load_denoiser(checkpoint, run), tuple(checkpoint["styles"]), sampling.sigma_low)


@torch.no_grad()
def renoise(sources: Pictures, generator: Generator, sigma: float, seed: int) -> UInt8Array:
    """Draw pictures again from a noise level, with their own views and styles, [N, 112, 112].

    Args:
        sources: styles counted as in `STYLES`; one that the generator does not know is left open.
        generator: draws.
        sigma: noise level at which it starts.
        seed: of the noise.

    Reference:
        Meng et al., "SDEdit", 2022, section 3.
    """
    known = {style: index for index, style in enumerate(generator.styles)}
    styles = np.array([known.get(STYLES[style], len(known)) for style in sources.styles], np.int64)
    sigmas = karras_sigmas(_STEPS, generator.sigma_low, sigma)
    chance = torch.Generator().manual_seed(seed)
    frames = []
    with show_progress(f"drawing again from {sigma}", len(sources)) as advance:
        for start in range(0, len(sources), _BATCH):
            rows = slice(start, start + _BATCH)
            clean = torch.from_numpy(to_tensor(sources.frames[rows]))
            noise = clean / sigma + torch.randn(clean.shape, generator=chance)
            asked = Condition(torch.from_numpy(sources.views[rows]), torch.from_numpy(styles[rows]))
            drawn = finish(dpm_solver_pp_2m(generator.denoiser, noise, sigmas, asked))
            frames.append(to_frames(drawn.numpy()))
            advance(start + len(clean), "pictures")
    return np.concatenate(frames)
