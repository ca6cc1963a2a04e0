"""Where planes lie, how the hand misses them, and what a cut plane is called."""

from dataclasses import replace

import numpy as np
import pytest

from training.simulator.anatomy import draw_subject
from training.simulator.heart.heart import Heart, build_heart
from training.simulator.heart.shapes import direction
from training.simulator.motion import HeartState
from training.simulator.views.aim import SWEEPS, draw_aim, draw_hand, draw_view
from training.simulator.views.cutting import CutHeart
from training.simulator.views.labels import view_shares
from training.simulator.views.names import PLANE_SHARES, PLANES, VIEW_CLASSES, VIEWS, view_of
from training.simulator.views.pose import Pose
from training.simulator.views.standard import Hand, standard_pose, turned

STATE = HeartState(0.3, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 800.0)
SIMPLE = tuple(plane for plane in PLANES if plane not in SWEEPS)


@pytest.fixture(scope="module")
def hearts() -> list[Heart]:
    return [build_heart(draw_subject(seed)) for seed in range(40, 52)]


def shares(heart: Heart, pose: Pose) -> np.ndarray:
    return view_shares(CutHeart(heart, pose).scene(STATE, pose), pose, heart, STATE)


def perfect(heart: Heart, plane: str) -> Pose:
    return draw_aim(heart, plane, np.random.default_rng(5), 0.0).start


def test_half_of_short_axes_or_nearly_are_at_the_aortic_valve() -> None:
    assert PLANE_SHARES["PSAX"]["psax_aortic"] >= 0.4
    for view, planes in PLANE_SHARES.items():
        assert sum(planes.values()) == pytest.approx(1), view
    assert set(PLANE_SHARES) == set(VIEW_CLASSES)


@pytest.mark.parametrize("plane", PLANES)
def test_axes_are_unit_vectors_square_to_each_other(plane: str, hearts: list[Heart]) -> None:
    for seed, heart in enumerate(hearts[:4]):
        aim = draw_aim(heart, plane, np.random.default_rng(seed))
        for time_ms in (0.0, 333.0, 1700.0):
            pose = aim.pose_at(time_ms)
            assert np.linalg.norm(pose.right) == pytest.approx(1, abs=1e-4)
            assert np.linalg.norm(pose.down) == pytest.approx(1, abs=1e-4)
            assert float(pose.right @ pose.down) == pytest.approx(0, abs=1e-4)
            assert pose.origin_mm.dtype == pose.right.dtype == pose.down.dtype == np.float32


@pytest.mark.parametrize("plane", SIMPLE)
def test_a_perfect_plane_is_called_by_its_name(plane: str, hearts: list[Heart]) -> None:
    expected = VIEW_CLASSES.index(view_of(plane))
    told = np.array([shares(heart, perfect(heart, plane)) for heart in hearts])
    assert np.allclose(told.sum(axis=1), 1, atol=1e-5)
    assert (told.argmax(axis=1) == expected).mean() >= 0.9


def test_the_apex_and_the_base_lie_where_they_do_on_real_screens(hearts: list[Heart]) -> None:
    """Median of the A4C within the 10th to 90th percentile of 500 patients (CAMUS)."""
    apex, base = [], []
    for seed, heart in enumerate(hearts * 5):
        pose = draw_aim(heart, "a4c", np.random.default_rng(seed)).start
        apex.append(pose.to_plane(heart.steps["lv_apex"][0])[:2])
        base.append(pose.to_plane(heart.steps["mitral_centre"][0])[:2])
    apex_x, apex_y = np.median(apex, axis=0)
    base_x, base_y = np.median(base, axis=0)
    assert 23 < apex_y < 41
    assert -13 < apex_x < 3
    assert 90 < base_y < 121
    assert 2 < base_x < 19
    lean = np.rad2deg(np.arctan2(*(np.array(base) - apex).T))
    assert 3 < np.median(lean) < 20


def test_lean_and_place_of_the_apex_go_together() -> None:
    hands = [draw_hand("a4c", np.random.default_rng(seed), 1.0) for seed in range(400)]
    assert -0.75 < np.corrcoef([hand.lean_deg for hand in hands], [hand.aside_mm for hand in hands])[0, 1] < -0.4


def test_without_error_the_hand_is_the_same_each_time(hearts: list[Heart]) -> None:
    first, second = (draw_aim(hearts[0], "a2c", np.random.default_rng(seed), 0.0) for seed in (1, 2))
    assert np.allclose(first.pose_at(200.0).origin_mm, second.pose_at(900.0).origin_mm)


@pytest.mark.parametrize("view", VIEW_CLASSES)
def test_a_drawn_view_is_what_its_plane_cuts(view: str, hearts: list[Heart]) -> None:
    right = 0
    for seed, heart in enumerate(hearts):
        aim = draw_view(heart, view, np.random.default_rng([seed, 3]))
        assert aim.plane in PLANE_SHARES[view]
        pose = aim.pose_at(0.5 * aim.sweep_ms if aim.end else 0.0)
        right += int(shares(heart, pose).argmax() == VIEW_CLASSES.index(view))
    assert right >= len(hearts) - 1


def test_turning_from_four_to_two_chambers_passes_through_neither(hearts: list[Heart]) -> None:
    heart = hearts[1]
    told = [shares(heart, standard_pose(heart, "a4c", Hand(turn_deg=turn, deep_mm=31))) for turn in range(0, 61, 2)]
    names = [VIEW_CLASSES[int(each.argmax())] for each in told]
    assert names[0] == "A4C"
    assert names[-1] == "A2C"
    assert names[len(names) // 2] == "OTHER"


def test_small_changes_of_the_pose_change_shares_little(hearts: list[Heart]) -> None:
    heart = hearts[2]
    for plane in ("a4c", "a2c", "plax", "psax_aortic", "psax_papillary"):
        pose = perfect(heart, plane)
        for axis in (pose.right, pose.down, pose.out):
            told = np.array([shares(heart, turned(pose, turn / 4, axis, pose.origin_mm)) for turn in range(-80, 81)])
            assert np.abs(np.diff(told, axis=0)).max() < 0.25, plane  # of a quarter of a degree


def test_a_four_chamber_view_with_the_outflow_tract_is_no_four_chamber_view(hearts: list[Heart]) -> None:
    told = np.array([shares(heart, perfect(heart, "a5c")) for heart in hearts])
    assert (told[:, VIEW_CLASSES.index("A4C")] < 0.2).all()


def test_a_mirrored_plane_is_called_the_same(hearts: list[Heart]) -> None:
    for plane in ("a4c", "plax", "psax_mitral"):
        pose = perfect(hearts[0], plane)
        mirrored = replace(pose, right=-pose.right)
        assert np.allclose(shares(hearts[0], pose), shares(hearts[0], mirrored), atol=1e-3)


def test_a_plane_beside_the_heart_is_other(hearts: list[Heart]) -> None:
    pose = Pose(np.array([0, 300, 0], np.float32), direction(0), direction(90))
    assert shares(hearts[0], pose)[VIEW_CLASSES.index("OTHER")] == pytest.approx(1)


def test_every_target_view_has_its_planes() -> None:
    assert set(VIEWS) == {view_of(plane) for plane in PLANES} - {"OTHER"}
    assert view_of("plax_valves") == "PLAX"
    assert view_of("a3c") == "OTHER"
