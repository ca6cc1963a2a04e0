"""Where the sector is, and that there is none where no echo is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from services.cine.budget import ReadLimits
from services.cine.cine import BoolArray, Region, RegionKind, UInt8Array, reduce_frame
from services.cine.reading import read_cine
from services.cine.sector import Sector, find_sector
from services.cine.sector_echo import lasting_sd, temporal_sd
from tests.builders import avi_bytes, fan_frames, fan_mask, still_frames, video_bytes, with_text

SIZES = [(120, 160), (240, 320), (480, 640), (300, 300)]


def find(frames: UInt8Array, reduction: int = 1, tissue: Region | None = None) -> Sector | None:
    thumbnails = np.stack([reduce_frame(frame, reduction) for frame in frames])
    return find_sector(thumbnails, frames.shape[1], frames.shape[2], tissue)


def overlap(sector: Sector | None, truth: BoolArray) -> float:
    assert sector is not None
    found = sector.mask()
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize(("frames", "is_moving"), [(fan_frames(), True), (still_frames(), False)])
def test_a_sector_says_whether_motion_told_it(frames: UInt8Array, is_moving: bool) -> None:
    sector = find(frames)
    assert sector is not None
    assert sector.is_moving is is_moving


@pytest.mark.parametrize("has_text", [False, True])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_a_moving_fan_is_found_also_under_overlays(rows: int, columns: int, seed: int, has_text: bool) -> None:
    frames = fan_frames(8, rows, columns, seed)
    frames = with_text(frames, "A4C 60 Hz") if has_text else frames
    assert overlap(find(frames, 2 if rows > 200 else 1), fan_mask(rows, columns)) > 0.9


@pytest.mark.parametrize("count", [1, 10])
def test_a_fan_that_stands_still_is_found_by_its_brightness(count: int) -> None:
    assert overlap(find(still_frames(count)), fan_mask()) > 0.9


@given(st.integers(90, 200), st.integers(90, 260))
def test_the_outline_lies_inside_the_frame(rows: int, columns: int) -> None:
    sector = find(fan_frames(4, rows, columns))
    assert sector is not None
    assert (sector.outline_px >= -0.5).all()
    assert (sector.outline_px <= np.array([columns, rows]) - 0.5).all()
    left, top, right, bottom = sector.box_px
    assert 0 <= left < right <= columns
    assert 0 <= top < bottom <= rows


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_a_fan_is_found_in_the_noise_of_a_poor_codec(codec: str) -> None:
    frames = with_text(fan_frames(16, 240, 320), "A4C 60 Hz")
    data = video_bytes(frames, "avi", codec, "yuv420p", strict="unofficial")  # at FFmpeg's low default rate
    decoded = read_cine(data, ReadLimits()).grey_frames(range(16), 2)
    sector = find_sector(decoded, 240, 320)
    assert overlap(sector, fan_mask(240, 320)) > 0.8


@pytest.mark.parametrize("side", [112, 160])
def test_a_codecs_noise_around_a_small_sector_is_not_echo(side: int) -> None:
    frames = read_cine(avi_bytes(fan_frames(16, side, side)), ReadLimits()).grey_frames(range(16), 1)
    assert overlap(find_sector(frames, side, side), fan_mask(side, side)) > 0.93


def test_a_dark_side_of_the_sector_that_reaches_far_is_echo() -> None:
    frames = fan_frames(16, 240, 320).astype(np.float32)
    frames[:, :, 200:] *= 0.06
    dark = np.asarray(frames, np.uint8)
    assert overlap(find_sector(dark, 240, 320), fan_mask(240, 320)) > 0.93


def noise(count: int, rows: int = 120, columns: int = 160) -> UInt8Array:
    return np.random.default_rng(5).integers(0, 256, (count, rows, columns)).astype(np.uint8)


def rectangle() -> UInt8Array:
    frames = np.zeros((8, 120, 160), np.uint8)
    frames[:, 20:100, 30:130] = noise(8, 80, 100)
    return frames


def words() -> UInt8Array:
    screen = np.zeros((120, 160), np.uint8)
    for row in range(12, 120, 12):
        cv2.putText(screen, "Study report 2024", (4, row), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 255, 1)
    return np.repeat(screen[None], 8, axis=0)


def spot() -> UInt8Array:
    frames = np.zeros((8, 120, 160), np.uint8)
    frames[:, 50:70, 70:90] = noise(8, 20, 20)
    return frames


@pytest.mark.parametrize(
    "frames",
    [noise(8), noise(1), rectangle(), words(), spot(), np.zeros((8, 120, 160), np.uint8), noise(8, 1, 1)],
    ids=["noise", "one noise", "rectangle", "words", "spot", "black", "one pixel"],
)
def test_no_sector_is_found_where_there_is_none(frames: UInt8Array) -> None:
    assert find(frames) is None


def test_nothing_outside_the_tissue_region_counts() -> None:
    frames = np.concatenate([fan_frames(8), fan_frames(8, seed=1)], axis=2)  # two fans side by side
    region = Region(0, 0, 159, 119, RegionKind.TISSUE, None, None)
    sector = find(frames, tissue=region)
    assert sector is not None
    assert sector.box_px[2] <= 160
    assert find(frames, tissue=Region(310, 110, 319, 119, RegionKind.TISSUE, None, None)) is None


@given(st.sampled_from([1, 2, 4, 8]), st.integers(40, 99), st.integers(40, 99))
def test_the_mask_has_the_ceiling_of_the_shape(reduction: int, rows: int, columns: int) -> None:
    corners = np.array([[columns / 2, 0], [columns - 1, rows - 1], [0, rows - 1]], np.float32)
    mask = Sector(corners, rows, columns).mask(reduction)
    assert mask.shape == (-(-rows // reduction), -(-columns // reduction))
    assert 0.3 < mask.mean() < 0.75


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=12)))
def test_temporal_deviation_is_the_standard_deviation(frames: UInt8Array) -> None:
    assert np.allclose(temporal_sd(frames), frames.std(axis=0), atol=1e-3)


@pytest.mark.parametrize("grey", [250, 254, 255])
def test_temporal_deviation_stays_exact_in_long_bright_cines(grey: int) -> None:
    frames = np.full((2_000, 2, 2), grey, np.uint8)
    frames[::2, 0] -= 2
    assert np.allclose(temporal_sd(frames), frames.std(axis=0), atol=1e-3)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 11), st.integers(1, 6), st.integers(1, 6))))
def test_lasting_motion_of_few_frames_is_their_deviation(frames: UInt8Array) -> None:
    assert np.array_equal(lasting_sd(frames), temporal_sd(frames))


@given(st.integers(12, 90), st.integers(0, 89), st.integers(1, 255))
def test_a_frame_unlike_all_others_is_no_lasting_motion(count: int, at: int, grey: int) -> None:
    frames = np.zeros((count, 4, 4), np.uint8)
    frames[at % count] = grey
    assert (temporal_sd(frames) > 0).all()
    assert not lasting_sd(frames).any()


@pytest.mark.parametrize("at", [0, 7, 11, 23])
def test_a_damaged_frame_does_not_widen_the_sector(at: int) -> None:
    frames = fan_frames(24)
    frames[at, 40:] = noise(1)[0, 40:]
    assert overlap(find(frames), fan_mask()) > 0.93


def test_the_cursor_of_an_ecg_that_sweeps_under_the_sector_is_not_echo() -> None:
    frames = np.pad(fan_frames(24), ((0, 0), (0, 40), (40, 40)))
    for index, frame in enumerate(frames):
        frame[110:155, index * 10 : index * 10 + 6] = 255
    assert overlap(find(frames), np.pad(fan_mask(), ((0, 40), (40, 40)))) > 0.93


def test_a_heart_that_blinks_at_the_side_of_the_sector_is_not_echo() -> None:
    frames = fan_frames(24, 240, 320)
    for frame in frames[::2]:
        cv2.circle(frame, (216, 60), 10, 255, -1)
    assert overlap(find(frames, 2), fan_mask(240, 320)) > 0.95


@pytest.mark.parametrize("sd_grey", [0.5, 1.0, 2.0, 4.0])
def test_the_noise_of_a_digitised_video_is_not_echo(sd_grey: float) -> None:
    clean = fan_frames(24).astype(np.float32)
    noisy = clean + np.random.default_rng(2).normal(0, sd_grey, clean.shape)
    assert overlap(find(np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)), fan_mask()) > 0.9


def test_a_black_cavity_from_side_to_side_does_not_end_the_sector() -> None:
    frames = fan_frames(16)
    frames[:, 45:65] = 0
    assert overlap(find(frames), fan_mask()) > 0.93


def test_of_two_fans_side_by_side_one_is_found() -> None:
    frames = np.concatenate([fan_frames(8), fan_frames(8, seed=1)], axis=2)
    sector = find(frames)
    assert sector is not None
    assert sector.box_px[2] <= 165 or sector.box_px[0] >= 155


def test_flicker_of_single_grey_levels_is_no_motion() -> None:
    frames = still_frames(24)
    specks = np.random.default_rng(3).random(frames.shape[1:]) < 0.2
    frames[::2, specks] |= 1
    assert overlap(find(frames), fan_mask()) > 0.9
