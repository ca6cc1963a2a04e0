"""Cuts of a heart: closed outlines of the right size, the same tissue at the same place, three slices."""

import numpy as np
import pytest

from training.simulator.heart.heart import Heart, build_heart
from training.simulator.heart.rhythm import HeartState
from training.simulator.heart.shapes import direction
from training.simulator.heart.subject import draw_subject
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.surroundings import ellipsoid
from training.simulator.heart.tissues import Tissue
from training.simulator.views.cutting import CutHeart
from training.simulator.views.pose import Pose
from training.simulator.views.scene import CENTRE_SLICE, SLICE_OFFSETS_MM, area_mm2

REST = HeartState(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 800.0)
HALVES = (30.0, 20.0, 40.0)


def egg() -> Heart:
    """One ellipsoid instead of a heart."""
    keys = np.broadcast_to(ellipsoid(np.zeros(3, np.float32), HALVES), (5, 1, 11, 15, 3)).copy()
    surfaces = (Surface("egg", Tissue.MUSCLE, keys, is_material=True),)
    heart = build_heart(draw_subject(1))
    return Heart(heart.subject, heart.ventricle, surfaces, heart.steps)


def across(height: float = 0.0) -> Pose:
    return Pose(np.array([0, 60, height], np.float32), direction(0), -direction(90))


def along(theta: float) -> Pose:
    return Pose(np.array([0, 0, 110], np.float32), direction(theta), np.array([0, 0, -1], np.float32))


@pytest.mark.parametrize(
    ("pose", "halves"), [(across(), (30, 20)), (along(0), (30, 40)), (along(90), (20, 40)), (along(15), None)]
)
def test_an_ellipsoid_is_cut_to_one_closed_ellipse(pose: Pose, halves: tuple[float, float] | None) -> None:
    scene = CutHeart(egg(), pose).scene(REST, pose)
    (outline,) = scene.outlines("egg")
    angle = np.deg2rad(15)
    wide = 1 / np.sqrt((np.cos(angle) / 30) ** 2 + (np.sin(angle) / 20) ** 2)
    expected = np.pi * halves[0] * halves[1] if halves else np.pi * 40 * wide
    assert area_mm2(outline) == pytest.approx(expected, rel=0.05)
    assert scene.points_mm.dtype == scene.normals.dtype == scene.places.dtype == np.float32


def test_slices_lie_on_both_sides() -> None:
    pose = across(25.0)
    scene = CutHeart(egg(), pose).scene(REST, pose)
    areas = [area_mm2(scene.outlines("egg", index)[0]) for index in range(len(SLICE_OFFSETS_MM))]
    assert areas == sorted(areas) or areas == sorted(areas, reverse=True)
    assert abs(areas[0] - areas[2]) > 100
    assert [piece.slice_index for piece in scene.pieces] == [0, CENTRE_SLICE, 2]


def test_normals_are_the_surfaces() -> None:
    pose = across()
    scene = CutHeart(egg(), pose).scene(REST, pose)
    place = pose.to_heart(scene.points_mm)
    true = place / np.square(HALVES)
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    found = scene.normals @ np.stack([pose.right, pose.down, pose.out])
    agreement = np.abs((found * true).sum(axis=1)) / np.linalg.norm(found, axis=1)
    assert np.median(agreement) > 0.97


def test_a_plane_that_misses_cuts_nothing() -> None:
    pose = across(60.0)
    scene = CutHeart(egg(), pose).scene(REST, pose)
    assert not scene.pieces
    assert scene.points_mm.shape == (0, 2)


@pytest.mark.parametrize("theta", [0.0, 30.0, 90.0, 150.0, 205.0, 359.0])
def test_every_outline_of_a_real_heart_closes(theta: float) -> None:
    heart = build_heart(draw_subject(3))
    for pose in (along(theta), across(20.0 + theta / 10)):
        cut = CutHeart(heart, pose)
        for contraction in (0.0, 0.37, 1.0):
            scene = cut.scene(HeartState(contraction, 0.4, 0.2, 0, 0, 0, 800.0), pose)
            for piece in scene.pieces:
                outline = scene.points_mm[piece.start : piece.stop]
                name = scene.surfaces[piece.structure].name
                if piece.is_closed:
                    step = np.linalg.norm(np.diff(outline, axis=0), axis=1)
                    closing = float(np.linalg.norm(outline[-1] - outline[0]))
                    assert closing < max(3 * float(step.max()), 4.0), (name, contraction)


def test_handles_are_the_same_tissue_over_the_beat() -> None:
    heart = build_heart(draw_subject(3))
    pose = along(30.0)
    cut = CutHeart(heart, pose)
    rest, full = cut.scene(REST, pose), cut.scene(HeartState(1.0, 0, 0, 0, 0, 0, 800.0), pose)
    assert np.array_equal(rest.handle_places, full.handle_places)
    moved = np.linalg.norm(full.handles_mm - rest.handles_mm, axis=1)
    assert 2 < np.median(moved) < 15
    assert moved.max() < 40
