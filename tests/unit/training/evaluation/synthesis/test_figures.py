"""Grids hold every picture where its place says, and nothing else."""

from pathlib import Path

import cv2
import numpy as np

from tests.unit.training.evaluation.synthesis.made_sets import pictures
from training.evaluation.synthesis.figures import GRID_COLUMNS, draw_grid, draw_neighbours, per_view_grid, write_picture


def test_a_grid_holds_each_picture_in_its_place() -> None:
    flat = np.stack([np.full((112, 112), 60 + place, np.uint8) for place in range(7)])
    grid = draw_grid(flat, columns=3)
    assert grid.shape == (3 * 114, 3 * 114)
    assert [int(grid[114 * (place // 3) + 50, 114 * (place % 3) + 50]) for place in range(7)] == list(range(60, 67))
    assert (grid[2 * 114 : 2 * 114 + 112, 114:] == 40).all()  # where there are no more


def test_neighbours_stand_beside_their_picture() -> None:
    made, nearest, kept = (np.full((4, 112, 112), grey, np.uint8) for grey in (80, 120, 160))
    drawn = draw_neighbours(made, nearest, kept, columns=2)
    assert drawn[50, [20, 132, 244]].tolist() == [80, 120, 160]


def test_each_view_has_its_rows() -> None:
    held = pictures(range(12))
    grid = per_view_grid(held, rows=1)
    assert grid.shape[0] == 4 * 114
    assert (grid[114 : 114 + 112, :112] == held.frames[1]).all()  # the first picture of the second view
    assert grid.shape[1] == GRID_COLUMNS * 114


def test_a_picture_comes_back_from_its_file(tmp_path: Path) -> None:
    drawn = draw_grid(pictures(range(3)).frames)
    assert write_picture(drawn, tmp_path / "grid.png") == "grid.png"
    assert (cv2.imread(str(tmp_path / "grid.png"), cv2.IMREAD_GRAYSCALE) == drawn).all()
