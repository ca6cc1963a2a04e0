"""From noise to an image along falling noise levels; one short function each.

All take the same: a denoiser, standard normal noise [B, C, H, W], falling levels [N + 1] of which the last may be 0,
and the condition. All but `ancestral` draw nothing: the same noise gives the same image.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Generator, Tensor

from training.diffusion.condition import Condition, Denoise

Predict = Callable[[Tensor, Tensor, Condition], tuple[Tensor, Tensor]]
"""As `Denoise`, with the share of the larger of two variances beside x0, both like x; shares are 0-1."""

Sampler = Callable[[Denoise, Tensor, Tensor, Condition], Tensor]


def ddim(denoise: Denoise, noise: Tensor, sigmas: Tensor, condition: Condition) -> Tensor:
    """Take straight steps towards the expected image; one evaluation a step, order 1.

    Reference:
        Song 2021, Denoising Diffusion Implicit Models, equation 12 with sigma = 0.
    """
    noisy = noise * sigmas[0]
    for sigma, following in pairwise(sigmas):
        noisy = step_towards(denoise(noisy, _spread(sigma, noisy), condition), noisy, sigma, following)
    return noisy


def step_towards(denoised: Tensor, noisy: Tensor, sigma: Tensor, following: Tensor) -> Tensor:
    """Go from one noise level to the next as if the expected image stayed what it is."""
    return denoised + (following / sigma) * (noisy - denoised)


def heun(denoise: Denoise, noise: Tensor, sigmas: Tensor, condition: Condition) -> Tensor:
    """Correct each step by the slope at its end; two evaluations a step, one in the step to 0; order 2.

    Reference:
        Karras 2022, Elucidating the Design Space of Diffusion-Based Generative Models, algorithm 1.
    """
    noisy = noise * sigmas[0]
    for sigma, following in pairwise(sigmas):
        slope = (noisy - denoise(noisy, _spread(sigma, noisy), condition)) / sigma
        ahead = noisy + (following - sigma) * slope
        if following > 0:
            end = (ahead - denoise(ahead, _spread(following, ahead), condition)) / following
            ahead = noisy + (following - sigma) * (slope + end) / 2
        noisy = ahead
    return noisy


def dpm_solver_pp_2m(denoise: Denoise, noise: Tensor, sigmas: Tensor, condition: Condition) -> Tensor:
    """Extrapolate the expected image from this step's and the last one's; one evaluation a step, order 2.

    Reference:
        Lu 2022, DPM-Solver++, algorithm 2, with lambda = -log sigma.
    """
    noisy, last, last_width = noise * sigmas[0], None, None
    for sigma, following in pairwise(sigmas):
        denoised = denoise(noisy, _spread(sigma, noisy), condition)
        width = torch.log(sigma / following)
        aim = denoised
        if last is not None and last_width is not None and following > 0:
            aim = denoised + (denoised - last) * width / (2 * last_width)
        noisy = step_towards(aim, noisy, sigma, following)
        last, last_width = denoised, width
    return noisy


def euler_flow(denoise: Denoise, noise: Tensor, sigmas: Tensor, condition: Condition) -> Tensor:
    """Follow the velocity of a rectified flow, z = (1 - t) x0 + t noise with t = sigma / (1 + sigma); order 1.

    Reference:
        Liu 2023, Flow Straight and Fast, section 2.1.
    """
    times = sigmas / (1 + sigmas)
    mixed = noise * times[0]
    for time, following in pairwise(times):
        sigma = time / (1 - time)
        velocity = (mixed - denoise(mixed * (1 + sigma), _spread(sigma, mixed), condition)) / time
        mixed = mixed + (following - time) * velocity
    return mixed / (1 - times[-1])


def ancestral(predict: Predict, noise: Tensor, sigmas: Tensor, condition: Condition, generator: Generator) -> Tensor:
    """Draw each step from DDPM's reverse process, whose variance the network chooses between two bounds.

    Reference:
        Ho 2020, algorithm 2; Nichol and Dhariwal 2021, Improved DDPM, equation 15.
    """
    noisy = noise * sigmas[0]
    for sigma, following in pairwise(sigmas):
        denoised, share = predict(noisy, _spread(sigma, noisy), condition)
        noisy = denoised + (following / sigma) ** 2 * (noisy - denoised)
        if following > 0:
            low, high = variance_bounds(sigma, following)
            spread = torch.exp((share * torch.log(high) + (1 - share) * torch.log(low)) / 2)
            fresh = torch.randn(noisy.shape, generator=generator, device=noisy.device, dtype=noisy.dtype)
            noisy = noisy + spread * fresh
    return noisy


def variance_bounds(sigma: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
    """Give DDPM's two variances of a step, beta-tilde and beta, both divided by the following level's alpha-bar."""
    gone = sigma**2 - following**2
    return following**2 * gone / sigma**2, gone * (1 + following**2) / (1 + sigma**2)


def _spread(sigma: Tensor, noisy: Tensor) -> Tensor:
    """Give one level to each image, [B]."""
    return sigma.expand(noisy.shape[0])  # its length would be a fixed number in an exported graph
