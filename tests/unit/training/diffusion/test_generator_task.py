"""What the loop is given: batches that depend on their number alone, and measures that tell blur from speckle."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from services.cine.errors import ConfigError
from tests.unit.training.diffusion.experiments import STYLES, ask, make_config, make_denoiser, make_images, make_parts
from training.diffusion.condition import Condition
from training.diffusion.config import Objective, SamplerName
from training.diffusion.drawing import draw_images, finish, sigmas_of
from training.diffusion.measures import denoising_errors, fine_detail
from training.diffusion.task import DiffusionTask, as_denoiser


def test_same_number_gives_the_same_loss_and_another_another(tmp_path: Path) -> None:
    task = DiffusionTask(make_config(), make_parts(), STYLES, tmp_path)
    denoiser = make_denoiser()
    with torch.no_grad():
        losses = [float(task.loss(denoiser, number)) for number in (4, 4, 5)]
    assert losses[0] == losses[1] != losses[2]


def test_validation_measures_denoising_and_fine_detail_and_keeps_a_row_of_pictures(tmp_path: Path) -> None:
    task = DiffusionTask(make_config(), make_parts(), STYLES, tmp_path / "drawn")
    measured = task.validate(make_denoiser(), 20)
    assert set(measured) == {"rmse_at_0.1", "rmse_at_0.4", "rmse_at_1.6", "fine_detail"}
    assert measured == task.validate(make_denoiser(), 40)
    first, second = (cv2.imread(str(tmp_path / "drawn" / name)) for name in ("0000020.png", "0000040.png"))
    assert first is not None
    assert first.shape == (114, 8 * 114, 3)
    assert first.std() > 0
    assert np.array_equal(first, second)  # the same noise
    assert all(value > 0 for value in measured.values())


def test_denoising_error_of_the_truth_is_nothing_and_of_no_work_the_noise() -> None:
    clean = torch.rand(70, 1, 16, 16)
    condition = Condition(torch.arange(70) % 4, torch.zeros(70, dtype=torch.int64))
    nothing = denoising_errors(lambda noisy, sigma, asked: noisy, clean, condition, 0)
    assert nothing["rmse_at_0.4"] == pytest.approx(0.4, rel=0.03)


def test_fine_detail_is_one_for_the_same_less_for_blur_and_more_for_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    speckle = torch.nn.functional.avg_pool2d(torch.randn(16, 1, 114, 114, generator=generator), 3, stride=1)
    blurred = torch.nn.functional.avg_pool2d(speckle, 5, stride=1, padding=2)
    assert fine_detail(speckle, speckle) == 1.0
    assert fine_detail(blurred, speckle) < 0.2
    assert fine_detail(speckle + 0.5 * torch.randn(speckle.shape, generator=generator), speckle) > 1.5


def test_finishing_blackens_grey_levels_that_are_rounding_and_keeps_the_rest() -> None:
    grey = torch.arange(0, 256, dtype=torch.float64)
    finished = (finish(2 * grey / 255 - 1) + 1) * 255 / 2
    assert finished[:4].abs().max() < 1e-9
    assert torch.allclose(finished[6:], grey[6:])
    assert bool((finished.diff() >= -1e-9).all())
    assert finish(torch.tensor([-3.0, 7.0])).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("name", [name for name in SamplerName if name is not SamplerName.ANCESTRAL])
def test_every_sampler_draws_the_same_image_from_the_same_seed(name: SamplerName) -> None:
    config, denoiser = replace(make_config().sampling, sampler=name, steps=2), make_denoiser()
    first, again, other = (draw_images(denoiser, config, ask(1), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first.abs().max()) <= 1.0


def test_ancestral_sampling_takes_no_guidance() -> None:
    config = replace(make_config(Objective.DDPM).sampling, sampler=SamplerName.ANCESTRAL, steps=2)
    with pytest.raises(ConfigError, match="guidance"):
        draw_images(make_denoiser(Objective.DDPM), config, ask(1), 0)
    plain = replace(config, guidance=replace(config.guidance, weight=1.0))
    assert draw_images(make_denoiser(Objective.DDPM), plain, ask(2), 0).shape == (2, 1, 112, 112)


def test_ddpm_is_sampled_within_its_own_table() -> None:
    denoiser, config = make_denoiser(Objective.DDPM), make_config().sampling
    table = torch.as_tensor(denoiser.table)
    for name in (SamplerName.DDIM, SamplerName.HEUN):
        sigmas = sigmas_of(denoiser, replace(config, sampler=name, steps=5, sigma_high=1000.0, sigma_low=1e-6))
        assert float(sigmas[0]) == pytest.approx(float(table[-1]), rel=1e-4)
        assert float(sigmas[-2]) == pytest.approx(float(table[0]), rel=1e-3)


def test_other_networks_are_refused() -> None:
    with pytest.raises(TypeError, match="Linear"):
        as_denoiser(torch.nn.Linear(1, 1))


def test_images_of_experiments_differ_by_view() -> None:
    images = make_images(8)
    assert not np.array_equal(images.images[0], images.images[1])
