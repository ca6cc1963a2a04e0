"""Draw images from a denoiser as an experiment says, and end them as the service's preprocessing would."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional

from services.cine.errors import ConfigError
from services.cine.preprocessing import MODEL_SIDE_PX
from training.diffusion.condition import Condition
from training.diffusion.config import Objective, SamplerName, SamplingConfig
from training.diffusion.denoiser import Denoiser
from training.diffusion.guidance import guide
from training.diffusion.samplers import Sampler, ancestral, ddim, dpm_solver_pp_2m, euler_flow, heun
from training.diffusion.schedules import flow_sigmas, karras_sigmas, respace

_BLACK, _DARK = -1 + 2 * 3 / 255, -1 + 2 * 6 / 255
"""Up to three grey levels is black, from six on as it is, and straight between: the sector is where it is not black,
and noise of a grey level outside would make it the whole picture. A step would let rounding decide."""

_BATCH = 32

_SAMPLERS: dict[SamplerName, Sampler] = {
    SamplerName.DDIM: ddim,
    SamplerName.DPM_SOLVER_PP_2M: dpm_solver_pp_2m,
    SamplerName.HEUN: heun,
    SamplerName.EULER_FLOW: euler_flow,
}


def finish(images: Tensor) -> Tensor:
    """Make an image what preprocessing would have made: in [-1, 1], and -1 outside the sector."""
    lifted = images - (_BLACK + 1) / (_DARK - _BLACK) * functional.relu(_DARK - images)
    return lifted.clamp(-1, 1)


@torch.no_grad()
def draw_images(denoiser: Denoiser, config: SamplingConfig, condition: Condition, seed: int) -> Tensor:
    """Draw an image for each condition, [B, 1, 112, 112] in [-1, 1], in float32 on the CPU.

    Args:
        denoiser: trained.
        config: how.
        condition: what to show.
        seed: of the noise.

    Raises:
        ConfigError: ancestral sampling with guidance, which this does not do.
    """
    device = next(denoiser.parameters()).device
    generator = Generator(device).manual_seed(seed)
    sigmas = sigmas_of(denoiser, config).to(device)
    images = []
    for start in range(0, len(condition.view), _BATCH):
        rows = slice(start, start + _BATCH)
        part = Condition(condition.view[rows], condition.style[rows]).to(device)
        shape = (len(part.view), 1, MODEL_SIDE_PX, MODEL_SIDE_PX)
        noise = torch.randn(shape, generator=generator, device=device)
        images.append(finish(_sample(denoiser, config, noise, sigmas, part, generator)).cpu())
    return torch.cat(images)


def sigmas_of(denoiser: Denoiser, config: SamplingConfig) -> Tensor:
    """Give the noise levels that a sampler walks down, [steps + 1].

    DDPM's ancestral and DDIM sampling keep to its own table, respaced; other samplers stay within it.
    """
    low, high = config.sigma_low, config.sigma_high
    if denoiser.objective.kind is Objective.DDPM:
        table = torch.as_tensor(denoiser.table).cpu()
        if config.sampler in (SamplerName.ANCESTRAL, SamplerName.DDIM):
            return respace(table, config.steps)
        low, high = max(low, float(table[0])), min(high, float(table[-1]))
    if config.sampler is SamplerName.EULER_FLOW:
        return flow_sigmas(config.steps, high)
    return karras_sigmas(config.steps, low, high)


def _sample(
    denoiser: Denoiser,
    config: SamplingConfig,
    noise: Tensor,
    sigmas: Tensor,
    condition: Condition,
    generator: Generator,
) -> Tensor:
    if config.sampler is not SamplerName.ANCESTRAL:
        denoise = guide(denoiser, config.guidance, denoiser.any_style)
        return _SAMPLERS[config.sampler](denoise, noise, sigmas, condition)
    if config.guidance.weight != 1.0:
        raise ConfigError(
            found=f"ancestral sampling with guidance {config.guidance.weight}",
            expected="a weight of 1",
            advice="Choose another sampler, or no guidance.",
        )
    return ancestral(denoiser.predict, noise, sigmas, condition, generator)
