"""Plants stay within what they promise, and an index built from real parts finds them."""

import numpy as np
import pytest

from services.cine.errors import ConfigError
from services.models.copy_filter import CopyFilter
from tests.unit.models.copy_scenes import frame, frames
from training.diffusion.copy_card import write_copy_filter
from training.evaluation.synthesis import planting
from training.evaluation.synthesis.indexing import Origin, build_index, discovery_threshold, judge_all, learn_features
from training.evaluation.synthesis.pictures import Pictures


def pictures(subjects: range, count: int = 1) -> Pictures:
    held = frames(subjects, count)
    every = np.arange(len(held))
    return Pictures(held, every % 4, np.zeros(len(held), int), np.repeat(np.array(subjects), count), every)


@pytest.mark.parametrize("kind", sorted(planting.EASY_PLANTS))
def test_a_plant_gives_the_same_picture_for_the_same_chance(kind: str) -> None:
    plant = planting.EASY_PLANTS[kind]
    one, two = (plant(frame(1), np.random.default_rng(5)) for _ in range(2))
    assert one.shape == (112, 112)
    assert one.dtype == np.uint8
    assert (one == two).all()
    assert (one != frame(1)).any()


def test_a_shift_is_at_most_eight_pixels() -> None:
    dot = np.zeros((112, 112), np.uint8)
    dot[56, 56] = 255
    moved = [planting.shift(dot, np.random.default_rng(seed)) for seed in range(60)]
    places = np.array([np.unravel_index(one.argmax(), one.shape) for one in moved])
    assert np.abs(places - 56).max() == 8


def test_a_crop_keeps_the_scale_promised() -> None:
    ramp = np.tile(np.arange(112, dtype=np.uint8) * 2, (112, 1))
    slopes = [
        np.diff(planting.crop(ramp, np.random.default_rng(seed))[56].astype(float)).mean() / 2 for seed in range(40)
    ]
    assert min(slopes) >= planting.LEAST_CROP_FRACTION - 0.01
    assert max(slopes) <= 1.01


def test_a_mosaic_is_half_of_each() -> None:
    joined = planting.mosaic(np.full((112, 112), 9, np.uint8), np.zeros((112, 112), np.uint8), np.random.default_rng(1))
    assert (joined == 9).mean() == 0.5


def test_an_index_learned_from_pictures_finds_planted_copies() -> None:
    training, held_out = pictures(range(30), 2), pictures(range(1000, 1080))
    judge = CopyFilter(build_index(training, held_out, Origin("00", "noise", 1, keeps_thumbnails=True)))
    rng = np.random.default_rng(6)
    sources = rng.integers(0, len(training), 30)
    made = training.take(sources)
    planted = Pictures(**vars(made) | {"frames": np.stack([planting.pair(one, rng) for one in made.frames])})
    judged = judge_all(judge, planted)
    assert np.mean([one.record.subject == subject for one, subject in zip(judged, made.subjects, strict=True)]) > 0.95
    assert np.mean([one.is_copy for one in judged]) > 0.95
    strangers = pictures(range(2000, 2040))
    assert np.mean([one.record.p_value for one in judge_all(judge, strangers)]) == pytest.approx(0.5, abs=0.2)


def test_a_subject_on_both_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="both trained on and held out"):
        build_index(pictures(range(5)), pictures(range(4, 9)), Origin("00", "noise", 1, keeps_thumbnails=True))


@pytest.mark.parametrize("held_out", [0, 1])
def test_an_index_to_which_everything_would_be_a_copy_is_refused(held_out: int) -> None:
    strangers = pictures(range(50, 51), 2).take(np.arange(2 * held_out))
    with pytest.raises(ConfigError, match="held-out subjects to calibrate"):
        build_index(pictures(range(5)), strangers, Origin("00", "noise", 1, keeps_thumbnails=True))


@pytest.mark.parametrize(("held_out", "share"), [(6, 1 / 5), (150, 1 / 101)])
def test_an_index_says_how_many_it_replaces_falsely_and_warns_of_more_than_one_in_a_hundred(
    held_out: int, share: float
) -> None:
    strangers = pictures(range(1000, 1000 + held_out))
    index = build_index(pictures(range(12)), strangers, Origin("00", "noise", 1, keeps_thumbnails=True))
    assert index.reference.threshold == pytest.approx(share)
    card = write_copy_filter(index)
    assert f"about {10_000 * share:.0f} are replaced" in card
    assert ("Hold out more subjects" in card) == (share > 0.01)


def test_learned_features_tell_more_than_chance_ones() -> None:
    features = learn_features(frames(range(30)))
    assert features.directions.shape[0] == 5
    own, other = (features.describe(held)[:, 0] for held in _contrasts())
    assert (own * other).sum(axis=1).min() > np.abs(own[:1] @ other[1:].T).max()


def _contrasts() -> list[np.ndarray]:
    from services.models.copy_pictures import contrast, shrink

    rng = np.random.default_rng(7)
    changed = np.stack([planting.speckle(frame(subject), rng) for subject in range(70, 76)])
    return [contrast(shrink(frames(range(70, 76)))), contrast(shrink(changed))]


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    p_values = np.array([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205])  # their own example's first eight
    assert discovery_threshold(p_values, 0.05) == 0.008
    assert discovery_threshold(np.array([0.5, 0.9]), 0.05) == 0


def test_at_chance_hardly_anything_is_discovered() -> None:
    draws = np.random.default_rng(8).random((2000, 20))
    assert np.mean([discovery_threshold(one, 0.05) > 0 for one in draws]) == pytest.approx(0.05, abs=0.015)
