"""What the model of the heart promises: volumes, phases, places."""

from dataclasses import replace

import numpy as np
import pytest

from training.simulator.heart.heart import Heart, build_heart
from training.simulator.heart.rhythm import HeartState
from training.simulator.heart.shapes import frames_along, spline, tube, volume_ml
from training.simulator.heart.subject import Territory, draw_subject
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.surroundings import ellipsoid

SEEDS = (0, 3, 8, 21)


def state(contraction: float = 0.0, mitral: float = 0.0, aortic: float = 0.0) -> HeartState:
    return HeartState(contraction, mitral, aortic, 0.0, 0.0, 0.0, 800.0)


def surface(heart: Heart, name: str) -> Surface:
    return next(each for each in heart.surfaces if each.name == name)


def test_volume_of_an_ellipsoid_is_right() -> None:
    middle = np.array([5, -3, 20], dtype=np.float32)
    assert volume_ml(ellipsoid(middle, (30, 20, 40))) == pytest.approx(
        4 / 3 * np.pi * 24, rel=0.09
    )  # fifteen columns cut corners


def test_volume_of_a_tube_is_right() -> None:
    path = np.linspace([0, 0, 0], [0, 0, 60], 12).astype(np.float32)
    grid = tube(path, np.full(12, 10, np.float32), 33, np.array([1, 0, 0], np.float32))
    assert volume_ml(grid) == pytest.approx(np.pi * 6 + 2 * np.pi * 0.5 / 3, rel=0.02)


def test_frames_stay_square_to_a_bent_path() -> None:
    path = spline(np.array([[0, 0, 0], [10, 20, 5], [40, 30, 0], [60, 10, 30]], np.float32), 20)
    first, second = frames_along(path, np.array([0, 0, 1], np.float32))
    along = np.gradient(path, axis=0)
    assert np.abs((first * along).sum(axis=1)).max() < 1e-3
    assert np.abs((first * second).sum(axis=1)).max() < 1e-3


@pytest.mark.parametrize("seed", SEEDS)
def test_volumes_give_the_drawn_ejection_fraction(seed: int) -> None:
    subject = draw_subject(seed)
    heart = build_heart(subject)
    assert heart.lvef_fraction == pytest.approx(subject.lvef_fraction, abs=1e-4)
    assert heart.lv_volume_ml(0.5) < heart.lv_volume_ml(0.2) < heart.lv_volume_ml(0.0)


@pytest.mark.parametrize("lvef", [0.20, 0.5, 0.75])
def test_the_whole_range_of_ejection_fractions_can_be_built(lvef: float) -> None:
    heart = build_heart(replace(draw_subject(4), lvef_fraction=lvef))
    assert heart.lvef_fraction == pytest.approx(lvef, abs=0.005)


def test_the_same_subject_gives_the_same_heart() -> None:
    first, second = build_heart(draw_subject(5)), build_heart(draw_subject(5))
    for one, other in zip(first.surfaces, second.surfaces, strict=True):
        assert np.array_equal(one.keys, other.keys)
    names = [surface.name for surface in first.surfaces]
    wall, other = names.index("lv_wall"), build_heart(draw_subject(6))
    assert not np.array_equal(first.surfaces[wall].keys, other.surfaces[wall].keys)


@pytest.mark.parametrize("seed", SEEDS)
def test_surfaces_are_single_precision_finite_and_named_once(seed: int) -> None:
    surfaces = build_heart(draw_subject(seed)).surfaces
    assert len({each.name for each in surfaces}) == len(surfaces)
    for each in surfaces:
        assert each.keys.dtype == np.float32, each.name
        assert np.isfinite(each.keys).all(), each.name
        if not each.is_sheet:
            assert np.array_equal(each.keys[..., 0, :], each.keys[..., -1, :]), f"{each.name} does not close"
            assert np.ptp(each.keys[:, :, [0, -1]], axis=3).max() == 0, f"{each.name} has no pole"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_wall_thickens_and_keeps_its_muscle(seed: int) -> None:
    ventricle = build_heart(draw_subject(seed)).ventricle
    thickness = ventricle.outer_mm - ventricle.inner_mm
    middle = slice(4, 10)
    assert (thickness[-1, middle].mean() - thickness[0, middle].mean()) / thickness[0, middle].mean() > 0.08
    muscle = [
        volume_ml(wall) - volume_ml(cavity) for wall, cavity in zip(ventricle.wall, ventricle.cavity, strict=True)
    ]
    assert muscle[-1] == pytest.approx(muscle[0], rel=0.12)


def test_the_annulus_comes_down_and_the_atrium_fills_in_systole() -> None:
    heart = build_heart(draw_subject(3))
    fall = heart.landmarks(state(1.0))["mitral_centre"][2] - heart.landmarks(state(0.0))["mitral_centre"][2]
    assert 5 < fall < 22
    atrium = surface(heart, "la_cavity").keys[:, 0]
    assert volume_ml(atrium[-1]) > 1.15 * volume_ml(atrium[0])


def test_the_papillary_muscles_stand_at_their_clock_times() -> None:
    for seed in range(12):
        marks = build_heart(draw_subject(seed)).steps
        angles = {
            name: np.rad2deg(np.arctan2(marks[name][0, 1], marks[name][0, 0])) % 360
            for name in ("papillary_anterolateral", "papillary_posteromedial")
        }
        assert (
            abs((angles["papillary_anterolateral"] - 347 + 180) % 360 - 180) < 22
        )  # 3 to 4 o'clock, seen from the apex
        assert 205 < angles["papillary_posteromedial"] < 255  # 7 to 8 o'clock


@pytest.mark.parametrize("seed", SEEDS)
def test_leaflets_hang_on_the_annulus_and_meet_when_closed(seed: int) -> None:
    subject = draw_subject(seed)
    heart = build_heart(subject)
    anterior, posterior = (surface(heart, name).keys for name in ("mitral_anterior", "mitral_posterior"))
    assert np.abs(anterior[0, 0, 0] - anterior[0, -1, 0]).max() < 1e-3  # the hinge does not move as it opens
    gap = np.linalg.norm(anterior[-1, 0, -1, :, None] - posterior[-1, 0, -1, None], axis=-1).min(axis=1)
    assert np.median(gap) < 3.0
    opened = np.linalg.norm(anterior[0, -1, -1, :, None] - posterior[0, -1, -1, None], axis=-1).min(axis=1)
    assert np.median(opened) > 0.15 * subject.mitral_annulus_mm


def test_aortic_cusps_close_to_the_middle_and_open_to_the_wall() -> None:
    heart = build_heart(draw_subject(3))
    root = heart.steps["aortic_centre"][0]
    axis = heart.steps["sinotubular_centre"][0] - root
    axis /= np.linalg.norm(axis)

    def distance(points: np.ndarray) -> np.ndarray:
        away = points - root
        return np.linalg.norm(away - (away @ axis)[..., None] * axis, axis=-1)

    for name in ("aortic_cusp_right", "aortic_cusp_left", "aortic_cusp_non"):
        keys = surface(heart, name).keys[0]
        middle = keys.shape[2] // 2
        assert distance(keys[0, -1])[middle] < 1.0
        assert distance(keys[-1, -1])[middle] > 0.75 * heart.subject.aortic_annulus_mm / 2


def test_an_ischaemic_wall_moves_less_and_the_ejection_fraction_still_holds() -> None:
    subject = replace(draw_subject(3), hypokinesis=None, lvef_fraction=0.4)
    weak = replace(subject, hypokinesis=Territory(350.0, 45.0, 0.1, 1.0))
    rays = []
    for each in (subject, weak):
        inner = build_heart(each).ventricle.inner_mm
        rays.append(1 - inner[-1, 6:9] / inner[0, 6:9])
    lateral = 27  # of the columns, about 347 degrees
    assert rays[1][:, lateral].mean() < 0.5 * rays[0][:, lateral].mean()
    assert build_heart(weak).lvef_fraction == pytest.approx(0.4, abs=0.005)


def test_the_root_lies_before_the_mitral_valve_and_the_right_heart_at_the_septal_side() -> None:
    marks = {name: places[0] for name, places in build_heart(draw_subject(8)).steps.items()}
    assert marks["aortic_centre"][1] > 5
    assert marks["sinotubular_centre"][2] < marks["aortic_centre"][2]
    assert marks["tricuspid_centre"][0] < -25
    assert marks["ra_centre"][2] < marks["tricuspid_centre"][2]
    assert marks["la_centre"][2] < -10
    assert marks["pulmonary_centre"][1] > marks["aortic_centre"][1] + 10
