"""Evaluations are counted as the network is asked, and every view is drawn as often."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from training.diffusion.condition import Condition
from training.diffusion.config import DiffusionConfig, SamplerName, SamplingConfig, load_preset
from training.diffusion.denoiser import Denoiser
from training.diffusion.drawing import draw_images
from training.diffusion.guidance import GuidanceConfig
from training.evaluation.synthesis.steps import choose_balanced, count_evaluations, walk_within

STYLES = 3


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    smoke = load_preset("smoke", DiffusionConfig)
    return Denoiser(smoke.network, smoke.objective, STYLES).eval()


def sampling(sampler: SamplerName, steps: int, weight: float) -> SamplingConfig:
    return replace(
        load_preset("smoke", DiffusionConfig).sampling,
        sampler=sampler,
        steps=steps,
        guidance=GuidanceConfig(weight, 0.1, 10.0),
    )


@pytest.mark.parametrize("sampler", [SamplerName.DPM_SOLVER_PP_2M, SamplerName.HEUN, SamplerName.DDIM])
@pytest.mark.parametrize("weight", [1.0, 1.5])
def test_evaluations_are_those_that_the_network_is_asked_for(
    denoiser: Denoiser, sampler: SamplerName, weight: float
) -> None:
    walk = sampling(sampler, 5, weight)
    asked = 0

    def count(_network: object, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal asked
        asked += len(inputs[0])

    hook = denoiser.network.register_forward_pre_hook(count)
    draw_images(denoiser, walk, Condition(torch.tensor([0]), torch.tensor([1])), 1)
    hook.remove()
    assert count_evaluations(denoiser, walk) == asked


@pytest.mark.parametrize("wanted", [1, 2, 4, 8, 32])
def test_a_walk_takes_all_the_steps_that_its_evaluations_allow(denoiser: Denoiser, wanted: int) -> None:
    walk = walk_within(denoiser, sampling(SamplerName.DPM_SOLVER_PP_2M, 1, 1.5), wanted)
    assert count_evaluations(denoiser, walk) <= wanted
    assert count_evaluations(denoiser, replace(walk, steps=walk.steps + 1)) > wanted


def test_views_are_chosen_equally_often() -> None:
    views = np.array([0, 0, 0, 0, 1, 2, 2, 3])
    chosen = choose_balanced(views, 12)
    assert np.bincount(views[chosen]).tolist() == [3, 3, 3, 3]
    assert set(chosen[views[chosen] == 1]) == {4}
