"""What is minimised: the squared error of the network's own answer, and for DDPM the bound that teaches it variance."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from training.diffusion.condition import Condition
from training.diffusion.config import Objective
from training.diffusion.denoiser import Coefficients, Denoiser, share_of
from training.diffusion.samplers import variance_bounds

_HALF_GREY = 1 / 255
"""Half a grey level in [-1, 1]."""

_LEAST_LIKELIHOOD = 1e-12


def loss_of(denoiser: Denoiser, clean: Tensor, condition: Condition, generator: Generator) -> Tensor:
    """Draw noise levels and noise, and give the loss of a batch, a scalar.

    Args:
        denoiser: in training.
        clean: images, [B, 1, H, W].
        condition: of each, already left open where it shall be.
        generator: draws both.
    """
    noise = torch.randn(clean.shape, generator=generator, device=clean.device)
    if denoiser.objective.kind is not Objective.DDPM:
        sigma = draw_sigmas(denoiser, len(clean), generator)
        return _simple(denoiser, clean, noise, sigma, condition)[0].mean()
    table = torch.as_tensor(denoiser.table)
    steps = torch.randint(len(table), (len(clean),), generator=generator, device=clean.device)
    simple, answer = _simple(denoiser, clean, noise, table[steps], condition)
    bound = variational_bound(denoiser, clean, noise, steps, answer)
    return (simple + denoiser.objective.variance_weight * len(table) * bound).mean()


def draw_sigmas(denoiser: Denoiser, count: int, generator: Generator) -> Tensor:
    """Draw noise levels whose logarithm is normal, [count].

    Reference:
        Karras 2022, table 1, and Esser 2024, Scaling Rectified Flow Transformers, section 3.1 (logit-normal times),
        which are the same in sigma.
    """
    config, table = denoiser.objective, torch.as_tensor(denoiser.table)
    normal = torch.randn(count, generator=generator, device=table.device)
    return torch.exp(config.log_sigma_mean + config.log_sigma_sd * normal)


def target_of(clean: Tensor, noisy: Tensor, row: Coefficients, mean: float) -> Tensor:
    """Give the answer that would make the expected image the clean one."""
    return (clean - mean - row.skip * (noisy - mean)) / row.out


def variational_bound(denoiser: Denoiser, clean: Tensor, noise: Tensor, steps: Tensor, answer: Tensor) -> Tensor:
    """Give the bound's term of each image's step, bits a pixel, [B]; it teaches the variance only.

    Reference:
        Nichol and Dhariwal 2021, Improved DDPM, equations 4 to 7 and 16; the mean is held as it is there.
    """
    table = torch.as_tensor(denoiser.table)
    low, high = (bounds[steps][:, None, None, None] for bounds in _bounds(table))
    sigma = table[steps][:, None, None, None]
    following = torch.where(steps > 0, table[(steps - 1).clamp(min=0)], 0.0)[:, None, None, None]
    noisy = clean + sigma * noise
    denoised = denoiser.put_together(noisy, answer.detach(), denoiser.coefficients(table[steps]))
    share = share_of(answer)
    log_variance = share * high.log() + (1 - share) * low.log()
    weight = 1 - (following / sigma) ** 2
    offset = weight * (clean - denoised)
    divergence = 0.5 * (log_variance - low.log() + (low + offset**2) / log_variance.exp() - 1)
    likelihood = -_log_likelihood(clean, denoised, (log_variance / 2).exp())
    terms = torch.where(steps[:, None, None, None] > 0, divergence, likelihood)
    return terms.mean(dim=(1, 2, 3)) / math.log(2)


def _simple(
    denoiser: Denoiser, clean: Tensor, noise: Tensor, sigma: Tensor, condition: Condition
) -> tuple[Tensor, Tensor]:
    """Give each image's squared error of the network's own answer, [B], and that answer."""
    noisy = clean + sigma[:, None, None, None] * noise
    row = denoiser.coefficients(sigma)
    answer = denoiser.ask(noisy, row, condition)
    wanted = target_of(clean, noisy, row, denoiser.objective.pixel_mean)
    return (answer[:, :1] - wanted).square().mean(dim=(1, 2, 3)), answer


def _bounds(table: Tensor) -> tuple[Tensor, Tensor]:
    """Give both variances of every step of a table, [steps]; the first step's smaller one would be 0: the second's."""
    following = torch.cat([table.new_zeros(1), table[:-1]])
    low, high = variance_bounds(table, following)
    second = low[1] / (1 + table[0] ** 2)
    return torch.cat([second[None], low[1:]]), high


def _log_likelihood(clean: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """Give the log-likelihood of grey levels under a normal distribution, nats; the end levels take the tails."""
    above = torch.special.ndtr((clean + _HALF_GREY - mean) / spread)
    below = torch.special.ndtr((clean - _HALF_GREY - mean) / spread)
    above = torch.where(clean > 1 - _HALF_GREY, 1.0, above)
    below = torch.where(clean < -1 + _HALF_GREY, 0.0, below)
    return (above - below).clamp(min=_LEAST_LIKELIHOOD).log()
