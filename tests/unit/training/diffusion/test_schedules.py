"""Noise levels fall, end where they must, and are those of the papers."""

import pytest
import torch

from training.diffusion.schedules import BetaSchedule, ddpm_sigmas, flow_sigmas, karras_sigmas, log_sigmas, respace


@pytest.mark.parametrize("sigmas", [karras_sigmas(9, 0.01, 40.0), flow_sigmas(9, 40.0)], ids=["karras", "flow"])
def test_levels_fall_from_the_highest_to_nothing(sigmas: torch.Tensor) -> None:
    assert len(sigmas) == 10
    assert float(sigmas[0]) == pytest.approx(40.0, rel=1e-4)
    assert float(sigmas[-1]) == 0.0
    assert bool((sigmas.diff() < 0).all())


def test_karras_levels_have_evenly_spaced_seventh_roots() -> None:
    roots = karras_sigmas(9, 0.01, 40.0)[:-1].double() ** (1 / 7)
    assert torch.allclose(roots.diff(), roots.diff().mean(), rtol=1e-4)


def test_flow_levels_are_evenly_spaced_in_time() -> None:
    sigmas = flow_sigmas(8, 40.0)
    times = sigmas / (1 + sigmas)
    assert torch.allclose(times.diff(), times.diff().mean(), atol=1e-5)


def test_log_levels_fall_by_one_factor() -> None:
    sigmas = log_sigmas(3, 0.5, 4.0)
    assert torch.allclose(sigmas, torch.tensor([4.0, 2.0, 1.0, 0.5]))


@pytest.mark.parametrize("steps", [100, 1000, 4000])
def test_linear_table_keeps_its_end_whatever_the_number_of_steps(steps: int) -> None:
    table = ddpm_sigmas(BetaSchedule.LINEAR, steps)
    kept = 1 / (1 + table[-1] ** 2)
    assert 2e-5 < float(kept) < 6e-5  # 4.0e-5 at 1,000 steps, as published
    assert bool((table.diff() > 0).all())


def test_linear_table_holds_the_published_first_variance() -> None:
    first = float(ddpm_sigmas(BetaSchedule.LINEAR, 1000)[0])
    assert first**2 / (1 + first**2) == pytest.approx(1e-4, rel=1e-3)


def test_cosine_table_is_half_gone_half_way() -> None:
    table = ddpm_sigmas(BetaSchedule.COSINE, 1000)
    assert float(1 / (1 + table[499] ** 2)) == pytest.approx(0.49, abs=0.01)
    assert bool((table.diff() > 0).all())


def test_respacing_keeps_both_ends_and_only_levels_of_the_table() -> None:
    table = ddpm_sigmas(BetaSchedule.LINEAR, 1000)
    chosen = respace(table, 250)
    assert len(chosen) == 251
    assert chosen[0] == table[-1]
    assert chosen[-2] == table[0]
    assert chosen[-1] == 0
    assert bool(torch.isin(chosen[:-1], table).all())
    assert bool((chosen.diff() < 0).all())
