"""Samples of any range become grey levels: by a law, not by luck."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from services.cine.cine import CineFormat, TimingSource, UInt8Array
from services.cine.media.volumes import LONGEST_STEP_MS, SHORTEST_STEP_MS, Volume, as_cine

SHAPE = (3, 4, 5)
ANY_FLOATS = arrays.arrays(np.float64, SHAPE, elements=st.floats(width=64))


def grey(volume: Volume) -> UInt8Array:
    return as_cine(volume, CineFormat.NIFTI).grey_frames(range(len(volume.samples)), 1)


@given(ANY_FLOATS, st.floats(width=32), st.floats(width=32))
def test_no_value_whatever_makes_a_warning_or_an_error(samples: Any, slope: float, intercept: float) -> None:
    assert grey(Volume(samples, slope, intercept)).shape == SHAPE


@given(arrays.arrays(np.int16, SHAPE, elements=st.integers(-30_000, 30_000)))
def test_brighter_stays_brighter(samples: NDArray[np.int16]) -> None:
    order = np.argsort(samples, axis=None, kind="stable")
    assert np.all(np.diff(grey(Volume(samples)).ravel()[order].astype(int)) >= 0)


@given(arrays.arrays(np.uint8, SHAPE))
def test_bytes_stay_what_they_are(samples: UInt8Array) -> None:
    assert np.array_equal(grey(Volume(samples)), samples)


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.float32, np.float64])
def test_grey_levels_in_a_wider_type_stay_what_they_are(kind: type) -> None:
    levels: NDArray[Any] = np.array([0, 3, 90, 200] * 15, kind).reshape(SHAPE)
    assert np.array_equal(grey(Volume(levels)), levels)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-60.0, 0.0), (-1000.0, 3000.0), (0.0, 65_535.0)])
def test_any_other_range_is_stretched_over_the_whole_cine(ends: tuple[float, float]) -> None:
    samples = np.linspace(*ends, 60).reshape(SHAPE)
    assert np.array_equal(grey(Volume(samples)).ravel(), np.rint(np.linspace(0, 255, 60)))


def test_what_is_no_number_is_black_and_does_not_stretch() -> None:
    samples = np.linspace(-60.0, 0.0, 60).reshape(SHAPE)
    samples[0, 0, 1], samples[1, 0, 0], samples[2, 0, 0] = np.nan, np.inf, -np.inf
    levels = grey(Volume(samples))
    assert (levels[0, 0, 1], levels[1, 0, 0], levels[2, 0, 0]) == (0, 255, 0)
    assert levels[2, 3, 4] == 255


def test_a_flat_volume_and_one_without_a_number_are_read() -> None:
    assert np.all(grey(Volume(np.full(SHAPE, 5000, np.int16))) == 255)
    assert np.all(grey(Volume(np.full(SHAPE, np.nan))) == 0)


@pytest.mark.parametrize("step_ms", [None, 0.0, -3.0, np.nan, np.inf, LONGEST_STEP_MS, SHORTEST_STEP_MS / 2])
def test_a_step_that_cannot_be_is_none(step_ms: float | None) -> None:
    cine = as_cine(Volume(np.zeros(SHAPE, np.uint8), step_ms=step_ms), CineFormat.NIFTI)
    assert cine.timing_source is TimingSource.NONE


def test_a_line_of_pixels_has_no_spacing() -> None:
    assert as_cine(Volume(np.zeros((1, 1, 9), np.uint8), spacing_mm=(1, 1)), CineFormat.NIFTI).regions == ()
