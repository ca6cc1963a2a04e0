"""Limits: what is at most as large passes, one more does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cine.budget import ReadLimits, out_of_memory
from services.cine.errors import LimitExceededError, Reason

LIMITS = ReadLimits(max_bytes=100, max_frames=10, max_side_px=50, max_total_pixels=5_000)


@given(st.integers(0, 20), st.integers(0, 80), st.integers(0, 80))
def test_a_shape_passes_exactly_when_all_its_limits_hold(frames: int, rows: int, columns: int) -> None:
    fits = frames <= 10 and max(rows, columns) <= 50 and frames * rows * columns <= 5_000
    if fits:
        LIMITS.check_shape(frames, rows, columns)
        return
    with pytest.raises(LimitExceededError):
        LIMITS.check_shape(frames, rows, columns)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((11, 1, 1), Reason.LIMIT_FRAMES),
        ((1, 51, 1), Reason.LIMIT_FRAME_SIZE),
        ((1, 1, 51), Reason.LIMIT_FRAME_SIZE),
        ((10, 50, 11), Reason.LIMIT_PIXELS),
    ],
)
def test_each_limit_has_its_reason_and_names_both_numbers(shape: tuple[int, int, int], reason: Reason) -> None:
    with pytest.raises(LimitExceededError, match=r"Found \d+ .*; expected at most \d+\. ") as caught:
        LIMITS.check_shape(*shape)
    assert caught.value.reason is reason


def test_bytes_pass_up_to_the_limit() -> None:
    LIMITS.check_bytes(100)
    with pytest.raises(LimitExceededError) as caught:
        LIMITS.check_bytes(101)
    assert caught.value.reason is Reason.LIMIT_BYTES


def test_running_out_of_memory_is_a_limit() -> None:
    assert out_of_memory().reason is Reason.LIMIT_MEMORY
