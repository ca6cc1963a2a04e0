from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.simulator.scanner.scenes import (
    CLEAN,
    GRID,
    USUAL,
    ellipse,
    heart,
    inside,
    line,
    make_scene,
    surface,
)
from training.simulator.heart.tissues import Tissue
from training.simulator.scanner.scanner import Scanner

SEED = (5, 1, 2)
WALL = inside((31, 42), (0, 62)) & ~inside((25, 37), (0, 62))
CAVITY = inside((20, 30), (0, 62))


def residual(picture):
    import cv2

    return picture - cv2.GaussianBlur(picture, (0, 0), 3)


def correlation(one, other):
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_same_time_gives_the_same_bits_in_any_order():
    scenes = {time: heart(time / 200) for time in (0.0, 60.0, 120.0)}
    forwards = [Scanner(USUAL, heart(), SEED, GRID).scan(scenes[time], time) for time in scenes]
    scanner = Scanner(USUAL, heart(), SEED, GRID)
    backwards = [scanner.scan(scenes[time], time) for time in reversed(scenes)][::-1]
    assert all((a == b).all() for a, b in zip(forwards, backwards, strict=True))


def test_no_two_times_give_the_same_picture_of_a_still_heart():
    scanner = Scanner(USUAL, heart(), SEED, GRID)
    assert (scanner.scan(heart(), 0.0) != scanner.scan(heart(), 20.0)).mean() > 0.2


def test_pictures_are_single_precision_and_lines_are_bytes():
    scanner, scene = Scanner(USUAL, heart(), SEED, GRID), heart(0.5)
    moved, level = scanner.carry(scene)
    assert {scanner.render_db(scene, 7.0).dtype, moved.dtype, level.dtype} == {np.dtype(np.float32)}
    assert {scanner.scan(scene, 7.0).dtype, scanner.labels(scene).dtype} == {np.dtype(np.uint8)}
    assert scanner.blood(scene).dtype == np.bool_


def test_chambers_are_dark_and_muscle_is_near_its_level():
    shown = Scanner(CLEAN, heart(), SEED, GRID).render_db(heart(), 0.0)
    assert shown[CAVITY].mean() < shown[WALL].mean() - 12
    assert abs(shown[WALL].mean()) < 6


def test_clutter_sets_how_dark_a_cavity_is():
    dark, hazy = (
        Scanner(replace(CLEAN, cavity_clutter_db=level), heart(), SEED, GRID).render_db(heart(), 0.0)[CAVITY].mean()
        for level in (-40.0, -12.0)
    )
    assert hazy > dark + 8


def test_speckle_follows_a_moving_wall():
    scanner = Scanner(CLEAN, heart(), SEED, GRID)
    rows = 4
    moved = residual(scanner.render_db(heart(down_mm=rows * GRID.row_mm), 0.0))
    still = residual(scanner.render_db(heart(), 0.0))
    shifted = np.roll(still, rows, axis=0)
    side = inside((9, 3.5), (0, 104))  # where the beams run the way the wall moves
    assert correlation(moved[side], shifted[side]) > 0.6
    assert correlation(moved[side], still[side]) < 0.4


def test_speckle_stays_on_the_screen_when_it_is_not_carried():
    scanner = Scanner(CLEAN, heart(), SEED, GRID, without=frozenset({"moving_speckle"}))
    assert (scanner.carry(heart(down_mm=4.0))[0] == scanner.places_mm).all()


def test_speckle_of_a_still_wall_is_replaced_within_a_beat():
    scanner = Scanner(USUAL, heart(), SEED, GRID)
    first = [residual(scanner.render_db(heart(), start))[WALL] for start in np.arange(6) * 431.0]
    kept = []
    for step_ms in (20, 40, 80, 160):
        later = [residual(scanner.render_db(heart(), start + step_ms))[WALL] for start in np.arange(6) * 431.0]
        kept.append(np.mean([correlation(a, b) for a, b in zip(first, later, strict=True)]))
    assert all(np.diff(kept) < 0)
    assert 0.80 < kept[0] < 0.98
    assert 0.1 < kept[3] < 0.5


def test_a_layer_that_faces_the_beam_is_brighter_than_one_along_it():
    sheet = surface("pericardium", Tissue.PERICARDIUM, is_sheet=True, thickness_mm=2.0, specular_db=12.0)
    facing = make_scene(line(sheet, (-6, 90), (6, 90)))
    along = make_scene(line(sheet, (0, 84), (0, 96)))
    near = inside((7, 7), (0, 90))
    level = [Scanner(CLEAN, scene, SEED, GRID).render_db(scene, 0.0)[near].max() for scene in (facing, along)]
    assert level[0] > level[1] + 6
    plain = Scanner(CLEAN, facing, SEED, GRID, without=frozenset({"specular_angle"})).render_db(facing, 0.0)
    assert level[0] > plain[near].max() + 6


def test_muscle_that_faces_the_beam_is_brighter_than_muscle_along_it():
    scanners = [Scanner(CLEAN, heart(), (seed, 0, 0), GRID) for seed in range(12)]
    level = np.mean([scanner.carry(heart())[1] for scanner in scanners], axis=0)
    far_side, flank = GRID.to_px(np.array([[0, 104], [-33, 62]], np.float32)).astype(int)
    assert level[far_side[1], far_side[0]] > level[flank[1], flank[0]] + 1


def test_an_outline_that_is_painted_over_is_not_seen():
    wall = surface("aorta_wall", Tissue.BLOOD, specular_db=15.0)
    cover = surface("lv_cavity", Tissue.BLOOD)
    hidden = make_scene(ellipse(wall, (0, 80), (10, 10)), ellipse(cover, (0, 80), (30, 30)))
    shown = make_scene(ellipse(cover, (0, 80), (30, 30)), ellipse(wall, (0, 80), (10, 10)))
    level = [Scanner(CLEAN, s, SEED, GRID).render_db(s, 0.0)[inside((14, 14), (0, 80))].max() for s in (hidden, shown)]
    assert level[1] > level[0] + 20


def test_far_field_is_brighter_behind_blood_than_behind_muscle():
    behind = inside((12, 8), (0, 130))

    def level(tissue: Tissue, without: frozenset[str] = frozenset()) -> float:
        scene = make_scene(ellipse(surface("body", tissue), (0, 65), (45, 50)))
        scanners = [Scanner(CLEAN, scene, (seed, 0, 0), GRID, without) for seed in range(3)]
        return float(np.mean([scanner.render_db(scene, 0.0)[behind].mean() for scanner in scanners]))

    assert level(Tissue.BLOOD) > level(Tissue.MUSCLE) + 5
    plain = frozenset({"far_gain"})
    assert abs(level(Tissue.BLOOD, plain) - level(Tissue.MUSCLE, plain)) < 2


def test_labels_name_the_surface_painted_last():
    scene = heart()
    labels = Scanner(CLEAN, scene, SEED, GRID).labels(scene)
    names = ["", *(s.name for s in scene.surfaces)]
    assert set(labels[CAVITY]) == {names.index("lv_cavity")}
    assert (labels[WALL] == names.index("lv_wall")).mean() > 0.95
    assert labels[-1, 0] == 0


def test_moving_blood_is_that_of_the_flowing_cavities():
    blood = Scanner(CLEAN, heart(), SEED, GRID).blood(heart())
    assert blood[CAVITY].all()
    assert not blood[WALL].any()


def test_rows_of_points_may_lie_in_any_order():
    scene = heart()
    order = list(range(len(scene.pieces)))[::-1]
    points, places, normals, pieces, row = [], [], [], {}, 0
    for index in order:
        piece = scene.pieces[index]
        rows = slice(piece.start, piece.stop)
        points.append(scene.points_mm[rows]), places.append(scene.places[rows]), normals.append(scene.normals[rows])
        pieces[index] = replace(piece, start=row, stop=row + piece.stop - piece.start)
        row += piece.stop - piece.start
    other = replace(
        scene,
        pieces=tuple(pieces[index] for index in range(len(scene.pieces))),
        points_mm=np.concatenate(points),
        places=np.concatenate(places),
        normals=np.concatenate(normals),
    )
    scanner = Scanner(CLEAN, scene, SEED, GRID)
    assert np.abs(scanner.render_db(scene, 3.0) - scanner.render_db(other, 3.0)).mean() < 0.3


def test_a_plane_that_cuts_nothing_shows_what_lies_round_the_heart():
    nothing = make_scene()
    scanner = Scanner(USUAL, nothing, SEED, GRID)
    assert scanner.scan(nothing, 0.0).std() > 10
    assert not scanner.labels(nothing).any()


def test_a_fine_and_a_narrow_grid_show_the_same_levels():
    fine = replace(GRID, rows=320, beams=192)
    shown = Scanner(USUAL, heart(), SEED, fine).render_db(heart(), 0.0)
    coarse = Scanner(USUAL, heart(), SEED, GRID).render_db(heart(), 0.0)
    wall = inside((31, 42), (0, 62), fine) & ~inside((25, 37), (0, 62), fine)
    assert abs(shown[wall].mean() - coarse[WALL].mean()) < 2
    narrow = replace(GRID, beams=7, opening_deg=4.0)
    assert Scanner(USUAL, heart(), SEED, narrow).scan(heart(), 0.0).shape == (160, 7)


def test_a_part_that_does_not_exist_cannot_be_left_out():
    with pytest.raises(ValueError, match="unknown parts"):
        Scanner(CLEAN, heart(), SEED, GRID, without=frozenset({"luck"}))
