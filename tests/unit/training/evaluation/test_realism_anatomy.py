"""A cavity of known shape is measured as it is, wherever it lies."""

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.realism.anatomy import APICAL_FROM, find_axis, measure_grey, measure_pose, measure_ventricle
from training.evaluation.realism.hearts import REGIONS, Shown, show
from training.simulator.cine import simulate_cine
from training.simulator.display.screen import Screen
from training.simulator.truth.landmarks import picture_landmarks

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


def screen(height_px: int, width_px: int, **changed: float) -> Screen:
    """A sector that fills a canvas of 1 mm pixels, the beams meeting above its middle."""
    plain = Screen(
        width_px=width_px,
        height_px=height_px,
        probe_x_px=width_px / 2,
        probe_y_px=-1000.0,
        px_per_mm=1.0,
        depth_mm=2000.0,
        opening_deg=90.0,
        start_mm=1.0,
        cut_mm=2000.0,
        is_flipped=False,
    )
    return replace(plain, **changed)


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
    contour = np.array([[-10, 1090], [-10, 1040], [0, 1030], [10, 1040], [10, 1090]], np.float32)
    masks = {"lv_cavity": cavity, "myocardium": wall, "la": atrium}
    expected = {"lv_cavity": 30, "septum": 120, "lateral_wall": 90, "apical_muscle": 70, "la_cavity": 55}
    found = measure_grey(frame, masks, screen(120, 100), contour)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1.5)
    assert found["septum_minus_lateral"] == pytest.approx(30, abs=2)
    assert found["lateral_wall_above_cavity"] == pytest.approx(60, abs=2)
    assert found["cavity_sd"] == 0
    mirrored = {name: mask[:, ::-1] for name, mask in masks.items()}
    flipped = measure_grey(frame[:, ::-1], mirrored, screen(120, 100, probe_x_px=49.0, is_flipped=True), contour)
    assert flipped["septum"] == pytest.approx(found["septum"], abs=1.5)


def test_a_region_that_is_not_seen_has_no_grey_level() -> None:
    empty = np.zeros((50, 50), bool)
    contour = np.array([[-10, 1040], [0, 1005], [10, 1040]], np.float32)
    masks = {"lv_cavity": empty, "myocardium": empty, "la": empty}
    found = measure_grey(np.zeros((50, 50), np.uint8), masks, screen(50, 50), contour)
    assert np.isnan([found["septum"], found["la_cavity_above_cavity"], found["muscle_sd"]]).all()


def test_a_contour_runs_from_hinge_to_hinge_round_the_apex() -> None:
    cine = simulate_cine(5, "A4C", "tmed", frame_times_ms=np.zeros(1))
    assert cine.truth.recording is not None
    shown = show(cine)[0]
    marks = picture_landmarks(cine.truth.recording).mm
    for end in (shown.contour_mm[0], shown.contour_mm[-1]):
        hinges = [marks[f"mitral_{leaflet}_hinge"][0] for leaflet in ("anterior", "posterior")]
        assert min(np.hypot(*(end - hinge)) for hinge in hinges) < 1
    assert find_axis(shown.contour_mm).apex == pytest.approx(marks["apex"][0], abs=0.1)
    steps = np.hypot(*np.diff(shown.contour_mm, axis=0).T)
    assert steps.sum() > 2 * find_axis(shown.contour_mm).length
    assert steps.max() < 10
    assert not shown.masks["lv_cavity"][~shown.screen.sector_mask].any()


def test_a_ventricle_without_hinges_is_left_out() -> None:
    cine = simulate_cine(5, "PSAX", "tmed", plane="psax_papillary", frame_times_ms=np.zeros(2))
    assert [len(shown.contour_mm) for shown in show(cine)] == [0, 0]


def test_only_a_zoomed_sector_hides_its_top() -> None:
    frame, masks = np.zeros((200, 200), np.uint8), {name: np.zeros((200, 200), bool) for name in REGIONS}
    whole = screen(200, 200, probe_y_px=10.0, depth_mm=150.0, start_mm=8.0)
    cut = replace(whole, window_mm=(-40.0, 50.0, 40.0, 120.0))
    above = replace(whole, probe_y_px=-20.0)
    shown = [Shown(frame, masks, one, np.empty((0, 2), np.float32)).shows_top for one in (whole, cut, above)]
    assert shown == [True, False, False]
