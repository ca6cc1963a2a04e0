"""What of a sector is not seen is told from what is; what is drawn beside it is not taken for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.data import get_testdata_file

from services.cine.budget import ReadLimits
from services.cine.cine import BoolArray, UInt8Array, reduce_frame
from services.cine.reading import read_cine
from services.cine.sector import Sector, find_sector
from services.cine.sector_echo import mark_echo, temporal_sd
from services.cine.sector_outline import outline
from tests.builders import fan_frames, fan_mask

COUNTS = pytest.mark.parametrize("count", [1, 16], ids=["still", "cine"])


def overlap(frames: UInt8Array, truth: BoolArray) -> float:
    sector = find_sector(frames, *frames.shape[1:])
    assert sector is not None
    found = sector.mask()
    return float((found & truth).sum() / (found | truth).sum())


@COUNTS
def test_a_near_field_too_dark_to_be_seen_is_of_the_sector(count: int) -> None:
    frames = fan_frames(count)
    rows, columns = np.mgrid[:120, :160]
    frames[:, np.hypot(rows - 7, columns - 79.5) < 30] = 0
    assert overlap(frames, fan_mask()) > 0.95


@COUNTS
def test_corners_too_dark_to_be_seen_are_of_the_sector(count: int) -> None:
    frames = fan_frames(count)
    frames[:, 60:, :45] = 0
    frames[:, 60:, -45:] = 0
    assert overlap(frames, fan_mask()) > 0.93


def test_a_still_with_black_cavities_from_side_to_side_is_one_sector() -> None:
    frames = fan_frames(1)
    frames[:, 40:58] = 0
    assert overlap(frames, fan_mask()) > 0.93


@pytest.mark.parametrize("row", [20, 60])
def test_letters_beside_the_sector_of_a_still_are_not_echo(row: int) -> None:
    frames = np.pad(fan_frames(1, 200, 260), ((0, 0), (0, 20), (0, 0)))
    for line in range(3):
        cv2.putText(frames[0], "MI 1.3", (2, row + 14 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 230, 1)
    assert overlap(frames, np.pad(fan_mask(200, 260), ((0, 20), (0, 0)))) > 0.95


def test_the_trace_of_an_ecg_under_a_still_is_not_echo() -> None:
    frames = np.pad(fan_frames(1), ((0, 0), (0, 20), (0, 0)))
    frames[:, 122:125] = 200
    frames[:, 110:125, 30:33] = 200
    assert overlap(frames, np.pad(fan_mask(), ((0, 20), (0, 0)))) > 0.95


def test_a_sector_that_is_cut_on_top_begins_there() -> None:
    frames = np.pad(fan_frames(16)[:, 30:], ((0, 0), (15, 15), (0, 0)))
    truth = np.pad(fan_mask()[30:], ((15, 15), (0, 0)))
    assert overlap(frames, truth) > 0.95


def test_the_lifted_black_of_a_sector_shows_where_nothing_moves() -> None:
    frames = fan_frames(16)
    frames[:, :, 90:] = 0
    lifted = np.asarray(np.maximum(frames, 12 * fan_mask()), np.uint8)
    assert overlap(lifted, fan_mask()) > 0.95


def zoomed(count: int, rows: int, columns: int) -> UInt8Array:
    """Make speckle that moves in a box on a black screen, [T, 120, 160]."""
    frames = np.zeros((count, 120, 160), np.uint8)
    frames[:, 10 : 10 + rows, 20 : 20 + columns] = fan_frames(count, 400, 500)[:, 200 : 200 + rows, 200 : 200 + columns]
    return frames


def test_an_enlarged_box_is_found() -> None:
    assert overlap(zoomed(16, 90, 100), zoomed(16, 90, 100)[0] > 0) > 0.95


@pytest.mark.parametrize("frames", [zoomed(1, 90, 100), zoomed(16, 30, 110)], ids=["still", "strip"])
def test_a_still_box_and_a_strip_are_no_sector(frames: UInt8Array) -> None:
    assert find_sector(frames, 120, 160) is None


@pytest.fixture(scope="module")
def real_frames() -> UInt8Array:
    path = Path(str(get_testdata_file("examples_ybr_color.dcm", download=False)))
    cine = read_cine(path.read_bytes(), ReadLimits())
    return cine.grey_frames(range(cine.frame_count), 1)


def find_real(frames: UInt8Array, count: int | None) -> Sector | None:
    thumbnails = np.stack([reduce_frame(frame, 2) for frame in frames[:count]])
    return find_sector(thumbnails, *frames.shape[1:])


@pytest.mark.parametrize(("gain", "noise_grey"), [(1.0, 0.0), (0.7, 0.0), (0.8, 1.0)])
@pytest.mark.parametrize("count", [1, None], ids=["still", "cine"])
def test_a_real_sector_with_dark_sides_begins_near_a_point(
    real_frames: UInt8Array, gain: float, noise_grey: float, count: int | None
) -> None:
    noise = np.random.default_rng(4).normal(0, noise_grey, real_frames.shape)
    sector = find_real(np.asarray(np.clip(real_frames * gain + noise, 0, 255), np.uint8), count)
    assert sector is not None
    widths = sector.mask().sum(axis=1)
    used = widths[widths > 0]
    assert used[len(used) // 10] < 0.44 * used.max()
    left, top, right, bottom = sector.box_px
    assert right - left > 140
    assert top < 40
    assert 190 < bottom < 230


def test_what_moves_tells_of_a_cine_and_what_is_bright_of_a_still() -> None:
    frames = fan_frames(8)
    frames[:, :20, :30] = 200  # a key
    assert not mark_echo(frames, 4).clear[:18, :28].any()
    assert mark_echo(frames[:1], 4).clear[5:15, 5:25].all()


def test_motion_is_told_exactly_in_few_frames_and_in_many() -> None:
    frames = np.full((40, 2, 2), 254, np.uint8)
    frames[::2, 0] += 1
    assert np.array_equal(temporal_sd(frames[:16]), temporal_sd(frames))


def test_an_outline_goes_round_a_mask() -> None:
    mask = fan_mask()
    filled = cv2.fillPoly(np.zeros(mask.shape, np.uint8), [outline(mask)], 1)
    assert (filled >= mask).all()
    assert filled.sum() <= 1.02 * mask.sum()
