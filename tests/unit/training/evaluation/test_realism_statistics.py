"""The statistics of a picture are what theory says they are for pictures whose answers are known."""

import cv2
import numpy as np
import pytest

from training.evaluation.realism.statistics import SIDE_PX, STATISTICS, decorrelation, measure, sector_mask

SIGMA_PX = 1.05  # the displayed grain of real clips, laterally


def grain(seed: int, down_px: float, right_px: float, mean: float = 120.0, sd: float = 20.0) -> np.ndarray:
    """White noise blurred by that much along rows and columns, [112, 112] uint8."""
    noise = np.random.default_rng(seed).standard_normal((2 * SIDE_PX, 2 * SIDE_PX))
    blurred = (
        cv2.GaussianBlur(noise, (0, 0), sigmaX=right_px, sigmaY=down_px) if max(down_px, right_px) > 0.1 else noise
    )
    middle = blurred[SIDE_PX // 2 :][:SIDE_PX, SIDE_PX // 2 :][:, :SIDE_PX]
    return np.clip(np.rint(mean + sd * middle / middle.std()), 0, 255).astype(np.uint8)


def expected_correlation(sigma_px: float, lag: int) -> float:
    """Correlation of blurred white noise less its blur of 3 px, from the spectra of both Gaussians, one axis blurred.

    The other axis is blurred alike; the residual's spectrum is G (1 - H), so its autocorrelation is that of G less
    twice that of G H plus that of G H H, each a product of Gaussians over both axes.
    """
    total = np.zeros(2)
    for weight, extra in ((1, 0), (-2, 9), (1, 18)):
        spread = 2 * sigma_px**2 + extra
        total += weight / spread * np.array([np.exp(-(lag**2) / (2 * spread)), 1.0])
    return float(total[0] / total[1])


def test_white_noise_is_not_correlated() -> None:
    noise = np.random.default_rng(1).integers(60, 200, (SIDE_PX, SIDE_PX)).astype(np.uint8)
    found = measure(noise)
    assert found is not None
    assert all(abs(found[name]) < 0.05 for name in ("ac_ax1", "ac_ax2", "ac_lat1", "ac_lat2"))
    assert abs(found["slope"]) < 0.15


@pytest.mark.parametrize("lag", [1, 2])
def test_blurred_noise_is_correlated_as_its_blur_says(lag: int) -> None:
    found = [measure(grain(seed, SIGMA_PX, SIGMA_PX)) for seed in range(6)]
    for axis in ("ax", "lat"):
        values = [one[f"ac_{axis}{lag}"] for one in found if one is not None]
        assert np.mean(values) == pytest.approx(expected_correlation(SIGMA_PX, lag), abs=0.03)


def test_axial_is_along_rows_and_lateral_along_columns() -> None:
    found = measure(grain(2, 0.4, 1.5))
    assert found is not None
    assert found["ac_lat1"] > found["ac_ax1"] + 0.3


@pytest.mark.parametrize("exponent", [-1.0, -2.0, -3.0])
def test_the_slope_is_the_exponent_of_the_power_spectrum(exponent: float) -> None:
    rng = np.random.default_rng(3)
    frequency = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.fftfreq(SIDE_PX))
    frequency[0, 0] = 1.0
    white = np.fft.fft2(rng.standard_normal((SIDE_PX, SIDE_PX)))
    picture = np.fft.ifft2(white * frequency ** (exponent / 2)).real
    grey = np.clip(np.rint(128 + 35 * picture / picture.std()), 0, 255).astype(np.uint8)
    found = measure(grey)
    assert found is not None
    assert found["slope"] == pytest.approx(exponent, abs=0.15)


def test_grey_levels_are_those_inside_the_sector_only() -> None:
    picture = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    picture[26:86, 26:56], picture[26:86, 56:86] = 100, 200
    found = measure(picture)
    assert found is not None
    assert found["dark"] == 0
    assert found["mean"] == pytest.approx(150, abs=1)
    assert found["sd"] == pytest.approx(50, abs=1)
    assert found["bright"] == pytest.approx(0.5, abs=0.02)
    assert (found["p25"], found["p75"]) == (100, 200)


def test_thirds_are_near_middle_and_far() -> None:
    found = measure(np.repeat(np.linspace(50, 200, SIDE_PX), SIDE_PX).reshape(SIDE_PX, -1).astype(np.uint8))
    assert found is not None
    assert (found["third1"], found["third2"], found["third3"]) == pytest.approx((75, 125, 175), abs=4)


@pytest.mark.parametrize("grey", [0, 90])
def test_a_constant_picture_has_no_statistics(grey: int) -> None:
    assert measure(np.full((SIDE_PX, SIDE_PX), grey, np.uint8)) is None


def test_a_small_sector_is_none() -> None:
    picture = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    picture[40:70, 40:70] = grain(4, 1, 1)[40:70, 40:70]
    assert measure(picture) is None


def test_dark_cavities_belong_to_the_sector() -> None:
    picture = grain(5, 1, 1)
    picture[50:60, 50:60] = 0
    assert sector_mask(picture)[50:60, 50:60].all()


def test_every_statistic_is_told_in_order() -> None:
    found = measure(grain(6, 1, 1))
    assert found is not None
    assert tuple(found) == STATISTICS


def test_a_share_of_new_grain_a_frame_decorrelates_by_that_share() -> None:
    rng, kept = np.random.default_rng(7), 0.9
    state = rng.standard_normal((SIDE_PX, SIDE_PX))
    frames = []
    for _ in range(24):
        frames.append(np.clip(np.rint(128 + 30 * state), 0, 255).astype(np.uint8))
        state = kept * state + np.sqrt(1 - kept**2) * rng.standard_normal(state.shape)
    found = decorrelation(np.stack(frames), (1, 2, 8))
    assert found == pytest.approx({lag: kept**lag for lag in (1, 2, 8)}, abs=0.02)


def test_a_still_clip_stays_itself() -> None:
    assert decorrelation(np.stack([grain(8, 1, 1)] * 3), (1, 2)) == pytest.approx({1: 1.0, 2: 1.0}, abs=1e-4)
