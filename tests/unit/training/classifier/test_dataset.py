"""Frames come through the service's own preprocessing, are kept on disk and rendered only once."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from services.cine.views import View
from training.classifier.config import ClassifierConfig, load_preset
from training.classifier.dataset import load_frames, prepare, render, simulate
from training.classifier.splits import CineOrder, Split
from training.simulator.cine import SimulatedCine

ORDER = CineOrder(3, View.A4C, "tmed", 112, (0.0, 200.0, 400.0))


def tiny() -> ClassifierConfig:
    config = load_preset("smoke")
    return replace(config, data=replace(config.data, train_subjects=1, train_frames=2, shard_cines=3))


def test_prepared_frames_are_square_dark_outside_and_bright_inside() -> None:
    frames, is_found = prepare(simulate(ORDER))
    assert is_found
    assert frames.shape == (3, 112, 112)
    assert frames.dtype == np.uint8
    assert frames[:, 0, 0].max() == 0
    assert frames[:, 40:70, 40:70].mean() > 5


def test_true_sector_stands_in_where_none_is_found() -> None:
    cine = simulate(ORDER)
    black = SimulatedCine(np.zeros_like(cine.frames), cine.frame_times_ms, cine.truth)
    frames, is_found = prepare(black)
    assert not is_found
    assert frames.shape == (3, 112, 112)


def test_cines_are_numbered_through_over_shards(tmp_path: Path) -> None:
    frames = load_frames(Split.TRAIN, tiny(), tmp_path)
    assert list(frames.cines) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert list(frames.labels) == [0, 0, 1, 1, 2, 2, 3, 3]


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
