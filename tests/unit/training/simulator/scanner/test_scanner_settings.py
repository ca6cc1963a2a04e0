"""Every setting does what its sentence says."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.unit.training.simulator.scanner.scenes import CLEAN, GRID, USUAL, heart, inside
from training.simulator.scanner.point_spread import PointSpread, axial_sigma_mm, lateral_sigma_mm
from training.simulator.scanner.scanner import Scanner
from training.simulator.scanner.settings import ScannerSettings, Shadow

SEED = (5, 1, 2)
CAVITY = inside((20, 30), (0, 62))
SPARSE = inside((16, 16), (0, 120))


def shown(settings: ScannerSettings, time_ms: float = 0.0) -> np.ndarray:
    return Scanner(settings, heart(), SEED, GRID).render_db(heart(), time_ms)


def grain(picture: np.ndarray) -> float:
    return float((picture - cv2.GaussianBlur(picture, (0, 0), 3)).std())


def test_beam_widens_with_depth_and_with_a_bad_chest_wall():
    depths = np.array([80, 110, 150], np.float32)
    good, bad = lateral_sigma_mm(CLEAN, depths), lateral_sigma_mm(replace(CLEAN, beam_spread=2.0), depths)
    assert (np.diff(good) > 0).all()
    assert (bad > good).all()


@pytest.mark.parametrize(("depth_mm", "width_mm"), [(50, 1.2), (100, 2.4), (150, 3.6)])
def test_beam_in_focus_is_as_wide_as_diffraction_makes_it(depth_mm: float, width_mm: float):
    settings = replace(CLEAN, aperture_mm=20, frequency_mhz=3.2, focus_mm=depth_mm, beam_spread=1.0)
    assert lateral_sigma_mm(settings, np.array([depth_mm], np.float32))[0] * 2.355 == pytest.approx(width_mm, rel=0.02)


def test_pulse_is_as_long_as_its_cycles():
    assert axial_sigma_mm(replace(CLEAN, cycles=2, frequency_mhz=3.2)) * 2.355 == pytest.approx(0.48, abs=0.02)


def test_a_point_is_spread_wider_in_the_depth():
    echo = np.zeros((GRID.rows, GRID.beams, 2), np.float32)
    rows = [GRID.rows // 2, GRID.rows - 12]
    echo[rows, 48] = 1
    line = PointSpread(CLEAN, GRID)(echo)[..., 0]
    across = (GRID.angles_rad - GRID.angles_rad[48]) ** 2
    widths = [float(np.sqrt((line[row] * across).sum() / line[row].sum()) * GRID.depths_mm[row]) for row in rows]
    assert widths[1] > 1.3 * widths[0]


def test_spread_has_no_seam_between_its_bands():
    flat = np.ones((GRID.rows, GRID.beams, 2), np.float32)
    assert PointSpread(CLEAN, GRID)(flat) == pytest.approx(1, abs=1e-4)


def test_speckle_reduction_calms_speckle_and_sharpening_brings_it_out():
    raw = grain(shown(CLEAN))
    assert grain(shown(replace(CLEAN, speckle_reduction=0.8))) < 0.8 * raw
    assert grain(shown(replace(CLEAN, smoothing_mm=1.2))) < 0.8 * raw
    assert grain(shown(replace(CLEAN, edge_enhancement=1.0))) > 1.2 * raw


def test_persistence_makes_frames_alike():
    def change(settings: ScannerSettings) -> float:
        scanner = Scanner(settings, heart(), SEED, GRID)
        pairs = [(scanner.render_db(heart(), t), scanner.render_db(heart(), t + 20)) for t in (0.0, 333.0, 777.0)]
        return float(np.mean([np.abs(a - b).mean() for a, b in pairs]))

    assert change(replace(USUAL, persistence=0.6)) < 0.8 * change(replace(USUAL, persistence=0.0))


def test_noise_fills_what_has_no_echo_and_grows_with_depth():
    quiet, noisy = shown(CLEAN), shown(replace(CLEAN, noise_db=-8.0))
    near, far = inside((8, 8), (0, 40)), SPARSE
    assert noisy[far].mean() > quiet[far].mean() + 5
    assert noisy[far].mean() > noisy[near].mean() + 2


def test_near_clutter_and_repeated_skin_layers_lie_by_the_skin():
    for change in ({"near_clutter_db": 8.0}, {"reverberation_db": 12.0}):
        gained = shown(replace(CLEAN, **change)) - shown(CLEAN)
        assert gained[:12].mean() > 2
        assert gained[100:].mean() < 0.5


def test_side_lobes_smear_along_the_arc_of_equal_depth():
    gained = shown(replace(CLEAN, side_lobe_db=-24.0)) - shown(CLEAN)
    assert gained[inside((21, 22), (0, 62)) & ~inside((15, 30), (0, 62))].mean() > 4
    assert gained[inside((33, 43), (0, 62)) & ~inside((26, 38), (0, 62))].mean() < 3


def test_a_shadow_darkens_its_wedge_only():
    lost = shown(CLEAN) - shown(replace(CLEAN, shadows=(Shadow(0.25, 0.04, 20.0),)))
    assert lost[60:, 23:25].mean() > 12
    assert abs(lost[60:, 60:].mean()) < 0.5


def test_edges_lose_what_is_set():
    lost = shown(CLEAN) - shown(replace(CLEAN, edge_loss_db=(12.0, 0.0)))
    assert lost[80:, 0].mean() > 5
    assert abs(lost[80:, 60:].mean()) < 0.5


def test_lung_hides_the_side_behind_a_bright_line():
    lung = shown(replace(CLEAN, soft_tissue_db=12.0, lung_fraction=(0.3, 0.0)))
    clear = shown(replace(CLEAN, soft_tissue_db=12.0))
    assert lung[8:30, 3].max() > 0
    assert lung[100:, :15].mean() < clear[100:, :15].mean() - 4
    assert abs((lung - clear)[100:, 60:].mean()) < 0.5


def test_sliders_act_on_their_third():
    gained = shown(replace(CLEAN, tgc_error_db=(0.0, 0.0, 6.0))) - shown(CLEAN)
    assert gained[140:].mean() == pytest.approx(6, abs=0.5)
    assert abs(gained[:60].mean()) < 0.5


def test_more_attenuation_assumed_makes_the_far_field_brighter():
    gained = shown(replace(CLEAN, assumed_attenuation_db=0.7)) - shown(CLEAN)
    assert gained[140:].mean() > gained[30:60].mean() + 2


def test_grey_runs_from_black_to_white_over_the_dynamic_range():
    soft, hard = (
        Scanner(replace(USUAL, dynamic_range_db=r), heart(), SEED, GRID).scan(heart(), 0.0) for r in (70.0, 35.0)
    )
    assert hard.std() > 1.3 * soft.std()
    assert (hard == 0).mean() > (soft == 0).mean()


def test_gain_and_gamma_move_all_greys():
    def mean(settings: ScannerSettings) -> float:
        return float(Scanner(settings, heart(), SEED, GRID).scan(heart(), 0.0).mean())

    assert mean(replace(USUAL, muscle_grey_fraction=0.6)) > mean(USUAL) + 10
    assert mean(replace(USUAL, gamma=1.5)) < mean(USUAL) - 5


def test_soft_tissue_round_the_heart_is_uneven_but_no_noise():
    corner = shown(replace(CLEAN, soft_tissue_db=-6.0))[110:, :30]
    smooth = cv2.GaussianBlur(corner, (0, 0), 3)
    assert smooth.std() > 2
    assert shown(replace(CLEAN, soft_tissue_db=-14.0))[110:, :30].mean() < corner.mean() - 6
