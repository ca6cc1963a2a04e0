"""What a simulated cine promises whoever trains or tests on it."""

import cv2
import numpy as np
import pytest

from training.simulator.cine import SimulatedCine, simulate_cine
from training.simulator.studio import PHYSICS
from training.simulator.styles import SEEN_STYLES, STYLES, UNSEEN_STYLES
from training.simulator.truth.masks import structure_masks
from training.simulator.views.names import VIEW_CLASSES, VIEWS
from training.simulator.views.scene import area_mm2

FEW_TIMES_MS = np.array([0.0, 130.0, 410.0])


def make(view: str = "A4C", style: str = "dynamic", seed: int = 1, variant: str = "b_mode") -> SimulatedCine:
    """A small cine of three frames."""
    return simulate_cine(seed, view, style, variant=variant, frame_times_ms=FEW_TIMES_MS, size_px=64)


def test_same_arguments_give_the_same_bits() -> None:
    first, second = make(), make()
    assert np.array_equal(first.frames, second.frames)
    assert first.truth.ed_frame == second.truth.ed_frame


def test_another_seed_gives_another_cine() -> None:
    assert not np.array_equal(make(seed=1).frames, make(seed=2).frames)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("view", VIEWS)
def test_every_style_shows_every_view(view: str, style: str) -> None:
    cine = make(view, style)
    assert cine.frames.dtype == np.uint8
    assert cine.frames.shape[:3] == (3, 64, 64)
    assert cine.frames.shape[3] in (1, 3)
    assert cine.frames[:, cine.truth.sector_mask].mean() > 8


def test_seen_and_unseen_styles_share_none() -> None:
    assert SEEN_STYLES == ("lvh", "dynamic", "tmed")
    assert len(STYLES) >= 10
    assert not set(SEEN_STYLES) & set(UNSEEN_STYLES)


def test_views_of_one_seed_show_the_same_heart() -> None:
    truths = [make(view).truth for view in VIEWS]
    assert len({truth.lvef_fraction for truth in truths}) == 1
    assert len({truth.heart_rate_bpm for truth in truths}) == 1


def test_frames_move() -> None:
    frames = make().frames.astype(int)
    assert np.abs(frames[2] - frames[0]).mean() > 2


def test_sparse_times_give_the_frames_of_a_dense_cine() -> None:
    dense = simulate_cine(9, "PLAX", "tmed", frame_times_ms=np.arange(0, 400, 50.0), size_px=64)
    sparse = simulate_cine(9, "PLAX", "tmed", frame_times_ms=np.array([100.0, 350.0]), size_px=64)
    assert np.array_equal(sparse.frames, dense.frames[[2, 7]])


def test_cine_without_times_covers_more_than_one_beat_at_the_style_rate() -> None:
    cine = simulate_cine(2, "A2C", "dynamic")
    assert cine.frames.shape[1:] == (112, 112, 1)
    assert cine.frame_times_ms[0] == 0
    assert np.allclose(np.diff(cine.frame_times_ms), cine.frame_times_ms[1])
    assert cine.frame_times_ms[-1] > 60000 / cine.truth.heart_rate_bpm


def test_cavity_shrinks_with_the_ejection_fraction() -> None:
    remaining, lvef = [], []
    for seed in range(6):
        cine = simulate_cine(seed, "A4C", "dynamic", frame_times_ms=np.arange(0, 1100, 90.0), size_px=16)
        recording = cine.truth.recording
        assert recording is not None
        areas = [area_mm2(scene.outlines("lv_cavity")[0]) for scene in recording.scenes]
        assert areas[cine.truth.es_frame] < areas[cine.truth.ed_frame]
        remaining.append(areas[cine.truth.es_frame] / areas[cine.truth.ed_frame])
        lvef.append(cine.truth.lvef_fraction)
    assert np.corrcoef(remaining, lvef)[0, 1] < -0.85


@pytest.mark.parametrize("style", STYLES)
def test_sector_mask_covers_all_that_the_scanner_shows(style: str) -> None:
    cine = make("PSAX", style, seed=3)
    still = (cine.frames == cine.frames[:1]).all(axis=(0, 3))
    moving = ~still
    moving[int(0.89 * 64) :] = False  # the ECG cursor runs there, outside the sector
    assert not (moving & ~cine.truth.sector_mask).any()


def test_cavity_mask_lies_on_dark_blood() -> None:
    darker = []
    for seed in range(31, 39):
        cine = simulate_cine(seed, "A2C", "dynamic", frame_times_ms=FEW_TIMES_MS, size_px=112)
        assert cine.truth.recording is not None
        cavity = structure_masks(cine.truth.recording, ["lv_cavity"])["lv_cavity"][0]
        ring = (cv2.dilate(cavity.astype(np.uint8), np.ones((9, 9))) > cavity) & cine.truth.sector_mask
        frame = cine.frames[0, ..., 0]
        darker.append(frame[cavity].mean() / frame[ring].mean())
    assert np.median(darker) < 0.75


def test_an_ordered_plane_is_cut_and_labelled_by_what_it_shows() -> None:
    for plane, view in (("a3c", "OTHER"), ("psax_aortic", "PSAX"), ("a4c", "A4C")):
        truth = simulate_cine(5, view, "dynamic", plane=plane, frame_times_ms=FEW_TIMES_MS, size_px=32).truth
        assert truth.plane == plane
        assert truth.shares.shape == (3, len(VIEW_CLASSES))
        assert np.allclose(truth.shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("view", VIEW_CLASSES)
def test_an_ordered_view_is_the_view_that_is_cut(view: str) -> None:
    right = 0
    for seed in range(8):
        truth = simulate_cine(seed, view, "random", frame_times_ms=np.zeros(1), size_px=32).truth
        right += int(truth.shares[0].argmax() == VIEW_CLASSES.index(view))
    assert right >= 6  # a sweep may begin in a target view


def test_what_is_no_plain_view_is_other() -> None:
    truth = simulate_cine(5, "A4C", "dynamic", variant="text", frame_times_ms=FEW_TIMES_MS, size_px=32).truth
    assert (truth.shares[:, VIEW_CLASSES.index("OTHER")] == 1).all()


@pytest.mark.parametrize("part", PHYSICS)
def test_every_part_of_the_physics_can_be_left_out_and_is_seen(part: str) -> None:
    seen = 0.0
    for seed in range(3, 7):
        frames = [
            simulate_cine(seed, "A4C", "camus", frame_times_ms=FEW_TIMES_MS, size_px=96, without=left_out).frames
            for left_out in (frozenset(), frozenset({part}))
        ]
        seen = max(seen, float(np.abs(frames[0][1:].astype(int) - frames[1][1:]).mean()))
    assert seen > 0.3


def test_still_is_one_frame() -> None:
    assert len(make(variant="still").frames) == 1


def test_colour_box_is_saturated_and_b_mode_is_not() -> None:
    def saturated(cine: SimulatedCine) -> int:
        inside = cine.frames[:, cine.truth.sector_mask].astype(int)
        return int((inside.max(axis=-1) - inside.min(axis=-1) > 60).sum())

    assert saturated(make("A4C", "lvh", variant="colour_doppler")) > 20
    assert saturated(make("A4C", "lvh")) == 0


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="A2C"):
        simulate_cine(1, "A7C", "dynamic")
    with pytest.raises(ValueError, match="dynamic"):
        simulate_cine(1, "A4C", "vhs")
    with pytest.raises(ValueError, match="psax_aortic"):
        simulate_cine(1, "A4C", "dynamic", plane="a9c")
    with pytest.raises(ValueError, match="far_gain"):
        simulate_cine(1, "A4C", "dynamic", without=frozenset({"sound"}))
    with pytest.raises(ValueError, match="b_mode"):
        simulate_cine(1, "A4C", "dynamic", variant="stereo")
