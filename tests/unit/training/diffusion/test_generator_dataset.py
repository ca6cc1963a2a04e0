"""Views come as unevenly as was asked, styles know nothing of them unless the thesis's confounding is wanted."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from services.cine.errors import ConfigError
from services.cine.views import TARGET_VIEWS
from tests.unit.training.classifier.test_task import make_frames
from tests.unit.training.diffusion.experiments import make_images
from training.classifier.simulation import styles
from training.diffusion.config import DataConfig, DiffusionConfig, load_preset, preset_names
from training.diffusion.dataset import Parts, draw_batch, keep_views, order_held_out, order_training, style_chances


def make_data(**changes: object) -> DataConfig:
    return replace(load_preset("cpu", DiffusionConfig).data, train_subjects=1000, **changes)  # type: ignore[arg-type]


def test_views_have_the_shares_of_the_thesis() -> None:
    counted = Counter(order.view for order in order_training(make_data()))
    total = sum(counted.values())
    shares = [counted[view] / total for view in TARGET_VIEWS]
    assert shares == pytest.approx([0.09, 0.37, 0.47, 0.07], abs=0.002)


def test_no_subject_shows_a_view_twice_and_none_is_in_both_parts() -> None:
    data = make_data()
    training, held_out = order_training(data), order_held_out(data)
    assert len({(order.subject, order.view) for order in training}) == len(training)
    assert not {order.subject for order in training} & {order.subject for order in held_out}


def test_the_same_configuration_gives_the_same_list() -> None:
    assert order_training(make_data()) == order_training(make_data())


def test_styles_know_nothing_of_views() -> None:
    data = make_data(view_shares=(1.0, 1.0, 1.0, 1.0))
    orders = order_training(data)
    table = Counter((order.view, order.style) for order in orders)
    expected = len(orders) / len(TARGET_VIEWS) / len(data.styles)
    counts = np.array([[table[view, style] for style in data.styles] for view in TARGET_VIEWS])
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 70  # 32 degrees of freedom; one seed in 8,000 is over it


def test_confounded_sources_show_their_own_views_only() -> None:
    orders = order_training(make_data(styles=("lvh", "dynamic", "tmed"), is_confounded=True))
    shown = {
        style: {order.view.value for order in orders if order.style == style} for style in ("lvh", "dynamic", "tmed")
    }
    assert shown == {"lvh": {"PLAX"}, "dynamic": {"A4C"}, "tmed": {"A2C", "A4C", "PLAX", "PSAX"}}
    counted = Counter(order.style for order in orders)
    assert counted["tmed"] / len(orders) == pytest.approx(17_707 / 38_915, abs=0.05)


def test_confounding_needs_the_sources_of_the_thesis() -> None:
    with pytest.raises(ConfigError, match="confounded"):
        style_chances("A4C", make_data(is_confounded=True))
    with pytest.raises(ConfigError, match="confounded"):
        style_chances("PSAX", make_data(styles=("lvh", "dynamic"), is_confounded=True))


def test_frames_of_no_view_are_left_out_and_counted() -> None:
    frames = make_frames(20)  # a fifth of them is OTHER
    kept = keep_views(frames, ("dynamic", "camus"))
    assert len(kept.images) == 48
    assert kept.left_out == 12
    assert set(kept.styles.tolist()) == {1}
    assert np.array_equal(kept.images, frames.frames[frames.shares[:, :4].any(axis=1)])


def test_every_image_comes_once_before_any_comes_twice() -> None:
    images = make_images(24)
    images.images[:, 0, 0] = np.arange(24)
    drawn = torch.cat([draw_batch(images, 8, 3, step, torch.device("cpu"))[0] for step in range(6)])
    marks = ((drawn[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
    assert sorted(marks[:24]) == sorted(marks[24:]) == list(range(24))
    assert marks[:24] != marks[24:]


def test_batch_goes_with_what_it_shows() -> None:
    images = make_images(24)
    clean, condition = draw_batch(images, 6, 0, 2, torch.device("cpu"))
    for image, view, style in zip(clean, condition.view, condition.style, strict=True):
        rows = image[0].mean(dim=1)
        assert 10 + 24 * int(view) <= int(rows.argmax()) < 30 + 24 * int(view)
        assert int((image[0, 15 + 24 * int(view)] > 0.5).sum()) == 30 + 20 * int(style)


@pytest.mark.parametrize("preset", ["cpu", "gpu", "small"])
def test_shipped_presets_name_sources_in_their_order(preset: str) -> None:
    assert preset in preset_names(DiffusionConfig)
    named = load_preset(preset, DiffusionConfig).data.styles
    assert named == tuple(style for style in styles() if style in named)
    assert named == styles() or preset == "cpu"


def test_styles_beyond_those_that_are_known_count_as_any() -> None:
    parts = Parts(make_images(), make_images(8))
    assert parts.with_styles(3).training.styles.tolist() == parts.training.styles.tolist()
    assert set(parts.with_styles(0).training.styles) == {0}
    assert parts.with_styles(2).held_out.styles.tolist() == np.minimum(parts.held_out.styles, 2).tolist()
