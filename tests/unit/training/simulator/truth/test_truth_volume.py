"""The label volume is the model."""

import numpy as np
import pytest

from tests.unit.training.simulator.truth.recordings import egg, heart, record, state
from training.simulator.heart.shapes import volume_ml
from training.simulator.truth.filling import label_cells
from training.simulator.truth.volume import label_volume
from training.simulator.views.pose import Pose


@pytest.mark.parametrize("seed", [3, 8, 21, 5])
def test_cavity_and_ejection_fraction_are_the_models(seed: int) -> None:
    volumes = [label_volume(heart(seed), state(contraction), 1.5) for contraction in (0.0, 1.0)]
    told = [volume.volume_ml("lv_cavity") for volume in volumes]
    for found, contraction in zip(told, (0.0, 1.0), strict=True):
        assert found == pytest.approx(heart(seed).lv_volume_ml(contraction), rel=0.03)
    assert 1 - told[1] / told[0] == pytest.approx(heart(seed).subject.lvef_fraction, abs=0.02)


def test_other_chambers_have_their_volumes() -> None:
    volume = label_volume(heart(3), state(0.0), 1.5)
    keys = {surface.name: surface.keys[0, 0] for surface in heart(3).surfaces}
    assert volume.volume_ml("ra") == pytest.approx(volume_ml(keys["ra_cavity"]), rel=0.1)
    assert volume.volume_ml("la") == pytest.approx(volume_ml(keys["la_cavity"]), rel=0.1)
    assert 40 < volume.volume_ml("myocardium") < 250


def test_an_egg_lies_where_it_is_and_its_wall_round_it() -> None:
    volume = label_volume(egg((0, 0, 0)), state(0.0), 1.0)
    keys = [surface.keys[0, 0] for surface in egg((0, 0, 0)).surfaces]
    assert volume.volume_ml("lv_cavity") == pytest.approx(volume_ml(keys[1]), rel=0.01)
    assert volume.volume_ml("lv_wall") == pytest.approx(volume_ml(keys[0]) - volume_ml(keys[1]), rel=0.01)
    cavity = np.argwhere(volume.labels == 2)[:, ::-1] * volume.spacing_mm + volume.origin_mm  # (x, y, z) in mm
    assert cavity.mean(axis=0) == pytest.approx([0, 0, 0], abs=0.3)
    assert np.ptp(cavity, axis=0) == pytest.approx([58, 38, 79], abs=3)  # a grid of flat faces cuts corners
    assert volume.names == {1: "lv_wall", 2: "lv_cavity"}


def test_the_picture_is_a_cut_through_the_volume() -> None:
    recording = record(8, "a4c", step_ms=1e4)
    volume = label_volume(recording.heart, recording.states[0], 1.0)
    plane = Pose(recording.poses[0].origin_mm, recording.poses[0].right, recording.poses[0].down)
    scene = recording.scenes[0]
    picture = label_cells(scene, lambda points: points + np.float32([60, 0]), 130, 120)
    rows, columns = np.indices(picture.shape)
    at = plane.to_heart(np.stack([columns - 60, rows], axis=-1).astype(np.float32))
    voxel = np.rint((at - volume.origin_mm) / volume.spacing_mm).astype(int)
    inside = ((voxel >= 0) & (voxel < np.array(volume.labels.shape[::-1]))).all(axis=-1)
    read = np.zeros_like(picture)
    x, y, z = voxel[inside].T
    read[inside] = volume.labels[z, y, x]
    wanted = {
        label for label, name in volume.names.items() if name in {"lv_cavity", "lv_wall", "rv_cavity", "ra_cavity"}
    }
    for label in wanted:
        both = (picture == label) & (read == label) & inside
        assert 2 * both.sum() / ((picture == label)[inside].sum() + (read == label).sum()) > 0.93
