"""Planes, outlines, landmarks and the mitral valve: label and model agree."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.simulator.truth.recordings import LEVELS, LONG_AXIS, distance_mm, heart, record, state
from training.simulator.arrays import Float32Array, as_float32
from training.simulator.heart.shapes import direction
from training.simulator.truth.contour import lv_area_mm2, lv_contour_mm, lv_contour_px
from training.simulator.truth.landmarks import landmarks_mm, picture_landmarks
from training.simulator.truth.mitral import mitral_valve_mm, mitral_valve_px
from training.simulator.truth.plane import plane_angles
from training.simulator.truth.pumping import ed_frame, es_frame, lv_volumes_ml, lvef_fraction
from training.simulator.truth.recording import Recording
from training.simulator.views.pose import Pose
from training.simulator.views.scene import CENTRE_SLICE, area_mm2

UP = as_float32([0, 0, 1])
HINGES = ("mitral_anterior_hinge", "mitral_posterior_hinge")


def normal_of_cut(recording: Recording, frame: int) -> Float32Array:
    """The normal of the plane through the tissue that a frame shows, from the tissue's own places in the heart."""
    scene, grids = recording.scenes[frame], []
    for piece in scene.pieces:
        surface = scene.surfaces[piece.structure]
        if piece.slice_index != CENTRE_SLICE or surface.is_sheet or surface.keys.shape[1] > 1:
            continue
        steps, rows, columns = surface.keys.shape[0], *surface.keys.shape[2:4]
        step = recording.states[frame].contraction * (steps - 1)
        low = min(int(step), steps - 2)
        grid = surface.keys[low, 0] + (step - low) * (surface.keys[low + 1, 0] - surface.keys[low, 0])
        at = scene.places[piece.start : piece.stop] * [rows - 1, columns - 1]
        row, column = (np.minimum(at[:, axis].astype(int), count - 2) for axis, count in ((0, rows), (1, columns)))
        down, right = (at[:, 0] - row)[:, None], (at[:, 1] - column)[:, None]
        near = grid[row, column] * (1 - right) + grid[row, column + 1] * right
        grids.append(
            near * (1 - down) + (grid[row + 1, column] * (1 - right) + grid[row + 1, column + 1] * right) * down
        )
    points = np.concatenate(grids)
    return as_float32(np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][2])


@pytest.mark.parametrize("plane", [*LONG_AXIS, "plax", "oblique", *LEVELS])
def test_angles_are_those_of_the_tissue_that_is_cut(plane: str) -> None:
    recording = record(8, plane, step_ms=250)
    told = plane_angles(recording)
    for frame in range(len(recording.scenes)):
        marks = recording.heart.landmarks(recording.states[frame])
        axis = marks["lv_apex"] - marks["mitral_centre"]
        axis /= np.linalg.norm(axis)
        normal = normal_of_cut(recording, frame)
        tilt = np.rad2deg(np.arcsin(np.clip(abs(normal @ axis), 0, 1)))
        assert abs(told.tilt_deg[frame]) == pytest.approx(tilt, abs=1.0)
        if tilt < 45:
            across = np.cross(axis, normal)
            turn = np.rad2deg(np.arctan2(across[1], across[0]))
            assert abs((told.rotation_deg[frame] - turn + 90) % 180 - 90) < 1.0


def test_angles_follow_the_convention_of_the_views() -> None:
    for plane, turn in {"a4c": 30, "a2c": 90, "a3c": 150, "plax": 150}.items():
        told = plane_angles(record(3, plane, step_ms=300))
        assert told.rotation_deg == pytest.approx(turn, abs=0.5)
        assert told.tilt_deg == pytest.approx(0, abs=1)
        assert told.foreshortening_fraction == pytest.approx(0, abs=0.02)
        assert np.isnan(told.level_fraction).all()
    told = plane_angles(record(3, "psax_mid", step_ms=300))
    assert np.abs(told.tilt_deg) == pytest.approx(90, abs=1)
    assert told.level_fraction[ed_frame(record(3, "psax_mid", step_ms=300))] == pytest.approx(0.5, abs=0.03)
    assert told.level_fraction.min() < 0.45  # the base comes down past a still plane
    assert np.isnan(told.foreshortening_fraction).all()


def test_a_plane_that_misses_the_apex_is_foreshortened() -> None:
    straight = record(3, "a4c", step_ms=400)
    aside = tuple(replace(pose, origin_mm=as_float32(pose.origin_mm + 14 * pose.out)) for pose in straight.poses)
    told = plane_angles(replace(straight, poses=aside))
    assert (told.foreshortening_fraction > 0.05).all()
    assert told.distance_mm == pytest.approx(-14, abs=1.0)


@pytest.mark.parametrize("seed", [3, 8, 21])
@pytest.mark.parametrize("plane", ["a4c", "a2c", "a3c", "plax", "oblique"])
def test_landmarks_lie_on_the_contour(plane: str, seed: int) -> None:
    recording = record(seed, plane, step_ms=150)
    marks, contour = picture_landmarks(recording).mm, lv_contour_mm(recording, 256)
    for frame, outline in enumerate(contour):
        for name in ("apex", *HINGES):
            assert distance_mm(outline, marks[name][frame]) < 1.0, name


@pytest.mark.parametrize("seed", [3, 8, 21, 5, 12])
def test_the_models_hinges_and_apex_lie_on_the_cavity_too(seed: int) -> None:
    recording = record(seed, "a3c", step_ms=200)
    marks = landmarks_mm(recording)
    for frame, scene in enumerate(recording.scenes):
        (outline,) = scene.outlines("lv_cavity")
        for name, most_mm in {"lv_apex": 1.0, HINGES[0]: 1.0, HINGES[1]: 2.0}.items():
            place = recording.poses[frame].to_plane(marks[name][frame])
            assert abs(place[2]) < 1.0
            assert distance_mm(outline, place[:2]) < most_mm, name


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_the_tips_of_the_papillary_muscles_lie_in_the_cavity(seed: int) -> None:
    recording = record(seed, "psax_mid", step_ms=300)
    for name in ("papillary_anterolateral", "papillary_posteromedial"):
        for frame, tip in enumerate(landmarks_mm(recording)[name]):
            level = Pose(as_float32([0, 75, tip[2]]), direction(0), -direction(90))
            (outline,) = recording.cut.scene(recording.states[frame], level).outlines("lv_cavity")
            place = level.to_plane(tip)[:2]
            towards = outline - place
            turn = np.unwrap(np.append(np.arctan2(towards[:, 1], towards[:, 0]), np.arctan2(*towards[0, ::-1])))
            assert abs(turn[-1] - turn[0]) > 6  # the outline goes once round it


def test_aortic_hinges_are_shown_in_the_long_axis_and_lie_round_the_annulus() -> None:
    recording = record(3, "plax", step_ms=300)
    marks = picture_landmarks(recording)
    right, behind = marks.mm["aortic_right_hinge"], marks.mm["aortic_non_hinge"]
    assert np.linalg.norm(right - behind, axis=1) == pytest.approx(recording.heart.subject.aortic_annulus_mm, rel=0.3)
    assert (right[:, 1] < behind[:, 1]).all()  # the right cusp is nearer to the probe
    inside = landmarks_mm(recording)
    for name in ("aortic_right_hinge", "aortic_left_hinge", "aortic_non_hinge"):
        reach = np.linalg.norm(inside[name] - inside["aortic_centre"], axis=1)
        assert reach == pytest.approx(recording.heart.subject.aortic_annulus_mm / 2, rel=0.25)


def test_a_short_axis_shows_no_apex_and_tells_how_far_things_are() -> None:
    recording = record(3, "psax_mid", step_ms=400)
    marks = picture_landmarks(recording)
    assert np.isnan(marks.mm["apex"]).all()
    assert np.isnan(marks.px["mitral_anterior_hinge"]).all()
    level = recording.poses[0].origin_mm[2]
    tips = landmarks_mm(recording)["papillary_anterolateral"]
    assert np.abs(marks.off_plane_mm["papillary_anterolateral"]) == pytest.approx(np.abs(tips[:, 2] - level), abs=0.01)


@pytest.mark.parametrize("plane", ["a4c", "plax", "psax_mid"])
def test_the_contour_is_the_outline_and_keeps_its_beginning(plane: str) -> None:
    recording = record(3, plane, step_ms=60)
    contour, area = lv_contour_mm(recording), lv_area_mm2(recording)
    assert contour.shape == (len(recording.scenes), 64, 2)
    assert contour.dtype == np.float32
    for outline, expected in zip(contour, area, strict=True):
        assert area_mm2(outline) == pytest.approx(expected, rel=0.02)
        x, y = outline.T
        assert np.dot(x, np.roll(y, -1)) > np.dot(y, np.roll(x, -1))  # clockwise as y grows downwards
        gaps = np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1)
        assert gaps.max() < 1.2 * np.median(gaps)
    assert np.linalg.norm(np.diff(contour, axis=0), axis=2).max() < 8


def test_pixels_are_those_of_the_screen() -> None:
    recording = record(3, "a4c", step_ms=400)
    assert np.array_equal(lv_contour_px(recording), recording.screen.to_px(lv_contour_mm(recording)))
    valve_mm, valve_px = mitral_valve_mm(recording), mitral_valve_px(recording)
    shown = recording.screen.to_px(valve_mm.anterior_tip)
    assert np.array_equal(valve_px.anterior_tip, shown, equal_nan=True)


def test_a_plane_off_the_ventricle_has_no_contour() -> None:
    away = record(3, "psax_mid", step_ms=400)
    poses = tuple(replace(pose, origin_mm=as_float32(pose.origin_mm + 90 * UP)) for pose in away.poses)
    missed = replace(away, poses=poses)
    assert np.isnan(lv_contour_mm(missed)).all()
    assert not lv_area_mm2(missed).any()
    assert np.isnan(picture_landmarks(missed).mm["apex"]).all()


@pytest.mark.parametrize("plane", ["a4c", "a2c", "plax"])
def test_the_mitral_valve_meets_in_systole_and_parts_in_diastole(plane: str) -> None:
    recording = record(3, plane, step_ms=40)
    valve = mitral_valve_mm(recording)
    gap = np.linalg.norm(valve.anterior_tip - valve.posterior_tip, axis=1)
    openings = np.array([each.mitral_opening for each in recording.states])
    assert gap[openings == 0].max() < 3.0
    assert gap[openings > 0.9].min() > 8.0
    assert np.array_equal(np.isnan(valve.coaptation[:, 0]), openings >= 0.02)
    for hinge, tip in ((valve.anterior_hinge, valve.anterior_tip), (valve.posterior_hinge, valve.posterior_tip)):
        assert (np.linalg.norm(hinge - tip, axis=1) > 5).all()


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_the_ejection_fraction_is_that_of_the_volumes(seed: int) -> None:
    recording = record(seed, "a4c", step_ms=10)
    volumes = lv_volumes_ml(recording)
    assert lvef_fraction(recording) == pytest.approx(recording.heart.subject.lvef_fraction, abs=0.005)
    told = 1 - volumes[es_frame(recording)] / volumes[ed_frame(recording)]
    assert told == pytest.approx(lvef_fraction(recording), abs=0.01)
    assert volumes[ed_frame(recording)] == volumes.max()
    assert volumes[es_frame(recording)] == volumes.min()
    assert heart(seed).lv_volume_ml(state(1.0).contraction) <= volumes.min()
