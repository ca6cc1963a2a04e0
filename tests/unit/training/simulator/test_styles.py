"""Styles know nothing of the view, and pictures stay in single precision."""

import numpy as np

from training.simulator.anatomy import draw_subject
from training.simulator.planes import VIEWS, draw_plane, name_variety
from training.simulator.polar import PolarGrid
from training.simulator.screen import lay_out
from training.simulator.speckle import cloud, look_up, scatterer_bank
from training.simulator.studio import END_DIASTOLE
from training.simulator.styles import STYLES, draw_style
from training.simulator.ultrasound import Scanner


def test_style_settings_do_not_tell_the_view() -> None:
    for pick in (lambda s: s.scanner.depth_mm, lambda s: s.scanner.opening_deg, lambda s: s.scanner.dynamic_range_db):
        values = [[pick(draw_style("tmed", (seed, view, 2))) for seed in range(300)] for view in range(len(VIEWS))]
        spread = np.std(values[0])
        means = [np.mean(value) for value in values]
        assert max(means) - min(means) < 0.4 * spread


def test_four_in_ten_short_axis_planes_cut_the_aortic_valve() -> None:
    levels = [name_variety(draw_plane(draw_subject(seed), "PSAX", seed)) for seed in range(300)]
    assert levels.count("aortic") / 300 > 0.37
    assert {"aortic", "mitral", "papillary", "apical"} == set(levels)


def test_pipeline_stays_in_single_precision() -> None:
    style = draw_style("camus", (1, 0, 0))
    scanner_settings = style.scanner
    grid = PolarGrid(48, 32, 4.0, scanner_settings.depth_mm, scanner_settings.opening_deg)
    for view in VIEWS:
        scene = draw_plane(draw_subject(1), view, 1).scene(END_DIASTOLE)
        assert {region.contour.dtype for region in scene.regions} == {np.dtype(np.float32)}
        assert {line.path.dtype for line in scene.lines} == {np.dtype(np.float32)}
        scanner = Scanner(scanner_settings, scene, (1, 2), grid)
        assert all(
            array.dtype == np.float32
            for array in vars(scanner).values()
            if isinstance(array, np.ndarray) and array.dtype.kind == "f"
        )
        assert scanner.render_db(scene, 20.0).dtype == np.float32
    assert scatterer_bank().dtype == cloud(4.0).dtype == np.float32


def test_random_fields_wrap_without_a_seam() -> None:
    field = cloud(14.0)
    step = np.abs(np.diff(field, axis=0)).mean()
    assert np.abs(field[0] - field[-1]).mean() < 3 * step
    places = np.zeros((1, 1, 2), dtype=np.float32)
    here = look_up(field, places, 1.0, np.array([5, 9], dtype=np.float32))
    around = look_up(field, places, 1.0, np.array([5 + 512, 9 + 512], dtype=np.float32))
    assert np.allclose(here, around, atol=1e-3)


def test_square_picture_frames_the_whole_depth_of_the_sector() -> None:
    for style in STYLES:
        screen = lay_out(draw_style(style, (4, 1, 1)), 4.0, 112)
        rows = np.nonzero(screen.sector_mask.any(axis=1))[0]
        assert screen.sector_mask.shape == (112, 112)
        assert rows[-1] - rows[0] > 55
