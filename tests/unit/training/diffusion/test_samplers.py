"""Laws of the samplers on data whose expected image is known exactly."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.unit.training.diffusion.gaussian import MEAN, NOBODY, SD, denoise, draw_noise, walk_exactly
from training.diffusion.condition import Condition
from training.diffusion.samplers import (
    Sampler,
    ancestral,
    ddim,
    dpm_solver_pp_2m,
    euler_flow,
    heun,
    variance_bounds,
)
from training.diffusion.schedules import flow_sigmas, karras_sigmas, log_sigmas

HIGH, LOW = 20.0, 0.05
FEW = (1, 2, 4, 8, 32)
DETERMINISTIC = [ddim, heun, dpm_solver_pp_2m, euler_flow]


def predict(noisy: Tensor, sigma: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
    """Give the exact image with the smaller of DDPM's variances."""
    denoised = denoise(noisy, sigma, condition)
    return denoised, torch.zeros_like(denoised)


def error(sampler: Sampler, sigmas: Tensor) -> float:
    """Measure how far from the exact walk a sampler ends."""
    noise = draw_noise(8)
    levels = sigmas.double()
    exact = walk_exactly(noise * levels[0], float(levels[0]), float(levels[-1]))
    return float((sampler(denoise, noise, levels, NOBODY) - exact).square().mean().sqrt())


@pytest.mark.parametrize(
    ("sampler", "order"),
    [(ddim, 1), (euler_flow, 1), (heun, 2), (dpm_solver_pp_2m, 2)],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_error_falls_with_the_order_of_the_sampler(sampler: Sampler, order: int) -> None:
    coarse, fine = (error(sampler, log_sigmas(count, LOW, HIGH)) for count in (128, 512))
    assert math.log(coarse / fine, 4) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("sampler", DETERMINISTIC, ids=lambda sampler: sampler.__name__)
def test_more_evaluations_come_closer_to_the_exact_image(sampler: Sampler) -> None:
    """Of 1, 2, 4, 8, 32 evaluations; of Heun 1, 7, 15, 31: with 3 its one long step overshoots."""
    errors = [error(sampler, karras_sigmas(steps, LOW, HIGH)) for steps in ((1, 4, 8, 16) if sampler is heun else FEW)]
    assert all(more < fewer for fewer, more in pairwise(errors))
    assert errors[-1] < 0.1 * errors[0]


@pytest.mark.parametrize("sampler", DETERMINISTIC, ids=lambda sampler: sampler.__name__)
def test_same_noise_gives_the_same_image_whatever_stands_beside_it(sampler: Sampler) -> None:
    noise, sigmas = draw_noise(3), karras_sigmas(6, LOW, HIGH).double()
    together = sampler(denoise, noise, sigmas, NOBODY)
    assert torch.equal(together, sampler(denoise, noise, sigmas, NOBODY))
    assert torch.equal(together[1:2], sampler(denoise, noise[1:2], sigmas, NOBODY))


@pytest.mark.parametrize(("sampler", "evaluations"), [(ddim, 5), (dpm_solver_pp_2m, 5), (euler_flow, 5), (heun, 9)])
def test_evaluations_are_as_many_as_said(sampler: Sampler, evaluations: int) -> None:
    calls = []
    sampler(
        lambda *asked: calls.append(1) or denoise(*asked), draw_noise(1), karras_sigmas(5, LOW, HIGH).double(), NOBODY
    )
    assert len(calls) == evaluations


def test_flow_and_ddim_are_one_walk() -> None:
    noise, sigmas = draw_noise(2), flow_sigmas(7, HIGH).double()
    assert torch.allclose(euler_flow(denoise, noise, sigmas, NOBODY), ddim(denoise, noise, sigmas, NOBODY), atol=1e-9)


def test_multistep_follows_what_the_image_does_to_second_order_in_log_sigma() -> None:
    sigmas = log_sigmas(4, LOW, HIGH).double()

    def line(noisy: Tensor, sigma: Tensor, _: object) -> Tensor:
        return sigma.log().reshape(-1, 1, 1, 1).expand_as(noisy)

    def exact(sigma: float, following: float, noisy: Tensor) -> Tensor:
        left = following / sigma  # of x' = (x - log s) / s, solved
        return math.log(following) + 1 + left * (noisy - math.log(sigma) - 1)

    noise = draw_noise(1)
    walked = dpm_solver_pp_2m(line, noise, sigmas, NOBODY)
    straight = ddim(line, noise, sigmas, NOBODY)
    wanted = exact(HIGH, LOW, noise * HIGH)
    assert float((walked - wanted).abs().max()) < 0.5 * float((straight - wanted).abs().max())


def test_ancestral_draws_have_the_mean_and_spread_of_the_data() -> None:
    noise, errors = draw_noise(4000), []
    for steps in (8, 128):
        sigmas = karras_sigmas(steps, 0.01, HIGH).double()
        generator = torch.Generator().manual_seed(1)
        drawn = ancestral(predict, noise, sigmas, NOBODY, generator)
        assert float(((drawn.mean(dim=0) - MEAN[0]) / SD[0]).abs().max()) < 0.1
        errors.append(float((drawn.std(dim=0) / SD[0]).log().abs().max()))
    assert errors[1] < 0.1 < errors[0]


def test_ancestral_is_repeated_by_its_generator() -> None:
    noise, sigmas = draw_noise(2), karras_sigmas(5, LOW, HIGH).double()
    first, again, other = (
        ancestral(predict, noise, sigmas, NOBODY, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_variances_are_those_of_ddpm_over_alpha_bar() -> None:
    beta, kept = torch.tensor(0.03), torch.tensor(0.6)  # of this step, and all that is left after the one before
    left = kept * (1 - beta)
    sigma, following = ((1 - left) / left).sqrt(), ((1 - kept) / kept).sqrt()
    low, high = variance_bounds(sigma, following)
    assert float(high * kept) == pytest.approx(0.03, rel=1e-4)
    assert float(low * kept) == pytest.approx(0.03 * float((1 - kept) / (1 - left)), rel=1e-4)
