"""Subjects are the unit of splitting, and no style tells the view."""

from collections import Counter
from dataclasses import replace

import pytest

from services.cine.views import ANSWERED_VIEWS, TARGET_VIEWS, View
from training.classifier.config import ClassifierConfig, load_preset, preset_names
from training.classifier.simulation import FAR_KINDS, families, random_style
from training.classifier.splits import FAR_FRAMES, Split, order_cines, styles_of, subjects_of
from training.simulator.variants import KINDS

FAMILIES = tuple(families())


def with_subjects(count: int, **changed: object) -> ClassifierConfig:
    config = load_preset("smoke")
    data = replace(
        config.data,
        train_subjects=count,
        test_subjects=count,
        train_families=FAMILIES[:2],
        evaluation_styles=2,
        **changed,
    )
    return replace(config, data=data, calibration=replace(config.calibration, families=FAMILIES[2:3]))


@pytest.mark.parametrize("name", preset_names())
def test_splits_never_share_a_subject_and_one_family_is_seen_by_the_test_alone(name: str) -> None:
    config = load_preset(name)
    seeds = [seed for split in Split for seed in subjects_of(split, config.data)]
    assert len(seeds) == len(set(seeds))
    trained, calibrated = set(config.data.train_families), set(config.calibration.families)
    assert not trained & calibrated
    assert trained | calibrated < set(FAMILIES)


def test_ordered_cines_stay_within_their_split() -> None:
    config = with_subjects(3)
    for split in Split:
        assert {order.subject for order in order_cines(split, config)} == set(subjects_of(split, config.data))


def test_training_sees_its_own_families_and_styles_drawn_from_no_other() -> None:
    config = with_subjects(60)
    seen = {order.style for order in order_cines(Split.TRAIN, config)}
    assert seen == {*styles_of(Split.TRAIN, config), random_style(FAMILIES[2:])}
    assert not {order.style for order in order_cines(Split.CALIBRATION, config)} & seen


def test_a_subject_shows_each_of_the_four_views_once_and_others_by_their_share() -> None:
    orders = order_cines(Split.TRAIN, with_subjects(600, other_share=0.28, far_share=0.0))
    counts = Counter(order.view for order in orders)
    assert all(counts[view] == 600 for view in TARGET_VIEWS)
    assert counts[View.OTHER] / len(orders) == pytest.approx(0.28, abs=0.01)


def test_what_is_far_is_of_a_known_kind_and_lies_over_any_view() -> None:
    orders = order_cines(Split.TRAIN, with_subjects(600, other_share=0.5, far_share=0.5))
    far = [order for order in orders if order.variant != "b_mode"]
    assert len(far) / len(orders) == pytest.approx(0.25, abs=0.02)
    assert {(order.variant, order.kind) for order in far} == set(FAR_KINDS)
    assert {order.view for order in far} == set(TARGET_VIEWS)
    assert all(kind in KINDS[variant] for variant, kind in FAR_KINDS)
    assert max(len(order.frame_times_ms) for order in far) <= FAR_FRAMES


def test_no_style_is_more_frequent_in_one_view_than_in_another() -> None:
    orders = order_cines(Split.TRAIN, with_subjects(600, random_share=0.5, far_share=0.0))
    pairs = Counter((order.view, order.style) for order in orders)
    styles = {order.style for order in orders}
    for style in styles:
        counts = [pairs[view, style] for view in TARGET_VIEWS]
        assert max(counts) - min(counts) < 6 * (sum(counts) / 4) ** 0.5


def test_every_style_is_tested_alike_often_in_every_view() -> None:
    config = with_subjects(len(styles_of(Split.TEST, load_preset("smoke"))))
    orders = order_cines(Split.TEST, config)
    counts = Counter(order.style for order in orders)
    assert set(counts) == set(styles_of(Split.TEST, config))
    assert len(set(counts.values())) == 1
    assert len(orders) == len(ANSWERED_VIEWS) * 2 * config.data.test_subjects


def test_only_training_cines_leave_something_out() -> None:
    config = with_subjects(4, without=("haze",))
    assert {order.without for order in order_cines(Split.TRAIN, config)} == {("haze",)}
    assert {order.without for order in order_cines(Split.TEST, config)} == {()}


def test_frames_rise_in_time_and_orders_are_reproducible() -> None:
    config = with_subjects(12)
    orders = order_cines(Split.TRAIN, config)
    assert orders == order_cines(Split.TRAIN, config)
    for order in orders:
        assert list(order.frame_times_ms) == sorted(set(order.frame_times_ms))
