import numpy as np

from tests.unit.training.simulator.scanner.scenes import CLEAN, GRID, heart, surface
from training.simulator.heart.heart import heart_of
from training.simulator.heart.tissues import Tissue
from training.simulator.scanner.looks import DROPOUT_CHANCE, RIGHT_HEART, TABLE, draw_looks
from training.simulator.scanner.motion import make_carrier

SURFACES = heart().surfaces
NAMES = [s.name for s in SURFACES]
SEEDS = [(seed, 0, 0) for seed in range(40)]


def test_dropout_lowers_structures():
    never, often = ([draw_looks(SURFACES, seed, factor).fading_db for seed in SEEDS] for factor in (0.0, 1.0))
    lost = np.array(never) - np.array(often)  # [seeds, structures, rows, columns]
    assert lost.min() > -1e-4
    deepest = lost.max(axis=(2, 3))
    hidden = (deepest > 4).mean(axis=0)
    assert 0.2 < hidden[NAMES.index("la_wall")] < 0.6
    assert 0.2 < hidden[NAMES.index("lv_wall")] < 0.9


def test_every_name_of_the_tables_begins_that_of_a_structure():
    names = [surface.name for surface in heart_of(3).surfaces]
    for prefix in (*DROPOUT_CHANCE, *RIGHT_HEART):
        assert any(name.startswith(prefix) for name in names), prefix


def test_at_most_one_leaflet_is_hidden():
    leaflets = [NAMES.index("mitral_anterior"), NAMES.index("mitral_posterior")]
    for seed in SEEDS:
        lost = draw_looks(SURFACES, seed, 0.0).fading_db - draw_looks(SURFACES, seed, 1.0).fading_db
        assert (lost[leaflets].max(axis=(1, 2)) > 4).sum() <= 1


def test_lateral_muscle_is_usually_weaker_than_septal():
    wall = NAMES.index("lv_wall")
    fading = np.mean([draw_looks(SURFACES, seed, 1.0).fading_db[wall] for seed in SEEDS], axis=0)  # [rows, columns]
    lateral, septal = fading[6:18, 4], fading[6:18, TABLE[1] // 2 + 2]
    assert 2 < (septal - lateral).mean() < 9


def test_one_more_structure_changes_no_other():
    more = (*SURFACES, surface("liver", Tissue.LIVER))
    one, two = draw_looks(SURFACES, (3, 0, 0), 1.0), draw_looks(more, (3, 0, 0), 1.0)
    assert (one.fading_db == two.fading_db[:-1]).all()
    assert (one.shift_db == two.shift_db[:-1]).all()


def test_fading_of_a_closed_surface_has_no_seam():
    looks = draw_looks(SURFACES, (3, 0, 0), 0.0)
    field = looks.fading_db[NAMES.index("la_wall")]
    across = np.abs(np.diff(np.concatenate([field, field[:, :1]], axis=1), axis=1))
    assert across[:, -1].max() <= 1.5 * across[:, :-1].max()


def test_levels_are_read_at_places_of_each_structure():
    looks = draw_looks(SURFACES, (3, 0, 0), 1.0)
    corners = np.array([[0, 0], [1, 1]], np.float32)
    read = looks.at(np.array([1, 2]), corners)
    assert read[0] == looks.fading_db[1, 0, 0] + looks.shift_db[1]
    assert read[1] == looks.fading_db[2, -1, -1] + looks.shift_db[2]
    assert read.dtype == np.float32


def test_values_spread_from_points_and_fade_far_from_them():
    carrier = make_carrier(GRID)
    points = np.array([[0, 70], [3, 72], [-3, 68]], np.float32)
    field = carrier.spread(points, np.full((3, 1), 5, np.float32), 9.0)
    column, row = GRID.to_px(points[0]).astype(int)
    assert field.shape == (GRID.rows, GRID.beams)
    assert field[row, column] > 4
    assert abs(field[-1, 0]) < 0.1


def test_grid_gives_places_back():
    places = GRID.places_mm(GRID.rows, GRID.beams)
    px = GRID.to_px(places)
    assert np.abs(px[..., 0] - np.arange(GRID.beams)).max() < 0.05
    assert np.abs(px[..., 1] - np.arange(GRID.rows)[:, None]).max() < 0.05
    assert CLEAN.depth_mm == GRID.depths_mm[-1]
