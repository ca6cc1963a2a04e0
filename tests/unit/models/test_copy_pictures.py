"""What copies are looked for in does not change with what a copy may suffer."""

import numpy as np
import pytest

from services.models.copy_pictures import CELLS, contrast, move, pose, shrink, warping
from tests.unit.models.copy_scenes import frame, frames


def test_a_cell_is_the_mean_of_its_pixels() -> None:
    picture = frames(range(2))
    expected = np.rint(picture.reshape(2, CELLS, 4, CELLS, 4).mean(axis=(2, 4)))
    assert np.abs(shrink(picture) - expected).max() <= 1  # halves are rounded up


def test_contrast_is_zero_outside_the_sector_and_bounded_inside() -> None:
    thumbnails = shrink(frames(range(3)))
    found = contrast(thumbnails)
    assert (found[thumbnails == 0] == 0).all()
    assert 0.5 < found[thumbnails > 2].std() < 2


@pytest.mark.parametrize("factor", [0.7, 0.9])
def test_contrast_hardly_changes_with_gain(factor: float) -> None:
    before, after = (contrast(shrink((frames(range(1)) * share).astype(np.uint8))) for share in (1.0, factor))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99


def test_warping_is_what_moving_pixels_does() -> None:
    moved = pose(True, 5.0, 0.9, 1.3, -0.7)
    smooth = frame(1).astype(np.float32)
    whole = shrink(move(frame(1), moved)[None])[0].astype(np.float32)
    cells = (warping(moved) @ shrink(smooth[None].astype(np.uint8))[0].ravel()).reshape(CELLS, CELLS)
    inside = (whole > 20) & (cells > 20)
    assert np.corrcoef(whole[inside], cells[inside])[0, 1] > 0.95


def test_mirroring_twice_changes_nothing() -> None:
    there = warping(pose(True, 0.0, 1.0))
    assert np.allclose(there @ there, np.eye(CELLS**2), atol=1e-5)


def test_a_pose_moves_by_whole_cells() -> None:
    picture = np.zeros((CELLS, CELLS), np.float32)
    picture[10, 12] = 1
    moved = (warping(pose(False, 0.0, 1.0, 3.0, -2.0)) @ picture.ravel()).reshape(CELLS, CELLS)
    assert np.unravel_index(moved.argmax(), moved.shape) == (8, 15)
