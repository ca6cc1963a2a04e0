"""What counts as colour, and the test of its distribution, held to SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from services.cine.cine import BoolArray, UInt8Array
from services.cine.validation.colour import (
    B_MODE_CDF,
    FLOW_CDF,
    LEVELS,
    critical_distance,
    cumulative,
    measure_colouring,
    strongest,
    untinted_chroma,
)

SIDE = 96
INSIDE: BoolArray = np.ones((SIDE, SIDE), np.bool_)
SEPIA_STOPS = ((0, 82, 170, 232, 255), (0, 58, 132, 204, 248), (0, 34, 88, 160, 228))  # pales where it is bright
SEPIA, BLUE, EMBER = (1.0, 0.8, 0.55), (0.7, 0.85, 1.0), (1.0, 0.4, 0.1)


def speckle(tint: tuple[float, float, float] = (1.0, 1.0, 1.0), seed: int = 0) -> UInt8Array:
    """Grey values of all levels through a tinted map, RGB [SIDE, SIDE, 3]."""
    grey = np.random.default_rng(seed).uniform(20, 250, (SIDE, SIDE, 1))
    return np.asarray(grey * np.array(tint), np.uint8)


def with_flow(frame: UInt8Array, side: int, colour: tuple[int, int, int]) -> UInt8Array:
    """A square of flow in the middle of a frame."""
    mixed, low = frame.copy(), SIDE // 2 - side // 2
    bright = np.random.default_rng(9).uniform(0.7, 1.0, (side, side, 1))
    mixed[low : low + side, low : low + side] = np.asarray(bright * np.array(colour), np.uint8)
    return mixed


@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), SEPIA, BLUE, EMBER])
def test_a_tint_however_strong_leaves_no_chroma(tint: tuple[float, float, float]) -> None:
    colouring = measure_colouring(speckle(tint), INSIDE)
    assert colouring.flow_fraction == 0
    assert not colouring.is_flow_like


def test_few_bright_pixels_have_the_tint_of_those_a_little_darker() -> None:
    grey = np.minimum(np.random.default_rng(0).uniform(20, 150, (SIDE, SIDE)), 150)
    grey[40:46, 40:44] = 250
    sepia = np.stack([np.interp(grey, [0, 64, 128, 192, 255], stops) for stops in SEPIA_STOPS], axis=2).astype(np.uint8)
    assert measure_colouring(sepia, INSIDE).flow_fraction == 0


@pytest.mark.parametrize("colour", [(230, 20, 10), (20, 60, 240), (250, 240, 20), (20, 220, 40), (250, 130, 10)])
@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), SEPIA, BLUE])
def test_flow_of_any_colour_stands_out_of_any_map(
    colour: tuple[int, int, int], tint: tuple[float, float, float]
) -> None:
    colouring = measure_colouring(with_flow(speckle(tint), 24, colour), INSIDE)
    assert colouring.flow_fraction == pytest.approx(24 * 24 / SIDE**2, rel=0.25)
    assert colouring.is_flow_like


def test_thin_coloured_lines_are_no_flow() -> None:
    marked = speckle()
    marked[::12] = marked[:, ::12] = (250, 40, 40)
    assert measure_colouring(marked, INSIDE).flow_fraction == 0


def test_colour_outside_does_not_count() -> None:
    frame, inside = with_flow(speckle(), 24, (230, 20, 10)), INSIDE.copy()
    inside[SIDE // 2 - 16 : SIDE // 2 + 16] = False
    assert measure_colouring(frame, inside).flow_fraction == 0


def test_grey_has_no_chroma() -> None:
    assert not untinted_chroma(speckle(), INSIDE).any()
    assert measure_colouring(speckle(), INSIDE).saturation == 0


def test_the_most_coloured_hundredth_is_compared() -> None:
    chroma = np.random.default_rng(1).permutation(np.repeat(np.arange(100, dtype=np.uint8), 4))
    assert sorted(strongest(chroma)) == [99] * 4


@pytest.mark.parametrize("cdf", [B_MODE_CDF, FLOW_CDF], ids=["b_mode", "flow"])
def test_references_are_distributions(cdf: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert cdf.shape == LEVELS.shape
    assert (np.diff(cdf) >= 0).all()
    assert 0 <= cdf[0] <= cdf[-1] <= 1


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_that_of_the_two_sample_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.choice(LEVELS, size) for size in (300, 500))
    ours = np.abs(cumulative(first.astype(np.uint8)) - cumulative(second.astype(np.uint8))).max()
    assert ours == pytest.approx(stats.ks_2samp(first, second).statistic, abs=1e-6)


@pytest.mark.parametrize("significance", [0.05, 0.01, 0.001])
@pytest.mark.parametrize(("first", "second"), [(60, 1000), (200, 1000), (500, 500)])
def test_the_critical_distance_is_the_asymptotic_one(first: int, second: int, significance: float) -> None:
    distance = critical_distance(first, second, significance)
    assert stats.kstwobign.sf(distance * np.sqrt(first * second / (first + second))) == pytest.approx(
        significance, rel=0.02
    )
