"""Attacks find members where there is something to find, and stay at chance where there is not."""

import numpy as np
import pytest
import torch

from services.cine.preprocessing import to_tensor
from tests.unit.models.copy_scenes import frames
from training.diffusion.condition import Condition
from training.evaluation.synthesis.membership import attack, attack_by_distance, attack_by_loss, extract
from training.evaluation.synthesis.pictures import Pictures


def scores(seed: int, count: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count) + mean


def pictures(subjects: range) -> Pictures:
    count = len(subjects)
    return Pictures(frames(subjects), np.zeros(count, int), np.zeros(count, int), np.array(subjects), np.arange(count))


def test_equal_scores_are_chance() -> None:
    found = attack(np.zeros(50), np.zeros(70))
    assert found.area == 0.5
    assert found.found.hits == 0


def test_area_is_that_of_two_gaussians() -> None:
    """Two Gaussians a standard deviation apart: the area is Phi(1 / sqrt(2)), and Phi(1 - 2.326) are found."""
    found = attack(scores(1, 40_000, -1.0), scores(2, 40_000))
    assert found.area == pytest.approx(0.7602, abs=0.01)
    assert found.found.hits / found.found.count == pytest.approx(0.0924, abs=0.01)


def test_members_that_were_copied_are_found_by_distance() -> None:
    rng = np.random.default_rng(3)
    members, others = rng.standard_normal((2, 400, 8))
    made = np.concatenate([members[:100] + 0.01, rng.standard_normal((300, 8))])
    found = attack_by_distance(members, others, made)
    assert found.found.hits == pytest.approx(100, abs=6)
    assert attack_by_distance(members, others, rng.standard_normal((400, 8))).area == pytest.approx(0.5, abs=0.06)


def test_a_generator_that_knows_its_pictures_by_heart_is_found_out() -> None:
    members, others = pictures(range(40)), pictures(range(100, 140))
    known = torch.from_numpy(to_tensor(members.frames))

    def denoise(noisy: torch.Tensor, sigma: torch.Tensor, condition: Condition) -> torch.Tensor:
        apart = (noisy[:, None] - known[None]).square().sum(dim=(2, 3, 4))
        return known[apart.argmin(dim=1)]

    assert attack_by_loss(members, others, denoise).area == 1


def test_a_generator_that_knows_nobody_is_not() -> None:
    members, others = pictures(range(200)), pictures(range(300, 500))
    found = attack_by_loss(members, others, lambda noisy, sigma, condition: torch.zeros_like(noisy))
    assert found.area == pytest.approx(0.5, abs=0.1)


def test_canaries_that_come_back_are_extracted() -> None:
    rng = np.random.default_rng(4)
    canaries, controls = rng.standard_normal((10, 8)), rng.standard_normal((255, 8))
    found = extract(canaries, controls, canaries[:4] + 0.001)
    assert found.extracted.hits >= 4
    unseen = extract(rng.standard_normal((200, 8)), controls, rng.standard_normal((50, 8)))
    assert unseen.exposure == pytest.approx(np.log2(np.e), abs=0.4)  # the mean of -log2 of a uniform rank
    assert found.exposure > 0.4 * np.log2(256)
