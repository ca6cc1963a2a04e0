"""View and style are left open each by itself; guidance goes from "any" towards what was asked."""

import pytest
import torch
from torch import Tensor

from tests.unit.training.diffusion.experiments import STYLES, ask
from training.diffusion.condition import ANY_VIEW, Condition, ConditionEmbedding, drop, join, leave_open
from training.diffusion.guidance import GuidanceConfig, guide


def test_view_and_style_are_dropped_independently_and_as_often_as_said() -> None:
    dropped = drop(ask(20_000), STYLES, (0.1, 0.4), torch.Generator().manual_seed(0))
    view, style = dropped.view == ANY_VIEW, dropped.style == STYLES
    assert float(view.float().mean()) == pytest.approx(0.1, abs=0.01)
    assert float(style.float().mean()) == pytest.approx(0.4, abs=0.015)
    assert float((view & style).float().mean()) == pytest.approx(0.04, abs=0.006)
    assert bool((dropped.view[~view] == 1).all())


def test_embedding_knows_every_view_every_style_and_any_of_both() -> None:
    embedding = ConditionEmbedding(8, STYLES)
    views, styles = (axis.ravel() for axis in torch.meshgrid(torch.arange(5), torch.arange(4), indexing="ij"))
    vectors = embedding(Condition(views, styles))
    assert vectors.shape == (20, 8)
    assert len(torch.unique(vectors.detach(), dim=0)) == 20


def answer(noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
    """Say 1 where nothing is asked, 3 where something is."""
    return torch.where(condition.view == ANY_VIEW, 1.0, 3.0)[:, None, None, None].expand_as(noisy)


@pytest.mark.parametrize(
    ("sigma", "weight", "expected"), [(1.0, 2.0, 5.0), (1.0, 1.0, 3.0), (20.0, 2.0, 3.0), (0.01, 2.0, 3.0)]
)
def test_guidance_acts_between_its_noise_levels_only(sigma: float, weight: float, expected: float) -> None:
    guided = guide(answer, GuidanceConfig(weight, 0.1, 10.0), STYLES)
    assert float(guided(torch.zeros(2, 1, 4, 4), torch.full((2,), sigma), ask(2)).mean()) == expected


def test_guidance_leaves_what_is_open_as_it_is() -> None:
    guided = guide(answer, GuidanceConfig(3.0, 0.1, 10.0), STYLES)
    assert float(guided(torch.zeros(2, 1, 4, 4), torch.ones(2), leave_open(ask(2), STYLES)).mean()) == 1.0


def test_joining_puts_one_batch_after_the_other() -> None:
    both = join(ask(2, view=0), ask(1, view=3))
    assert both.view.tolist() == [0, 0, 3]
