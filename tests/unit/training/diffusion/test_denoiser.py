"""Each row of the table: the right answer gives the clean image, and the network is shown and asked for unit size."""

import pytest
import torch

from tests.unit.training.diffusion.experiments import STYLES, ask, make_denoiser
from training.diffusion.condition import ANY_VIEW, Condition
from training.diffusion.config import Objective
from training.diffusion.denoiser import LEVELS
from training.diffusion.objectives import target_of

EVERY = list(Objective)
SIGMAS = torch.tensor([0.02, 0.3, 2.0, 40.0])


@pytest.mark.parametrize("kind", EVERY)
def test_the_right_answer_gives_the_clean_image(kind: Objective) -> None:
    denoiser = make_denoiser(kind)
    clean, noise = torch.rand(4, 1, 8, 8) * 2 - 1, torch.randn(4, 1, 8, 8)
    noisy, row = clean + SIGMAS[:, None, None, None] * noise, denoiser.coefficients(SIGMAS)
    answer = target_of(clean, noisy, row, denoiser.objective.pixel_mean)
    assert torch.allclose(denoiser.put_together(noisy, answer, row), clean, atol=1e-4)


@pytest.mark.parametrize(("kind", "wanted"), [(Objective.DDPM, 1.0), (Objective.FLOW, 1.0)])
def test_ddpm_asks_for_noise_and_flow_for_noise_less_image(kind: Objective, wanted: float) -> None:
    denoiser = make_denoiser(kind)
    mean = denoiser.objective.pixel_mean
    clean, noise = torch.rand(4, 1, 8, 8) * 2 - 1, torch.randn(4, 1, 8, 8)
    noisy = clean + SIGMAS[:, None, None, None] * noise
    answer = target_of(clean, noisy, denoiser.coefficients(SIGMAS), mean)
    expected = noise * wanted if kind is Objective.DDPM else noise - (clean - mean)
    assert torch.allclose(answer, expected, atol=2e-3)


def test_edm_shows_and_asks_for_unit_size_at_every_level() -> None:
    denoiser = make_denoiser()
    config = denoiser.objective
    generator = torch.Generator().manual_seed(0)
    clean = config.pixel_mean + config.pixel_sd * torch.randn(4, 1, 100, 100, generator=generator)
    noisy = clean + SIGMAS[:, None, None, None] * torch.randn(clean.shape, generator=generator)
    row = denoiser.coefficients(SIGMAS)
    shown = (noisy - config.pixel_mean) * row.inner
    asked = target_of(clean, noisy, row, config.pixel_mean)
    for values in (shown, asked):
        assert torch.allclose(values.std(dim=(1, 2, 3)), torch.ones(4), atol=0.05)


def test_ddpm_tells_the_step_of_each_level_of_its_table_and_between_them() -> None:
    denoiser = make_denoiser(Objective.DDPM)
    table = torch.as_tensor(denoiser.table)
    chosen = torch.tensor([0, 1, 500, 999])
    assert torch.allclose(denoiser.coefficients(table[chosen]).level, chosen * LEVELS / len(table), atol=1e-2)
    between = denoiser.coefficients((table[500:501] + table[501:502]) / 2).level
    assert float(between) == pytest.approx(500.5, abs=0.01)


def test_ddpm_finds_a_step_where_a_search_would() -> None:
    denoiser = make_denoiser(Objective.DDPM)
    table = torch.as_tensor(denoiser.table)
    sigma = torch.cat([table[::97], table[5:9] * 1.0001, table[:1] / 2, table[-1:] * 2])
    above = torch.searchsorted(table, sigma).clamp(1, len(table) - 1)
    step = above - 1 + ((sigma - table[above - 1]) / (table[above] - table[above - 1])).clamp(0, 1)
    assert torch.equal(denoiser.coefficients(sigma).level, step * LEVELS / len(table))


@pytest.mark.parametrize("kind", EVERY)
def test_images_of_a_batch_do_not_touch_one_another(kind: Objective) -> None:
    denoiser = make_denoiser(kind)
    noisy, sigma = torch.randn(3, 1, 112, 112), torch.tensor([0.1, 0.5, 3.0])
    with torch.no_grad():
        together, alone = denoiser(noisy, sigma, ask(3)), denoiser(noisy[1:2], sigma[1:2], ask(1))
    assert together.shape == noisy.shape
    assert torch.allclose(together[1:2], alone, atol=1e-4)


def test_view_style_and_any_each_change_the_answer() -> None:
    denoiser, noisy = make_denoiser(), torch.randn(1, 1, 112, 112)
    asked = [(0, 0), (1, 0), (0, 1), (ANY_VIEW, 0), (0, STYLES)]
    with torch.no_grad():
        answers = [
            denoiser(noisy, torch.ones(1), Condition(torch.tensor([view]), torch.tensor([style])))
            for view, style in asked
        ]
    assert all(not torch.equal(answers[0], other) for other in answers[1:])
