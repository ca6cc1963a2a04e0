"""A student that has learned its lessons ends where the teacher's many guided steps end."""

from dataclasses import replace

import pytest
import torch

from services.cine.errors import ConfigError
from tests.unit.training.diffusion.experiments import make_config, make_denoiser, make_parts
from training.diffusion.config import DiffusionConfig, DistilConfig, load_preset, preset_names
from training.diffusion.distil import DistilTask, aim_of, walks_of
from training.diffusion.recipe import check_guidance, check_nodes
from training.diffusion.samplers import step_towards


def make_task(own_share: float = 0.0, batch_size: int = 4) -> DistilTask:
    config = replace(load_preset("smoke", DistilConfig), own_share=own_share, batch_size=batch_size)
    return DistilTask(config, make_config(), make_denoiser(), make_parts())


def test_aim_is_where_one_straight_step_must_look() -> None:
    start, end = torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    sigma, following = torch.tensor(4.0), torch.tensor(0.8)
    assert torch.allclose(step_towards(aim_of(start, end, sigma, following), start, sigma, following), end, atol=1e-5)


def test_walks_lead_from_node_to_node_and_end_at_the_image() -> None:
    walks = walks_of((40.0, 4.0, 0.8), 3, 0.01)
    assert [len(walk) for walk in walks] == [4, 4, 4]
    assert [float(walk[0]) for walk in walks] == pytest.approx([40.0, 4.0, 0.8], rel=1e-5)
    assert [float(walk[-1]) for walk in walks] == pytest.approx([4.0, 0.8, 0.0], rel=1e-5)
    assert all(bool((walk.diff() < 0).all()) for walk in walks)


def test_student_starts_as_its_teacher_and_does_not_change_it() -> None:
    teacher = make_denoiser()
    task = DistilTask(load_preset("smoke", DistilConfig), make_config(), teacher, make_parts())
    student = task.build()
    assert all(torch.equal(a, b) for a, b in zip(teacher.parameters(), student.parameters(), strict=True))
    before = [weight.clone() for weight in teacher.parameters()]
    task.loss(student, 0).backward()
    assert all(weight.grad is None for weight in teacher.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))
    assert any(weight.grad is not None and bool(weight.grad.any()) for weight in student.parameters())


@pytest.mark.parametrize("own_share", [0.0, 1.0])
def test_same_number_gives_the_same_lessons(own_share: float) -> None:
    task, student = make_task(own_share), make_denoiser()
    with torch.no_grad():
        losses = [float(task.loss(student, number)) for number in (3, 3, 4)]
    assert losses[0] == losses[1] != losses[2]


def test_own_steps_change_where_lessons_start() -> None:
    student = make_denoiser()
    with torch.no_grad():
        assert float(make_task(0.0).loss(student, 0)) != float(make_task(1.0).loss(student, 0))


def test_a_small_step_against_the_gradient_teaches_the_lesson() -> None:
    task = make_task()
    student = task.build().train()
    before = task.loss(student, 0)
    before.backward()
    torch.optim.SGD(student.parameters(), 1e-3).step()
    with torch.no_grad():
        assert float(task.loss(student, 0)) < float(before.detach())


def test_validation_compares_with_the_teachers_own_walk() -> None:
    task = make_task()
    measured = task.validate(task.build(), 1)
    assert set(measured) == {"rmse_to_teacher", "fine_detail", "fine_detail_of_teacher"}
    assert measured["rmse_to_teacher"] > 0


def test_small_batches_reach_every_node() -> None:
    with torch.no_grad():
        assert float(make_task(batch_size=3).loss(make_denoiser(), 0)) > 0


@pytest.mark.parametrize("nodes", [(), (1.0, 2.0), (5.0, 4.0, 3.0, 2.0, 1.0), (1.0, 0.0)])
def test_nodes_that_do_not_fall_or_are_too_many_are_refused(nodes: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="nodes"):
        check_nodes(replace(load_preset("smoke", DistilConfig), nodes=nodes))


@pytest.mark.parametrize("name", preset_names(DistilConfig))
def test_every_preset_keeps_to_four_evaluations(name: str) -> None:
    check_nodes(load_preset(name, DistilConfig))


@pytest.mark.parametrize("name", preset_names(DistilConfig))
def test_every_preset_has_a_teacher_that_it_can_guide(name: str) -> None:
    check_guidance(load_preset(name, DistilConfig).guidance, load_preset(name, DiffusionConfig).objective)


@pytest.mark.parametrize("dropped", ["drop_view", "drop_style"])
def test_guidance_away_from_what_was_never_learned_is_refused(dropped: str) -> None:
    config = make_config()
    with pytest.raises(ConfigError, match="never left open"):
        check_guidance(config.sampling.guidance, replace(config.objective, **{dropped: 0.0}))
