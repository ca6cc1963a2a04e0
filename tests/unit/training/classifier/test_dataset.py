"""Frames come through the service's own preprocessing, are kept on disk and rendered only once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.cine.views import ANSWERED_VIEWS, View
from training.classifier.config import ClassifierConfig, load_preset
from training.classifier.dataset import FrameSet, load_frames, prepare, render
from training.classifier.simulation import CineOrder, families, simulate
from training.classifier.splits import Split
from training.simulator.cine import SimulatedCine

ORDER = CineOrder(3, View.A4C, "tmed", 112, (0.0, 200.0, 400.0))


def tiny() -> ClassifierConfig:
    config = load_preset("smoke")
    data = replace(
        config.data,
        train_subjects=1,
        train_frames=2,
        train_families=tuple(families())[:2],
        other_share=0.2,
        far_share=1.0,
        shard_cines=3,
    )
    return replace(config, data=data)


def test_prepared_frames_are_square_dark_outside_and_bright_inside() -> None:
    frames, is_found = prepare(simulate(ORDER).cine)
    assert is_found
    assert frames.shape == (3, 112, 112)
    assert frames.dtype == np.uint8
    assert frames[:, 0, 0].max() == 0
    assert frames[:, 40:70, 40:70].mean() > 5


def test_true_sector_stands_in_where_none_is_found() -> None:
    cine = simulate(ORDER).cine
    black = SimulatedCine(np.zeros_like(cine.frames), cine.frame_times_ms, cine.truth)
    frames, is_found = prepare(black)
    assert not is_found
    assert frames.shape == (3, 112, 112)


def test_cines_are_numbered_through_over_shards(tmp_path: Path) -> None:
    frames = load_frames(Split.TRAIN, tiny(), tmp_path)
    assert list(frames.cines) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert list(frames.shares.argmax(axis=1)) == list(frames.cines)
    assert np.allclose(frames.shares.sum(axis=1), 1.0)


def test_shard_that_is_lost_is_rendered_again_alike(tmp_path: Path) -> None:
    before = load_frames(Split.TRAIN, tiny(), tmp_path)
    first, second = sorted(tmp_path.rglob("*.npz"))
    kept = second.stat().st_mtime_ns
    first.unlink()
    after = load_frames(Split.TRAIN, tiny(), tmp_path)
    assert np.array_equal(before.frames, after.frames)
    assert second.stat().st_mtime_ns == kept


def test_frames_know_their_cine_view_and_subject() -> None:
    frames = render([ORDER, replace(ORDER, view=View.PSAX, subject=4)])
    assert list(frames.cines) == [0, 0, 0, 1, 1, 1]
    assert list(frames.subjects) == [3, 3, 3, 4, 4, 4]
    assert frames.is_sector_found.all()


def test_a_still_is_taken_by_its_first_frame() -> None:
    cine = simulate(ORDER).cine
    alone = SimulatedCine(cine.frames[:1], cine.frame_times_ms[:1], cine.truth)
    still, is_found = prepare(cine, is_still=True)
    assert (still[0] == prepare(alone)[0][0]).all()
    assert is_found is prepare(alone)[1]


def test_what_is_no_heart_is_none_of_the_four_and_has_no_traits() -> None:
    shown = simulate(replace(ORDER, variant="foreign", kind="noise"))
    assert (shown.shares[:, ANSWERED_VIEWS.index(View.OTHER)] == 1.0).all()
    assert np.isnan(shown.traits).all()
    assert shown.plane == "foreign.noise"


def test_a_heart_tells_its_traits() -> None:
    lvef_fraction, heart_rate_bpm, septum_mm = simulate(ORDER).traits
    assert 0.2 <= lvef_fraction <= 0.75
    assert 35 <= heart_rate_bpm <= 180
    assert 5 <= septum_mm <= 22


def test_frames_that_are_taken_keep_their_cines_numbered() -> None:
    frames = render([ORDER, replace(ORDER, view=View.PSAX, subject=4)])
    taken: FrameSet = frames.take(frames.subjects == 4)
    assert list(taken.cines) == [0, 0, 0]
    assert taken.frames.shape == (3, 112, 112)


def test_of_a_doppler_screen_only_the_strip_is_shown() -> None:
    shown = simulate(replace(ORDER, style="unity", variant="spectral", kind="pw", size_px=None))
    left, top, right, bottom = shown.cine.truth.strip_px or (0, 0, 0, 0)
    frames, is_found = prepare(shown.cine)
    assert is_found
    filled = (frames[0] > 0).any(axis=1).mean() / (frames[0] > 0).any(axis=0).mean()
    assert filled == pytest.approx((bottom - top) / (right - left), rel=0.1)
