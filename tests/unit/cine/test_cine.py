"""What a cine promises about sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cine.budget import ReadLimits
from services.cine.cine import REDUCTIONS, reduce_frame
from services.cine.reading import read_cine
from tests.builders import dicom_bytes, fan_frames

CINE = read_cine(dicom_bytes(fan_frames(5, 48, 64)), ReadLimits())


@given(st.integers(1, 5_000), st.integers(1, 600))
def test_reduction_is_the_largest_that_leaves_enough(side_px: int, wanted_px: int) -> None:
    reduction = CINE.reduction_for(side_px, wanted_px)
    assert reduction in REDUCTIONS
    assert reduction == 1 or side_px // reduction >= wanted_px
    assert all(side_px // larger < wanted_px for larger in REDUCTIONS if larger > reduction)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(REDUCTIONS), st.booleans())
def test_reduced_frame_has_the_ceiling_of_the_shape(rows: int, columns: int, reduction: int, is_colour: bool) -> None:
    frame = np.full((rows, columns, 3) if is_colour else (rows, columns), 77, np.uint8)
    reduced = reduce_frame(frame, reduction)
    assert reduced.shape == (-(-rows // reduction), -(-columns // reduction), *frame.shape[2:])
    assert (reduced == 77).all()


@pytest.mark.parametrize("indices", [[0], [4, 0, 4], np.array([1, 2])])
def test_frames_come_in_the_order_they_are_asked_for(indices: list[int]) -> None:
    frames = CINE.grey_frames(indices, 2)
    assert frames.shape == (len(indices), 24, 32)
    for frame, index in zip(frames, indices, strict=True):
        assert np.array_equal(frame, CINE.store.grey(index, 2))
