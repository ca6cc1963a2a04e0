"""Damaged frames are left out; the others are read as if they had never been there."""

from __future__ import annotations

import numpy as np
import pytest

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, UInt8Array
from services.cine.errors import CineUnreadableError
from services.cine.intake import IntakeOptions, take_in
from services.cine.reading import read_cine
from services.cine.validation.damage import decode_thumbnails, find_jumps
from services.cine.validation.findings import FindingCode, Severity
from tests.builders import dicom_bytes, fan_frames, jpeg_bytes, still_frames

FRAMES = fan_frames(14)


def with_broken_fragments(broken: set[int]) -> bytes:
    """A JPEG cine some of whose frames end in the middle of their headers."""
    coded = [jpeg_bytes(frame) for frame in FRAMES]
    fragments = [data[:40] + bytes(60) if index in broken else data for index, data in enumerate(coded)]
    return dicom_bytes(FRAMES, "jpeg", fragments=fragments)


def opened(data: bytes) -> Cine:
    return read_cine(data, ReadLimits())


def test_a_sound_cine_is_whole() -> None:
    thumbnails, kept = decode_thumbnails(opened(dicom_bytes(FRAMES)))
    assert kept.tolist() == list(range(14))
    assert np.array_equal(thumbnails, opened(dicom_bytes(FRAMES)).thumbnails())


def test_frames_that_do_not_decode_are_left_out_with_a_warning() -> None:
    intake = take_in(with_broken_fragments({4, 9}), IntakeOptions(max_frames=14))
    assert intake.is_accepted
    assert [(f.code, f.severity) for f in intake.findings] == [(FindingCode.DAMAGED_FRAMES, Severity.WARNING)]
    assert "2 of 14 frames" in intake.findings[0].message
    assert sorted({*range(14)} - set(intake.frame_indices.tolist())) == [4, 9]
    assert intake.frame_times_ms.tolist() == (intake.frame_indices * 40.0).tolist()


def test_a_cine_most_of_whose_frames_do_not_decode_is_unreadable() -> None:
    with pytest.raises(CineUnreadableError):
        decode_thumbnails(opened(with_broken_fragments({*range(2, 12)})))


def spoilt(frames: UInt8Array, index: int, rows: slice) -> UInt8Array:
    """One frame goes grey in some rows, as a JPEG does behind a flipped bit."""
    changed = frames.copy()
    changed[index, rows] = 128
    return changed


@pytest.mark.parametrize("rows", [slice(None), slice(60, None), slice(40, 70)], ids=["all", "lower half", "a band"])
def test_a_frame_unlike_both_neighbours_is_left_out(rows: slice) -> None:
    kept = decode_thumbnails(opened(dicom_bytes(spoilt(FRAMES, 6, rows))))[1]
    assert sorted({*range(14)} - set(kept.tolist())) == [6]


def test_a_damaged_frame_does_not_move_the_outline() -> None:
    sound = take_in(dicom_bytes(FRAMES), IntakeOptions()).outline_px
    damaged = take_in(dicom_bytes(spoilt(FRAMES, 6, slice(None))), IntakeOptions()).outline_px
    for corner in (np.min, np.max):
        assert np.abs(corner(sound, axis=0) - corner(damaged, axis=0)).max() <= 3


@pytest.mark.parametrize("beats", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_moving_heart_is_no_damage(seed: int, beats: float) -> None:
    assert not find_jumps(fan_frames(24, seed=seed, beats=beats)).any()


def test_noise_a_cut_and_a_frozen_picture_are_no_damage() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (9, 64, 64)).astype(np.uint8)
    assert not find_jumps(noise).any()
    assert not find_jumps(np.concatenate([still_frames(6), fan_frames(6, seed=5)])).any()
    assert not find_jumps(FRAMES[:2]).any()


def test_a_cine_that_flickers_from_end_to_end_is_left_whole() -> None:
    flickering = FRAMES.copy()
    flickering[::2] = 255 - flickering[::2]
    assert find_jumps(flickering).mean() > 0.5
    assert decode_thumbnails(opened(dicom_bytes(flickering)))[1].tolist() == list(range(14))


@pytest.mark.parametrize("rows", [1, 9, 37, 100])
def test_frames_of_any_height_are_compared(rows: int) -> None:
    assert not find_jumps(np.zeros((5, rows, 20), np.uint8)).any()
    assert find_jumps(spoilt(np.zeros((5, rows, 20), np.uint8), 2, slice(None))).tolist() == [0, 0, 1, 0, 0]
