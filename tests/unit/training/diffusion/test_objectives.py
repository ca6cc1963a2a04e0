"""What is minimised is least where it should be, and the bound teaches the variance and nothing else."""

import math
from dataclasses import replace

import pytest
import torch

from tests.unit.training.diffusion.experiments import ask, make_config, make_denoiser, make_images
from training.diffusion.condition import Condition
from training.diffusion.config import NetworkKind, Objective
from training.diffusion.dataset import draw_batch
from training.diffusion.denoiser import Denoiser
from training.diffusion.objectives import _log_likelihood, draw_sigmas, loss_of, variational_bound


def test_drawn_levels_have_the_median_and_spread_that_were_said() -> None:
    denoiser = make_denoiser()
    logs = draw_sigmas(denoiser, 20_000, torch.Generator().manual_seed(0)).log()
    assert float(logs.median()) == pytest.approx(denoiser.objective.log_sigma_mean, abs=0.04)
    assert float(logs.std()) == pytest.approx(denoiser.objective.log_sigma_sd, abs=0.04)


def test_edm_loss_of_an_untrained_network_is_that_of_answering_nothing() -> None:
    config = make_config()
    denoiser = Denoiser(config.network, config.objective, 3)
    generator = torch.Generator().manual_seed(0)
    objective = config.objective
    clean = objective.pixel_mean + objective.pixel_sd * torch.randn(64, 1, 112, 112, generator=generator)
    with torch.no_grad():
        assert float(loss_of(denoiser, clean, ask(64), generator)) == pytest.approx(1.0, abs=0.01)


def thesis() -> Denoiser:
    config = make_config(Objective.DDPM)
    network = replace(config.network, kind=NetworkKind.THESIS, channels=(32, 32), blocks=(1, 1), attention_levels=(1,))
    objective = replace(config.objective, pixel_mean=0.0, pixel_sd=1.0)
    return Denoiser(network, objective, 3)


@pytest.mark.parametrize("step", [1, 40, 900])
def test_bound_of_a_perfect_image_is_least_at_the_least_variance(step: int) -> None:
    denoiser, clean = thesis(), torch.rand(1, 1, 8, 8) - 0.5
    noise = torch.randn(1, 1, 8, 8)
    bounds = [
        float(variational_bound(denoiser, clean, noise, torch.tensor([step]), torch.cat([noise, noise * 0 + v], dim=1)))
        for v in (-1.0, 0.0, 1.0)
    ]
    assert bounds[0] == pytest.approx(0.0, abs=1e-4)
    assert bounds[0] <= bounds[1] <= bounds[2]


def test_bound_of_a_wrong_image_asks_for_more_variance() -> None:
    denoiser, clean, noise = thesis(), torch.zeros(1, 1, 8, 8), torch.randn(1, 1, 8, 8)
    low, high = (
        float(
            variational_bound(denoiser, clean, noise, torch.tensor([1]), torch.cat([noise + 3, noise * 0 + v], dim=1))
        )
        for v in (-1.0, 1.0)
    )
    assert high < low


def test_bound_teaches_the_variance_and_not_the_mean() -> None:
    denoiser, clean, noise = thesis(), torch.zeros(2, 1, 8, 8), torch.randn(2, 1, 8, 8)
    answer = torch.randn(2, 2, 8, 8, requires_grad=True)
    variational_bound(denoiser, clean, noise, torch.tensor([0, 30]), answer).sum().backward()
    assert answer.grad is not None
    assert not answer.grad[:, 0].any()
    assert answer.grad[:, 1].any()


def test_likelihoods_of_all_grey_levels_sum_to_one() -> None:
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)
    for mean, spread in ((0.1, 0.05), (-1.0, 0.2)):
        logs = _log_likelihood(levels, torch.tensor(mean), torch.tensor(spread))
        assert float(logs.exp().sum()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("kind", list(Objective))
def test_loss_falls_when_it_is_followed(kind: Objective) -> None:
    denoiser = thesis() if kind is Objective.DDPM else make_denoiser(kind).train()
    clean, condition = draw_batch(make_images(), 4, 0, 0, torch.device("cpu"))
    clean = torch.nn.functional.avg_pool2d(clean, 7) if kind is Objective.DDPM else clean  # [4, 1, 16, 16] is quick
    optimiser = torch.optim.Adam(denoiser.parameters(), 2e-3)
    losses = []
    for _ in range(8):
        loss = loss_of(denoiser, clean, Condition(condition.view, condition.style), torch.Generator().manual_seed(1))
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert math.isfinite(losses[-1])
    assert losses[-1] < 0.97 * losses[0]
