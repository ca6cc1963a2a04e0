"""The displacement field carries what is seen in one frame to where it is in the next."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.simulator.truth.recordings import record, record_egg, screen
from training.simulator.arrays import BoolArray
from training.simulator.cine import simulate_cine
from training.simulator.truth.displacement import LEAST_PX, displacement
from training.simulator.truth.fitting import carry_mask, dice, find_crossing, fit_masks
from training.simulator.truth.masks import structure_masks
from training.simulator.views.names import view_of

DICE_LIMIT = 0.97
FINE_PX = 280  # .57 mm a pixel: at 112 pixels the steps of a mask's edge alone cost a thin wall .03


@pytest.mark.parametrize(
    ("plane", "seed", "step_ms"),
    [
        ("a4c", 3, 50),
        ("a4c", 21, 40),
        ("a2c", 12, 60),
        ("a3c", 12, 50),
        ("plax", 21, 50),
        ("oblique", 3, 60),
        ("psax_mitral", 3, 20),  # the ring of muscle opens and closes; atria and ventricles take turns
        ("psax_mid", 3, 50),
        ("psax_apex", 3, 40),
    ],
)
def test_masks_are_carried_to_the_next_frame(plane: str, seed: int, step_ms: float) -> None:
    recording = record(seed, plane, step_ms=step_ms, size_px=FINE_PX)
    masks, moved = structure_masks(recording), displacement(recording)
    steps = range(len(moved.px))
    compared = 0
    for mask in masks.values():
        for t in steps:
            before, after = mask[t] & ~moved.leaves[t], mask[t + 1] & ~moved.enters[t]
            if min(before.sum(), after.sum()) >= LEAST_PX:
                assert dice(carry_mask(before, moved.px[t]), after) >= DICE_LIMIT
                compared += 1
    assert compared >= 2 * len(steps)
    wall, cavity = masks["myocardium"], masks["lv_cavity"]
    assert not (moved.leaves & (wall | cavity)[:-1]).any()
    assert not (moved.enters & (wall | cavity)[1:]).any()
    assert (moved.leaves.any() and moved.enters.any()) == (plane == "psax_mitral")
    unmoved = [dice(wall[t], wall[t + 1]) for t in steps]
    assert min(unmoved) < DICE_LIMIT - 0.02  # or there would be nothing to carry


@pytest.mark.parametrize("plane", ["psax_aortic", "a5c", "rv_inflow", "rv_outflow", "subcostal", "suprasternal"])
def test_masks_of_a_cine_as_it_is_drawn_are_carried_too(plane: str) -> None:
    times_ms = np.arange(8) * 60.0
    recording = simulate_cine(11, view_of(plane), "unity", plane=plane, frame_times_ms=times_ms).truth.recording
    assert recording is not None
    moved = displacement(recording)
    crossed = []
    for mask in structure_masks(recording).values():
        for t in range(len(moved.px)):
            before, after = mask[t] & ~moved.leaves[t], mask[t + 1] & ~moved.enters[t]
            if min(before.sum(), after.sum()) >= LEAST_PX:
                assert dice(carry_mask(before, moved.px[t]), after) >= DICE_LIMIT
                crossed.append(before.sum() < mask[t].sum() / 2)
    assert len(crossed) >= 14
    assert sum(crossed) <= 1  # aorta in the five-chamber plane, once


@pytest.mark.parametrize("is_flipped", [False, True])
def test_a_heart_that_moves_as_a_whole_takes_its_tissue_along(is_flipped: bool) -> None:
    shown_on = replace(screen(), is_flipped=is_flipped, squeeze=1.25)
    recording = record_egg((12.0, 0.0, -18.0), shown_on, np.array([0.0, 60.0, 400.0]))
    field = displacement(recording).mm
    contraction = np.array([state.contraction for state in recording.states])
    tissue = structure_masks(recording, ["myocardium"])["myocardium"]
    for t, step in enumerate(np.diff(contraction)):
        expected = step * np.array([12.0, 18.0])  # downwards is away from the third axis
        assert np.abs(field[t][tissue[t]].mean(axis=0) - expected).max() < 0.15
        assert np.abs(field[t][tissue[t]] - expected).max() < 0.6
    far = np.linalg.norm(shown_on.places_mm - [0, 90], axis=2) > 95
    assert np.abs(field[:, far]).max() < 0.5 * np.abs(field).max()


def test_pixels_tell_of_flip_and_squeeze() -> None:
    shown_on = replace(screen(), is_flipped=True, squeeze=1.25)
    recording = record_egg((12.0, 0.0, -18.0), shown_on, np.array([0.0, 200.0]))
    scale = np.array([-1.25, 1.0]) * shown_on.px_per_mm
    moved = displacement(recording)
    assert moved.px == pytest.approx(moved.mm * scale, abs=1e-4)


def test_a_frozen_heart_does_not_move() -> None:
    recording = record(3, "a4c", step_ms=200)
    held = replace(recording, times_ms=np.full_like(recording.times_ms, 130.0))
    assert np.abs(displacement(held).mm).max() < 0.02


def test_one_frame_has_no_displacement() -> None:
    recording = record(3, "a4c", step_ms=1e4)
    moved = displacement(recording)
    assert moved.px.shape == moved.mm.shape == (0, 112, 112, 2)
    assert moved.leaves.shape == moved.enters.shape == (0, 112, 112)


def test_a_mask_is_carried_by_a_plain_shift() -> None:
    mask = np.zeros((40, 50), dtype=np.bool_)
    mask[10:20, 12:30] = True
    field = np.broadcast_to(np.float32([5, -3]), (40, 50, 2)).copy()
    carried = carry_mask(mask, field)
    assert dice(carried, np.roll(mask, (-3, 5), axis=(0, 1))) > 0.98  # its corners are rounded


def disc(radius_px: float) -> BoolArray:
    rows, columns = np.mgrid[:80, :90]
    return (rows - 40) ** 2 + (columns - 45) ** 2 < radius_px**2


@pytest.mark.parametrize(("before", "after"), [(20, 8), (8, 20), (15, 15)])
def test_a_field_is_fitted_to_what_shrinks_and_to_what_grows(before: float, after: float) -> None:
    still = np.zeros((80, 90, 2), dtype=np.float32)
    fitted = fit_masks(still, disc(before)[None], disc(after)[None])
    assert dice(carry_mask(disc(before), fitted), disc(after)) > 0.97
    assert np.abs(fitted[:2]).max() < 1
    assert (np.abs(fitted).max() < 0.1) == (before == after)
    outwards, upwards = fitted[40, 45 + before]  # on the outline, right of the middle
    assert (outwards, upwards) == pytest.approx((after - before, 0), abs=1)


def test_masks_are_carried_together_as_one_by_one() -> None:
    field = np.random.default_rng(1).normal(0, 1, (80, 90, 2)).astype(np.float32)
    together = carry_mask(np.stack([disc(10), disc(20)]), field)
    assert np.array_equal(together, [carry_mask(disc(10), field), carry_mask(disc(20), field)])


def test_what_is_gone_and_what_is_new_are_found_and_a_moved_outline_is_not() -> None:
    still = np.zeros((80, 90, 2), dtype=np.float32)
    gone, new = disc(6), np.roll(disc(6), 35, axis=1)
    staying = np.roll(disc(6), -30, axis=1)
    leaves, enters = find_crossing(still, gone | staying, new | np.roll(staying, 1, axis=0), edge_px=3)
    assert np.array_equal(leaves, gone)
    assert np.array_equal(enters, new)


def test_all_of_a_structure_leaves_when_the_next_frame_has_none() -> None:
    leaves, enters = find_crossing(np.zeros((80, 90, 2), dtype=np.float32), disc(9), disc(0), edge_px=3)
    assert np.array_equal(leaves, disc(9))
    assert not enters.any()
