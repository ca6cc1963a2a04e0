"""Where planes lie, how the hand misses them, and what a cut plane is called."""

from dataclasses import replace

import numpy as np
import pytest

from training.simulator.heart.heart import Heart, build_heart
from training.simulator.heart.rhythm import HeartState
from training.simulator.heart.shapes import direction
from training.simulator.heart.subject import draw_subject
from training.simulator.views.aim import MIDDLE_MS, SWEEPS, ZOOM_ASIDE_MM, draw_aim, draw_hand, draw_view
from training.simulator.views.cutting import CutHeart
from training.simulator.views.labels import OPENING_DEG, cut_areas, view_shares
from training.simulator.views.names import PLANE_SHARES, PLANES, VIEW_CLASSES, VIEWS, ZOOMED_SHARE, view_of
from training.simulator.views.pose import Pose
from training.simulator.views.scene import Scene, area_mm2
from training.simulator.views.standard import Hand, standard_pose, turned

STATE = HeartState(0.3, 0.5, 0.0, 0.0, 0.0, 0.0, 800.0)
SIMPLE = tuple(plane for plane in PLANES if plane not in SWEEPS)


@pytest.fixture(scope="module")
def hearts() -> list[Heart]:
    return [build_heart(draw_subject(seed)) for seed in range(40, 50)]


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


@pytest.mark.parametrize("plane", ["plax", "psax_aortic", "rv_inflow", "rv_outflow"])
def test_the_heart_begins_a_chest_wall_under_a_parasternal_probe(plane: str, hearts: list[Heart]) -> None:
    """The wall of the right ventricle lies 15 to 30 mm deep."""
    fronts = []
    for heart in hearts:
        walls = np.concatenate(
            [s.keys[0, 0].reshape(-1, 3) for s in heart.surfaces if s.name in ("rv_wall", "rvot_wall")]
        )
        x, depth, out = perfect(heart, plane).to_plane(walls).T
        fronts.append(depth[(np.abs(out) < 9) & (np.abs(x) < 22)].min())
    assert min(fronts) > 15
    assert np.median(fronts) < 30


def test_the_short_axis_at_the_aortic_valve_meets_three_valves(hearts: list[Heart]) -> None:
    """Root in the middle; tricuspid valve and right atrium at the left, pulmonary valve at the right."""
    for heart in hearts:
        pose = perfect(heart, "psax_aortic")
        marks = heart.landmarks(STATE)
        places = {name: pose.to_plane(place) for name, place in marks.items()}
        assert abs(places["aortic_centre"][0]) < 15
        assert places["tricuspid_centre"][0] < places["aortic_centre"][0] < places["pulmonary_centre"][0]
        assert places["la_centre"][1] > places["aortic_centre"][1] > places["pulmonary_centre"][1]
        scene = CutHeart(heart, pose).scene(STATE, pose)
        assert {"la_cavity", "ra_cavity", "rvot_cavity", "aorta_cavity"} <= set(_seen(scene))
        assert all(scene.outlines(f"aortic_cusp_{cusp}") for cusp in ("right", "left", "non"))


@pytest.mark.parametrize(
    ("plane", "seen", "missed"),
    [
        ("a4c", ("lv_cavity", "rv_cavity", "la_cavity", "ra_cavity"), ()),
        ("a2c", ("lv_cavity", "la_cavity"), ("rv_cavity", "ra_cavity")),
        ("a5c", ("lv_cavity", "rv_cavity", "aorta_cavity"), ()),
        ("plax", ("lv_cavity", "la_cavity", "aorta_cavity"), ("ra_cavity",)),
        (
            "psax_papillary",
            ("lv_cavity", "rv_cavity", "papillary_anterolateral", "papillary_posteromedial"),
            ("la_cavity",),
        ),
        ("rv_inflow", ("rv_cavity", "ra_cavity"), ("lv_cavity", "la_cavity")),
        ("rv_outflow", ("rvot_cavity",), ("lv_cavity", "la_cavity")),
        ("subcostal", ("liver", "lv_cavity", "rv_cavity", "la_cavity", "ra_cavity"), ()),
        ("suprasternal", ("aorta_cavity",), ("lv_cavity",)),
    ],
)
def test_a_plane_shows_what_it_is_known_for(
    plane: str, seen: tuple[str, ...], missed: tuple[str, ...], hearts: list[Heart]
) -> None:
    """In nearly every heart, and more than a square centimetre; the muscles are smaller."""
    found = [_seen(CutHeart(heart, pose).scene(STATE, pose)) for heart in hearts for pose in [perfect(heart, plane)]]
    for name in seen:
        assert np.mean([name in each for each in found]) > 0.8, name
    for name in missed:
        assert np.mean([name in each for each in found]) < 0.2, name


def _seen(scene: Scene) -> list[str]:
    least = {"papillary_anterolateral": 0.1, "papillary_posteromedial": 0.1}
    return [name for name, area in cut_areas(scene).items() if area > least.get(name, 1.0)]


def test_a_sector_shows_less_than_is_cut_and_nothing_twice(hearts: list[Heart]) -> None:
    pose = perfect(hearts[0], "a4c")
    scene = CutHeart(hearts[0], pose).scene(STATE, pose)
    outline = scene.outlines("lv_cavity")[0]
    whole, narrow = cut_areas(scene, opening_deg=150.0), cut_areas(scene, opening_deg=20.0)
    assert whole["lv_cavity"] == pytest.approx(area_mm2(outline) / 100, rel=0.1)  # touched pixels count as a whole
    assert narrow["lv_cavity"] < 0.8 * whole["lv_cavity"]
    assert sum(cut_areas(scene).values()) <= np.pi * 16**2 * OPENING_DEG / 360 * 1.02  # the whole sector


def test_a_sweep_is_smooth_and_half_way_in_the_middle(hearts: list[Heart]) -> None:
    for plane in SWEEPS:
        aim = draw_aim(hearts[0], plane, np.random.default_rng(7), 0.0)
        downs = np.array([[aim.pose_at(time).right, aim.pose_at(time).down] for time in np.arange(0, 1500, 20.0)])
        steps = np.linalg.norm(np.diff(downs, axis=0), axis=2).max(axis=1)
        assert 0 < steps.max() < 0.08, plane
        assert np.abs(np.diff(steps)).max() < 0.01
        middle = aim.pose_at(MIDDLE_MS)
        assert float(middle.down @ aim.start.down) == pytest.approx(float(middle.down @ aim.end.down), abs=0.02)


def test_the_apex_and_the_base_lie_where_they_do_on_real_screens(hearts: list[Heart]) -> None:
    """Median of the A4C within the 10th to 90th percentile of 500 patients (CAMUS)."""
    apex, base = [], []
    below = (0, 5.5)  # the top of a sector, where depth begins on a screen, lies 3 to 8 mm under the beams' origin
    for seed, heart in enumerate(hearts * 5):
        pose = draw_aim(heart, "a4c", np.random.default_rng(seed)).start
        apex.append(pose.to_plane(heart.steps["lv_apex"][0])[:2] - below)
        base.append(pose.to_plane(heart.steps["mitral_centre"][0])[:2] - below)
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
        pose = aim.pose_at(MIDDLE_MS)
        right += int(shares(heart, pose).argmax() == VIEW_CLASSES.index(view))
    assert right >= len(hearts) - 1


def test_turning_from_four_to_two_chambers_passes_through_neither(hearts: list[Heart]) -> None:
    heart = hearts[1]
    told = [shares(heart, standard_pose(heart, "a4c", Hand(turn_deg=turn, deep_mm=31))) for turn in range(0, 61, 2)]
    names = [VIEW_CLASSES[int(each.argmax())] for each in told]
    assert names[0] == "A4C"
    assert names[-1] == "A2C"
    assert names[len(names) // 2] == "OTHER"


@pytest.mark.parametrize(
    ("plane", "axis"),
    [("a4c", "right"), ("a4c", "down"), ("a2c", "down"), ("plax", "down"), ("psax_aortic", "right"), ("plax", "right")],
)
def test_small_changes_of_the_pose_change_shares_little(plane: str, axis: str, hearts: list[Heart]) -> None:
    pose = perfect(hearts[2], plane)
    cut = CutHeart(hearts[2], pose)
    turns = [turned(pose, turn / 2, getattr(pose, axis), pose.origin_mm) for turn in range(8, 100)]
    told = np.array([view_shares(cut.scene(STATE, each), each, hearts[2], STATE) for each in turns])
    assert np.ptp(told, axis=0).max() > 0.5, "the label should change within fifty degrees"
    assert np.abs(np.diff(told, axis=0)).max() < 0.35  # of half a degree


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


def test_plax_on_its_valves_is_always_zoomed_and_brings_them_under_the_probe(hearts: list[Heart]) -> None:
    for seed, heart in enumerate(hearts):
        aim = draw_aim(heart, "plax_valves", np.random.default_rng(seed))
        assert aim.zoom_down_mm is not None
        marks = [aim.start.to_plane(heart.steps[name][0][None])[0, :2] for name in ("mitral_centre", "aortic_centre")]
        apart_mm = np.linalg.norm(marks[0] - marks[1])
        for mark in marks:
            assert abs(mark[1] - aim.zoom_down_mm) <= apart_mm + 1e-3
            assert abs(mark[0]) <= apart_mm + 4 * ZOOM_ASIDE_MM
        assert draw_aim(heart, "plax", np.random.default_rng(seed)).zoom_down_mm is None


@pytest.mark.parametrize("view", VIEW_CLASSES)
def test_a_zoom_tells_no_view(hearts: list[Heart], view: str) -> None:
    planes = [plane for plane in PLANE_SHARES[view] for _ in range(round(PLANE_SHARES[view][plane] * 400))]
    zoomed = [
        draw_aim(hearts[seed % len(hearts)], plane, np.random.default_rng([seed, 5])).zoom_down_mm is not None
        for seed, plane in enumerate(planes)
    ]
    assert np.mean(zoomed) == pytest.approx(ZOOMED_SHARE, abs=0.05)  # 2.8 standard errors of 400


def test_every_target_view_has_its_planes() -> None:
    assert set(VIEWS) == {view_of(plane) for plane in PLANES} - {"OTHER"}
    assert view_of("plax_valves") == "PLAX"
    assert view_of("a3c") == "OTHER"


def test_the_beat_does_not_change_the_name(hearts: list[Heart]) -> None:
    full = replace(STATE, contraction=1.0, mitral_opening=0.0)
    for plane in ("a2c", "a4c", "plax", "psax_aortic", "psax_papillary"):
        same = 0
        for seed, heart in enumerate(hearts):
            pose = draw_aim(heart, plane, np.random.default_rng(seed)).start
            cut = CutHeart(heart, pose)
            told = [view_shares(cut.scene(state, pose), pose, heart, state).argmax() for state in (STATE, full)]
            same += int(told[0] == told[1])
        assert same >= len(hearts) - 1, plane
