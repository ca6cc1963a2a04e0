"""Masks are where the heart is, and share no pixel."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.simulator.truth.recordings import LEVELS, record, screen
from training.simulator.truth.filling import fill
from training.simulator.truth.masks import STRUCTURES, label_frames, structure_masks
from training.simulator.views.scene import area_mm2


def test_a_square_is_filled_by_the_middles_of_cells() -> None:
    square = np.array([[1.5, 2.5], [4.5, 2.5], [4.5, 5.5], [1.5, 5.5]], np.float32)
    inside = fill(square, 8, 8)
    rows, columns = np.nonzero(inside)
    assert inside.sum() == 9
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 5, 2, 4)
    assert np.array_equal(fill(square[::-1], 8, 8), inside)


@pytest.mark.parametrize("shift", [0.0, 0.31, 0.77])
def test_filling_is_without_bias(shift: float) -> None:
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = np.stack([30 + shift + 17 * np.cos(turn), 28 + shift / 2 + 11 * np.sin(turn)], axis=1).astype(np.float32)
    inside = fill(ring, 64, 64)
    assert inside.sum() == pytest.approx(np.pi * 17 * 11, rel=0.01)
    assert np.argwhere(inside).mean(axis=0) == pytest.approx([28 + shift / 2, 30 + shift], abs=0.1)


def test_an_outline_that_leaves_the_picture_fills_what_is_in_it() -> None:
    square = np.array([[-5, -5], [3.5, -5], [3.5, 20], [-5, 20]], np.float32)
    assert fill(square, 6, 8).sum() == 6 * 4
    assert not fill(square + 100, 6, 8).any()


@pytest.mark.parametrize("plane", ["a4c", "plax", "psax_mid"])
def test_masks_share_no_pixel_and_stay_in_the_sector(plane: str) -> None:
    recording = record(3, plane, step_ms=200)
    masks = structure_masks(recording)
    assert set(masks) == set(STRUCTURES)
    together = np.sum(list(masks.values()), axis=0)
    assert together.max() == 1
    assert not together[:, ~recording.screen.sector_mask].any()
    assert all(mask.dtype == np.bool_ for mask in masks.values())


def test_each_view_shows_its_structures() -> None:
    shown = {
        plane: {name for name, mask in structure_masks(record(3, plane, step_ms=400)).items() if mask.any()}
        for plane in ("a4c", "a2c", "plax", "psax_mid")
    }
    assert {"lv_cavity", "myocardium", "la", "ra", "rv"} <= shown["a4c"]
    assert "ra" not in shown["a2c"]
    assert {"lv_cavity", "myocardium", "la", "aorta", "rv"} <= shown["plax"]
    assert shown["psax_mid"] == {"lv_cavity", "myocardium", "rv"}


@pytest.mark.parametrize("plane", ["a4c", "plax", *LEVELS])
def test_the_cavity_is_as_large_as_its_outline(plane: str) -> None:
    recording = record(8, plane, step_ms=300, size_px=200)
    cavity = structure_masks(recording, ["lv_cavity"])["lv_cavity"]
    row_mm, column_mm = recording.screen.pixel_spacing_mm
    for mask, scene in zip(cavity, recording.scenes, strict=True):
        outline = sum(map(area_mm2, scene.outlines("lv_cavity")))
        assert mask.sum() * row_mm * column_mm == pytest.approx(outline, rel=0.01)


def test_a_flipped_and_squeezed_screen_shows_the_mirror_image() -> None:
    plain = record(3, "a4c", step_ms=400)
    even = replace(plain, screen=replace(plain.screen, probe_x_px=55.5))
    flipped = replace(even, screen=replace(even.screen, is_flipped=True))
    assert np.array_equal(label_frames(flipped), label_frames(even)[:, :, ::-1])
    wide = replace(plain, screen=replace(screen(), width_px=224, probe_x_px=112.0, squeeze=2.0))
    masks = [structure_masks(each, ["lv_cavity"])["lv_cavity"] for each in (plain, wide)]
    assert masks[1].sum() == pytest.approx(2 * masks[0].sum(), rel=0.02)


def test_any_surface_can_be_asked_for_and_leaflets_are_thin() -> None:
    recording = record(3, "a4c", step_ms=300)
    masks = structure_masks(recording, ["mitral_anterior", "rv_wall", "lv_cavity"])
    assert 0 < masks["mitral_anterior"].sum() < 0.1 * masks["lv_cavity"].sum()
    assert masks["rv_wall"].any()
    with pytest.raises(ValueError, match="lv_cavity"):
        structure_masks(recording, ["spleen"])


def test_the_papillary_muscles_stand_in_the_cavity_at_their_clock_times() -> None:
    recording = record(3, "psax_mid", step_ms=1e4, size_px=300)
    names = ["papillary_anterolateral", "papillary_posteromedial"]
    masks = structure_masks(recording, [*names, "lv_cavity"])
    middle = np.argwhere(masks["lv_cavity"][0]).mean(axis=0)
    hours = []
    for name in names:
        assert masks[name][0].any()
        assert not (masks[name] & ~masks["lv_cavity"]).any()
        down, right = np.argwhere(masks[name][0]).mean(axis=0) - middle
        hours.append((3 + np.rad2deg(np.arctan2(down, right)) / 30) % 12)
    assert 2.8 < hours[0] < 4.2
    assert 6.8 < hours[1] < 8.2


def test_a_magnified_recording_shows_the_same_and_a_thinned_one_every_other_pixel() -> None:
    recording = record(3, "a4c", step_ms=400)
    labels, fine = label_frames(recording), label_frames(recording.magnified(3))
    assert fine.shape[1:] == (336, 336)
    assert np.array_equal(fine[:, 1::3, 1::3], labels)
    assert np.array_equal(label_frames(recording.thinned(2)), labels[:, ::2, ::2])
