"""What the loop is given: batches that depend on the step alone, and never two frames of one cine."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from services.cine.views import ANSWERED_VIEWS
from training.classifier.config import ClassifierConfig, load_preset
from training.classifier.contact_sheet import draw_augmentations
from training.classifier.dataset import FrameSet
from training.classifier.predictions import mean_by_cine
from training.classifier.task import ClassifierTask, change_cines, infer, smooth

FRAMES_A_CINE = 3


def make_frames(cines: int = 24) -> FrameSet:
    """Bright squares, one place for each view."""
    cine_of = np.repeat(np.arange(cines), FRAMES_A_CINE)
    labels = cine_of % len(ANSWERED_VIEWS)
    frames = np.random.default_rng(0).integers(20, 60, (len(labels), 112, 112), dtype=np.uint8)
    for frame, label in zip(frames, labels, strict=True):
        frame[15 + 18 * label :][:15, 30:80] = 200
    return FrameSet(
        frames=frames,
        shares=np.eye(len(ANSWERED_VIEWS), dtype=np.float32)[labels],
        styles=np.full(len(labels), "camus"),
        planes=np.full(len(labels), "a4c"),
        traits=np.zeros((len(labels), 3), np.float32),
        subjects=cine_of // 4,
        cines=cine_of,
        is_sector_found=np.ones(len(labels), np.bool_),
    )


@pytest.fixture
def config() -> ClassifierConfig:
    smoke = load_preset("smoke")
    return replace(smoke, objective=replace(smoke.objective, batch_size=8))


def test_same_step_gives_the_same_loss_and_another_step_another(config: ClassifierConfig) -> None:
    task = ClassifierTask(config, make_frames(), make_frames())
    torch.manual_seed(0)
    network = task.build().eval()
    with torch.no_grad():
        losses = [float(task.loss(network, step)) for step in (4, 4, 5)]
    assert losses[0] == losses[1] != losses[2]


def test_batches_hold_each_cine_once_before_any_comes_twice(config: ClassifierConfig) -> None:
    frames = make_frames()
    task = ClassifierTask(config, frames, frames)
    for turn in (0, 1):
        steps = range(3 * turn, 3 * turn + 3)  # three batches of 8 are all 24 cines
        seen = np.concatenate([frames.cines[task.choose(step)] for step in steps])
        assert sorted(seen) == list(range(24))


def test_a_round_holds_each_subject_once(config: ClassifierConfig) -> None:
    frames = make_frames()  # 24 cines of 6 subjects
    task = ClassifierTask(replace(config, objective=replace(config.objective, batch_size=6)), frames, frames)
    for step in range(8):
        assert sorted(frames.subjects[task.choose(step)]) == list(range(6))


def test_smoothing_spreads_over_the_four_views_and_leaves_what_is_none_of_them() -> None:
    shares = torch.tensor([[1.0, 0, 0, 0, 0], [0, 0, 0.5, 0, 0.5], [0, 0, 0, 0, 1.0]])
    smoothed = smooth(shares, 0.2)
    assert torch.allclose(smoothed[0], torch.tensor([0.85, 0.05, 0.05, 0.05, 0.0]))
    assert torch.allclose(smoothed[1], torch.tensor([0.025, 0.025, 0.425, 0.025, 0.5]))
    assert torch.equal(smoothed[2], shares[2])


def test_validation_tells_balanced_accuracy_and_loss(config: ClassifierConfig) -> None:
    task = ClassifierTask(config, make_frames(), make_frames())
    measured = task.validate(task.build(), 1)
    assert 0.0 <= measured["balanced_accuracy"] <= 1.0
    assert measured["balanced_log_loss"] > 0.0


def test_answers_do_not_depend_on_the_frames_beside(config: ClassifierConfig) -> None:
    frames = make_frames(8)
    network = ClassifierTask(config, frames, frames).build()
    together, alone = infer(network, frames.frames), infer(network, frames.frames[5:6])
    assert np.allclose(together[5:6], alone, atol=1e-5)
    assert mean_by_cine(together, frames.cines).shape == (8, len(ANSWERED_VIEWS))


def test_whole_cine_is_changed_by_one_draw(config: ClassifierConfig) -> None:
    frames = make_frames(6)
    still = replace(frames, frames=np.repeat(frames.frames[::FRAMES_A_CINE], FRAMES_A_CINE, axis=0))
    changed = change_cines(still, config.augmentation, seed=3).frames.reshape(6, FRAMES_A_CINE, 112, 112)
    assert np.array_equal(changed[:, 0], changed[:, 2])
    assert not np.array_equal(changed[:, 0], still.frames[::FRAMES_A_CINE])


def test_contact_sheet_shows_original_and_changes_of_every_view(config: ClassifierConfig) -> None:
    sheet = draw_augmentations(make_frames(10), config.augmentation, changes=3, seed=0)
    assert sheet.shape == (10 * 114, 4 * 114)
    assert sheet.dtype == np.uint8
