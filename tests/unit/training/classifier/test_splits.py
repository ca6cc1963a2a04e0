"""Subjects are the unit of splitting, and no style tells the view."""

from collections import Counter
from dataclasses import replace

from services.cine.views import TARGET_VIEWS
from training.classifier.config import Balance, ClassifierConfig, load_preset
from training.classifier.splits import Split, order_cines, subjects_of
from training.simulator.styles import SEEN_STYLES, STYLES


def with_subjects(count: int, balance: Balance = Balance.BALANCED) -> ClassifierConfig:
    config = load_preset("smoke")
    return replace(config, data=replace(config.data, train_subjects=count, balance=balance))


def test_splits_never_share_a_subject() -> None:
    for name in ("smoke", "cpu", "gpu"):
        data = load_preset(name).data
        seeds = [seed for split in Split for seed in subjects_of(split, data)]
        assert len(seeds) == len(set(seeds))


def test_ordered_cines_stay_within_their_split() -> None:
    config = load_preset("smoke")
    for split in Split:
        assert {order.subject for order in order_cines(split, config)} == set(subjects_of(split, config.data))


def test_training_sees_only_seen_styles_and_calibration_only_unseen_ones() -> None:
    config = with_subjects(40)
    assert {order.style for order in order_cines(Split.TRAIN, config)} == set(SEEN_STYLES)
    assert not {order.style for order in order_cines(Split.CALIBRATION, config)} & set(SEEN_STYLES)
    assert {order.style for order in order_cines(Split.TEST, config)} == set(STYLES)


def test_balanced_subjects_show_every_view_in_independent_styles() -> None:
    orders = order_cines(Split.TRAIN, with_subjects(600))
    pairs = Counter((order.view, order.style) for order in orders)
    assert Counter(order.view for order in orders) == dict.fromkeys(TARGET_VIEWS, 600)
    assert all(150 <= pairs[view, style] <= 250 for view in TARGET_VIEWS for style in SEEN_STYLES)


def test_natural_shares_are_those_of_the_source() -> None:
    orders = order_cines(Split.TRAIN, with_subjects(2000, Balance.NATURAL))
    counts = Counter(order.view.value for order in orders)
    assert len(orders) == 2000
    assert counts["PLAX"] > counts["A4C"] > 3 * counts["A2C"]
    assert counts["PSAX"] < 200


def test_frames_rise_in_time_and_orders_are_reproducible() -> None:
    config = load_preset("smoke")
    orders = order_cines(Split.TRAIN, config)
    assert orders == order_cines(Split.TRAIN, config)
    for order in orders:
        assert list(order.frame_times_ms) == sorted(set(order.frame_times_ms))
