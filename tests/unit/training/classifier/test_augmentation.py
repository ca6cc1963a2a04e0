"""Changes keep shape, type and range, are reproducible, and leave no frame empty."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from training.classifier import appearance, foreground, geometry
from training.classifier.augmentation import Batch, augment, mix, weaken
from training.classifier.config import AugmentationConfig, load_preset
from training.classifier.networks import BLACK, fill_between

CONFIG = load_preset("cpu").augmentation
ALWAYS = replace(
    CONFIG,
    chance=1.0,
    outline_chance=1.0,
    colour_box_chance=1.0,
    marks_chance=1.0,
    narrow_chance=1.0,
    cut_chance=1.0,
)


def make_frames(count: int = 8) -> Tensor:
    """Sectors filled with grain, [B, 1, 112, 112] in [-1, 1]."""
    rows, columns = torch.meshgrid(torch.arange(112.0), torch.arange(112.0), indexing="ij")
    inside = ((columns - 56).abs() < 0.7 * rows) & ((columns - 56) ** 2 + rows**2 < 108**2)
    grain = 0.2 + 0.6 * torch.rand(count, 1, 112, 112, generator=Generator().manual_seed(0))
    return grain * inside * 2 - 1


def change(frames: Tensor, config: AugmentationConfig, seed: int = 1) -> Tensor:
    return augment(frames, config, Generator().manual_seed(seed))


@pytest.mark.parametrize("config", [CONFIG, ALWAYS], ids=["sometimes", "always"])
def test_changed_frames_keep_shape_type_and_range(config: AugmentationConfig) -> None:
    frames = make_frames()
    changed = change(frames, config)
    assert changed.shape == frames.shape
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()
    assert -1.0 <= float(changed.min()) <= float(changed.max()) <= 1.0


def test_same_seed_gives_the_same_frames_and_another_one_others() -> None:
    frames = make_frames()
    assert torch.equal(change(frames, CONFIG), change(frames, CONFIG))
    assert not torch.equal(change(frames, CONFIG), change(frames, CONFIG, seed=2))


def test_black_frames_stay_finite() -> None:
    assert torch.isfinite(change(torch.full((4, 1, 112, 112), -1.0), ALWAYS)).all()


def test_most_changed_frames_still_show_something() -> None:
    shown = (change(make_frames(64), CONFIG) > -1).float().mean(dim=(1, 2, 3))
    assert float((shown > 0.1).float().mean()) > 0.9


def test_mirrored_frame_is_exchanged_left_and_right() -> None:
    still = replace(
        CONFIG,
        scale=(1.0, 1.0),
        stretch=(1.0, 1.0),
        shift_fraction=0.0,
        rotate_deg=0.0,
        narrow_chance=0.0,
        cut_chance=0.0,
    )
    grey, inside = (make_frames(1) + 1) / 2, torch.ones(1, 1, 112, 112)
    generator = Generator().manual_seed(0)
    plain, _ = geometry.place_anew(grey, inside, torch.tensor([False]), still, generator)
    mirrored, _ = geometry.place_anew(grey, inside, torch.tensor([True]), still, generator)
    assert torch.allclose(plain, grey, atol=1e-5)
    assert torch.allclose(mirrored, grey.flip(3), atol=1e-5)


def test_mixed_batch_shares_targets_that_sum_to_one() -> None:
    batch = Batch(make_frames(), torch.eye(5)[torch.arange(8) % 5])
    mixed = [mix(batch, replace(CONFIG, mixing_chance=1.0), Generator().manual_seed(seed)) for seed in range(8)]
    for each in mixed:
        assert torch.allclose(each.targets.sum(dim=1), torch.ones(8))
        assert each.frames.shape == batch.frames.shape
    assert any(float(each.targets.max(dim=1).values.min()) < 0.95 for each in mixed)


def test_batch_is_left_alone_when_mixing_never_happens() -> None:
    batch = Batch(make_frames(), torch.eye(5)[torch.arange(8) % 5])
    assert mix(batch, replace(CONFIG, mixing_chance=0.0), Generator().manual_seed(0)) is batch


def test_appearance_leaves_geometry_alone() -> None:
    grey = torch.zeros(2, 1, 112, 112)
    grey[:, :, 40:60, 20:40] = 0.8
    config = replace(ALWAYS, haze_grey=(0.0, 0.0), noise=(0.0, 0.0), shadows=0)
    changed = appearance.change(grey, config, Generator().manual_seed(4))
    assert float(changed[:, :, 45:55, 25:35].min()) > float(changed[:, :, 80:, 60:].max())


def test_exchanged_outline_is_that_of_another_frame_and_is_filled() -> None:
    whole = (make_frames(6) + 1) / 2
    columns = torch.arange(112.0)[None, None, None, :]
    widths = torch.linspace(15, 50, 6)[:, None, None, None]
    inside = ((columns - 56).abs() < widths).float() * (whole > 0)
    grey, changed = geometry.exchange_outlines(whole * inside, inside, 1.0, Generator().manual_seed(3))
    areas = {float(mask.sum()) for mask in inside}
    assert {float(mask.sum()) for mask in changed} <= areas
    assert not torch.equal(changed, inside)
    assert torch.equal(grey > 0, changed > 0)


def test_exchanged_outline_never_comes_when_its_chance_is_nought() -> None:
    grey = (make_frames(3) + 1) / 2
    inside = geometry.find_inside(grey)
    same, outline = geometry.exchange_outlines(grey, inside, 0.0, Generator().manual_seed(0))
    assert torch.equal(same, grey)
    assert torch.equal(outline, inside)


def test_colour_box_changes_one_part_of_a_frame_and_marks_add_light() -> None:
    grey = torch.full((64, 1, 112, 112), 0.1)
    boxed = foreground.lay_over(
        grey, replace(CONFIG, colour_box_chance=1.0, marks_chance=0.0), Generator().manual_seed(0)
    )
    changed = (boxed != grey).float().mean(dim=(1, 2, 3))
    assert float(changed.max()) < 0.6
    assert float((changed > 0.005).float().mean()) > 0.75
    marked = foreground.lay_over(
        grey, replace(CONFIG, colour_box_chance=0.0, marks_chance=1.0), Generator().manual_seed(0)
    )
    assert float(marked.min()) >= 0.1 - 1e-6
    assert float((marked > 0.4).float().mean(dim=(1, 2, 3)).min()) > 0.0


def test_sheets_of_marks_are_the_same_every_time_and_mostly_empty() -> None:
    sheets = foreground.draw_marks(12)
    assert (sheets == foreground.draw_marks(12)).all()
    assert 0 < (sheets > 0).mean() < 0.2
    assert all(sheet.any() for sheet in sheets)


def test_only_the_drawn_frames_are_changed() -> None:
    grey = torch.zeros(64, 1, 4, 4)
    changed = geometry.change_some(grey, 0.5, lambda part, _: part + 1, Generator().manual_seed(0))
    values = changed.mean(dim=(1, 2, 3))
    assert set(values.tolist()) == {0.0, 1.0}
    assert 16 < float(values.sum()) < 48


def test_sector_that_augmentation_finds_is_the_one_the_network_finds() -> None:
    grey = (make_frames(6) + 1) / 2
    grey[:, :, 40:70, 40:60] = 0.0
    grey[5] = 0.0
    assert torch.equal(geometry.find_inside(grey), fill_between((grey > BLACK).float()))


def test_changes_grow_from_none_to_all() -> None:
    unmirrored = replace(ALWAYS, mirror_chance=0.0)
    frames = make_frames()
    before = change(frames, weaken(unmirrored, 0.0))
    distances = [float((change(frames, weaken(unmirrored, s)) - before).abs().mean()) for s in (0.0, 0.3, 1.0)]
    assert distances[0] == 0.0 < distances[1] < distances[2]
    assert weaken(unmirrored, 1.0) == unmirrored
