"""What a screen says of its sector holds in every framing: whole, cut, zoomed, steered, squeezed, mirrored, square."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from training.simulator.display.screen import Screen, lay_out
from training.simulator.scanner.grid import PolarGrid
from training.simulator.styles import STYLES, Box, StyleDraw, draw_style

PLAIN = replace(draw_style("unity", (3, 1, 1)).without_zoom(), is_flipped=False, cut_bottom=0.0, squeeze=1.0)
FRAMINGS: dict[str, StyleDraw] = {
    "whole": PLAIN,
    "mirrored": replace(PLAIN, is_flipped=True),
    "squeezed": replace(PLAIN, squeeze=1.15),
    "steered": replace(PLAIN, steer_deg=12.0, scanner=replace(PLAIN.scanner, opening_deg=40.0)),
    "cut": replace(PLAIN, cut_bottom=0.1, cut_sides=(0.3, 0.1), is_flipped=True),
    "enlarged": replace(PLAIN, zoom=1.4, is_flipped=True),
    "box": replace(PLAIN, box=Box(-0.3, 0.25, 0.2, 0.75), is_flipped=True, squeeze=0.9),
    "piece": replace(PLAIN, piece=(0.3, 0.8), steer_deg=-6.0),
}


def screens() -> list[tuple[str, Screen]]:
    return [(f"{name} {size}", lay_out(drawn, size)) for name, drawn in FRAMINGS.items() for size in (None, 112)]


@pytest.mark.parametrize(("name", "screen"), screens(), ids=[name for name, _ in screens()])
def test_points_and_pixels_agree(name: str, screen: Screen) -> None:
    rows, columns = np.array([[3, 40], [50, 7], [80, 100], [101, 60]]).T
    at_px = screen.to_px(screen.places_mm[rows, columns])
    assert np.allclose(at_px, np.stack([columns, rows], axis=1), atol=1e-2)


@pytest.mark.parametrize(("name", "screen"), screens(), ids=[name for name, _ in screens()])
def test_the_mask_is_where_the_beams_are_shown(name: str, screen: Screen) -> None:
    rng = np.random.default_rng(1)
    turn = np.deg2rad(screen.steer_deg + rng.uniform(-0.5, 0.5, 4000) * screen.opening_deg * 1.3)
    radius = rng.uniform(0, 1.15 * screen.depth_mm, 4000)
    places = np.stack([radius * np.sin(turn), radius * np.cos(turn)], axis=1).astype(np.float32)
    off_deg = np.abs(np.rad2deg(turn) - screen.steer_deg)
    left, top, right, bottom = screen.window_mm
    margins = np.stack([  # how far inside each edge, mm
        np.deg2rad(screen.opening_deg / 2 - off_deg) * radius,
        radius - max(screen.start_mm, screen.shown_mm[0]),
        min(screen.depth_mm, screen.shown_mm[1]) - radius,
        min(screen.cut_mm, bottom) - places[:, 1],
        places[:, 1] - top,
        places[:, 0] - left,
        right - places[:, 0],
    ]).min(axis=0)  # fmt: skip
    at_px = np.rint(screen.to_px(places)).astype(int)
    seen = (at_px >= 0).all(axis=1) & (at_px[:, 0] < screen.width_px) & (at_px[:, 1] < screen.height_px)
    clear = seen & (np.abs(margins) > max(screen.pixel_spacing_mm))
    shown = screen.sector_mask[at_px[clear, 1], at_px[clear, 0]]
    assert np.array_equal(shown, margins[clear] > 0)
    assert shown.any()


@pytest.mark.parametrize(("name", "screen"), screens(), ids=[name for name, _ in screens()])
def test_an_echo_lands_where_the_truth_says(name: str, screen: Screen) -> None:
    grid = PolarGrid(400, 240, screen.start_mm, screen.depth_mm, screen.opening_deg, screen.steer_deg)
    row, beam = 215, 128
    lines = np.zeros((grid.rows, grid.beams), dtype=np.float32)
    lines[row - 6 : row + 7, beam - 6 : beam + 7] = 255
    picture = cv2.remap(lines, *screen.maps(grid), cv2.INTER_LINEAR) * screen.sector_mask
    y, x = np.nonzero(picture > 127)
    depth, angle = grid.depths_mm[row], grid.angles_rad[beam]
    wanted = screen.to_px(np.array([depth * np.sin(angle), depth * np.cos(angle)], dtype=np.float32))
    assert np.hypot(x.mean() - wanted[0], y.mean() - wanted[1]) < 1.5


def test_spacing_is_that_of_each_axis() -> None:
    screen = lay_out(FRAMINGS["squeezed"], None)
    corners = np.array([[0, 50], [0, 60], [10, 50]], dtype=np.float32)
    start, below, beside = screen.to_px(corners)
    row_mm, column_mm = screen.pixel_spacing_mm
    assert (below[1] - start[1]) * row_mm == pytest.approx(10, rel=1e-4)
    assert (beside[0] - start[0]) * column_mm == pytest.approx(10, rel=1e-4)
    assert row_mm / column_mm == pytest.approx(1.15)


def test_a_mirrored_screen_is_the_mirror_of_the_other() -> None:
    drawn = replace(FRAMINGS["steered"], sector_x=0.5)
    straight, mirrored = lay_out(drawn, 112), lay_out(replace(drawn, is_flipped=True), 112)
    column = np.arange(1, 112)  # the probe lies at pixel 56, not between two
    assert np.array_equal(straight.sector_mask[:, column], mirrored.sector_mask[:, 112 - column])


def test_a_zoom_enlarges_and_a_cut_removes() -> None:
    areas = {name: lay_out(drawn, 112).px_per_mm for name, drawn in FRAMINGS.items()}
    assert min(areas["box"], areas["piece"], areas["enlarged"]) > 1.25 * areas["whole"]
    assert lay_out(FRAMINGS["cut"], None).sector_mask.sum() < 0.9 * lay_out(PLAIN, None).sector_mask.sum()


@pytest.mark.parametrize("style", STYLES)
def test_every_framing_of_every_style_shows_a_sector(style: str) -> None:
    for seed in range(12):
        drawn = draw_style(style, (seed, 1, 1))
        mask = lay_out(drawn, 112).sector_mask
        assert mask.shape == (112, 112)
        assert mask.mean() > 0.1
        if drawn.box is None and drawn.piece is None and drawn.zoom == 1:
            rows = np.flatnonzero(mask.any(axis=1))
            assert rows[-1] - rows[0] > 0.4 * 112
