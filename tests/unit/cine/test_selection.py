"""Which frames the model sees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cine.selection import Selection, select_frames
from tests.builders import fan_frames, still_frames

ways = st.sampled_from(Selection)
thumbnails = st.tuples(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99)).map(
    lambda t: np.random.default_rng(t[3]).integers(0, 256, t[:3]).astype(np.uint8)
)


@given(thumbnails, ways, st.integers(1, 64), st.integers(0, 2**32))
def test_indices_rise_are_unique_in_range_and_as_many_as_wanted(
    frames: np.ndarray, how: Selection, count: int, seed: int
) -> None:
    indices = select_frames(frames, how, count, seed)
    assert indices.dtype == np.int64
    assert len(indices) == min(count, len(frames))
    assert (np.diff(indices) > 0).all()
    assert indices[0] >= 0
    assert indices[-1] < len(frames)
    assert np.array_equal(indices, select_frames(frames, how, count, seed))


@given(st.integers(2, 60), st.data())
def test_even_steps_differ_by_at_most_one_and_reach_both_ends(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(2, total))
    indices = select_frames(np.zeros((total, 2, 2), np.uint8), Selection.EVEN, count)
    assert np.ptp(np.diff(indices)) <= 1
    assert (indices[0], indices[-1]) == (0, total - 1)


def test_one_even_frame_is_the_middle_one() -> None:
    assert select_frames(np.zeros((9, 2, 2), np.uint8), Selection.EVEN, 1).tolist() == [4]


def test_another_seed_gives_another_draw() -> None:
    frames = np.zeros((60, 2, 2), np.uint8)
    draws = {tuple(select_frames(frames, Selection.RANDOM, 8, seed)) for seed in range(10)}
    assert len(draws) == 10


@pytest.mark.parametrize("odd", [0, 7, 19])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_dissimilar_picks_the_odd_frame_out(odd: int, count: int) -> None:
    frames = still_frames(20)
    frames[odd] = 255 - frames[odd]
    assert odd in select_frames(frames, Selection.DISSIMILAR, count)


def test_dissimilar_takes_one_of_each_kind() -> None:
    kinds = fan_frames(4)
    frames = kinds.repeat(5, axis=0)
    chosen = select_frames(frames, Selection.DISSIMILAR, 4)
    assert {int(index) // 5 for index in chosen} == {0, 1, 2, 3}


def test_dissimilar_works_on_frames_that_are_all_the_same() -> None:
    assert len(select_frames(still_frames(10), Selection.DISSIMILAR, 6)) == 6
