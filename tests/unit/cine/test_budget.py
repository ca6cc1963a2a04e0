"""Limits: what is at most as large passes, one more does not."""

from __future__ import annotations

from collections.abc import Callable

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


@pytest.mark.parametrize(
    ("check", "most", "reason"),
    [
        (ReadLimits.check_depth, ReadLimits.max_depth, Reason.LIMIT_DEPTH),
        (ReadLimits.check_elements, ReadLimits.max_elements, Reason.LIMIT_TEXT),
        (ReadLimits.check_text, ReadLimits.max_text_bytes, Reason.LIMIT_TEXT),
    ],
)
def test_a_header_passes_up_to_its_limits(check: Callable[[ReadLimits, int], None], most: int, reason: Reason) -> None:
    check(ReadLimits(), most)
    with pytest.raises(LimitExceededError) as caught:
        check(ReadLimits(), most + 1)
    assert caught.value.reason is reason


@pytest.mark.parametrize(("deflated", "most"), [(10, 64 * 2**20), (2**20, 100 * 2**20), (2**24, 512 * 2**20)])
def test_inflated_data_are_bounded_by_size_and_from_64_mib_on_by_ratio(deflated: int, most: int) -> None:
    limits = ReadLimits()
    limits.check_inflated(most, deflated)
    with pytest.raises(LimitExceededError) as caught:
        limits.check_inflated(most + 1, deflated)
    assert caught.value.reason is Reason.LIMIT_INFLATION


def test_running_out_of_memory_is_a_limit() -> None:
    assert out_of_memory().reason is Reason.LIMIT_MEMORY
