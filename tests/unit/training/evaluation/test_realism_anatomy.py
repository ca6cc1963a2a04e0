"""A cavity of known shape is measured as it is, wherever it lies."""

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.realism.anatomy import APICAL_FROM, find_axis, measure_grey, measure_pose, measure_ventricle
from training.evaluation.realism.hearts import Shown, show
from training.simulator.cine import simulate_cine

LENGTH_MM, WIDTH_MM = 80.0, 46.0


def half_ellipse(lean_deg: float = 0.0, apex: tuple[float, float] = (0.0, 20.0)) -> np.ndarray:
    """Upper half of an ellipse [181, 2] mm, apex up, from its left hinge to its right one; leans its base right."""
    turn = np.linspace(np.pi, 0, 181)
    upright = np.stack([WIDTH_MM / 2 * np.cos(turn), LENGTH_MM * (1 - np.sin(turn))], axis=1)
    c, s = np.cos(np.radians(lean_deg)), np.sin(np.radians(lean_deg))
    return (upright @ np.array([[c, -s], [s, c]]) + apex).astype(np.float32)


@pytest.mark.parametrize("lean_deg", [0.0, 15.0, -20.0])
def test_size_and_shape_do_not_depend_on_the_pose(lean_deg: float) -> None:
    found = measure_ventricle(half_ellipse(lean_deg))
    assert found["length_mm"] == pytest.approx(LENGTH_MM, abs=0.1)
    assert found["width_mm"] == pytest.approx(WIDTH_MM, abs=0.1)
    assert found["annulus_mm"] == pytest.approx(WIDTH_MM, abs=0.1)
    assert found["volume_ml"] == pytest.approx(np.pi / 6 * LENGTH_MM * WIDTH_MM**2 / 1000, rel=0.01)
    at_half_ellipse = WIDTH_MM / LENGTH_MM * np.sqrt(1 - 0.75**2)
    assert found["width_at_75"] == pytest.approx(at_half_ellipse, abs=0.005)


def test_pose_is_that_of_apex_and_annulus() -> None:
    found = measure_pose(half_ellipse(15.0, (-4.0, 31.0)), 150.0)
    assert found["lean_deg"] == pytest.approx(15, abs=0.5)
    assert (found["apex_beside_mm"], found["apex_depth_mm"]) == pytest.approx((-4, 31), abs=0.1)
    assert found["annulus_beside_mm"] == pytest.approx(-4 + LENGTH_MM * np.sin(np.radians(15)), abs=0.7)
    assert found["annulus_depth_fraction"] == pytest.approx((31 + LENGTH_MM * np.cos(np.radians(15))) / 150, abs=0.005)


def test_grey_levels_are_told_by_region() -> None:
    frame = np.full((120, 100), 40, np.uint8)
    cavity, wall, atrium = (np.zeros(frame.shape, bool) for _ in range(3))
    cavity[30:90, 40:60] = True
    wall[20:90, 30:70] = True
    wall &= ~cavity
    atrium[90:115, 40:60] = True
    frame[:, :50], frame[:, 50:] = 120, 90
    frame[: round(90 - APICAL_FROM * 60)] = 70
    frame[cavity], frame[atrium] = 30, 55
    axis = find_axis(np.array([[40, 90], [40, 40], [50, 30], [60, 40], [60, 90]], np.float32))
    masks = {"lv_cavity": cavity, "lv_wall": wall, "la_cavity": atrium}
    found = measure_grey(frame, masks, np.ones(frame.shape, bool), axis)
    expected = {"lv_cavity": 30, "septum": 120, "lateral_wall": 90, "apical_muscle": 70, "la_cavity": 55}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1.5)
    assert found["septum_minus_lateral"] == pytest.approx(30, abs=2)
    assert found["lateral_wall_above_cavity"] == pytest.approx(60, abs=2)
    assert found["cavity_sd"] == 0


def test_a_region_that_is_not_seen_has_no_grey_level() -> None:
    empty = np.zeros((50, 50), bool)
    axis = find_axis(np.array([[10, 40], [20, 5], [30, 40]], np.float32))
    masks = {"lv_cavity": empty, "lv_wall": empty, "la_cavity": empty}
    found = measure_grey(np.zeros((50, 50), np.uint8), masks, ~empty, axis)
    assert np.isnan([found["septum"], found["la_cavity_above_cavity"], found["muscle_sd"]]).all()


def shown(is_flipped: bool) -> Shown:
    """One frame of a cine, told to be flipped when its pixels are."""
    cine = simulate_cine(5, "A4C", "tmed", frame_times_ms=np.zeros(1))
    truth = replace(cine.truth, is_flipped=False)
    if is_flipped:
        last = cine.frames.shape[2] - 1
        contour = truth.lv_contour_px * np.float32([-1, 1]) + np.float32([last, 0])
        probe = (last - truth.probe_px[0], truth.probe_px[1])
        mask = truth.sector_mask[:, ::-1]
        truth = replace(truth, is_flipped=True, lv_contour_px=contour, probe_px=probe, sector_mask=mask)
        cine = replace(cine, frames=cine.frames[:, :, ::-1])
    return show(replace(cine, truth=truth), 0, {})


def test_a_flip_is_undone() -> None:
    plain, undone = shown(is_flipped=False), shown(is_flipped=True)
    assert np.array_equal(plain.frame, undone.frame)
    assert np.array_equal(plain.sector, undone.sector)
    assert plain.contour_mm == pytest.approx(undone.contour_mm, abs=1e-3)
