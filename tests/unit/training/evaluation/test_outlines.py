"""The probe finds an outline that tells the view, is at chance where none does, and training's changes take it away."""

from __future__ import annotations

import numpy as np

from services.cine.views import ANSWERED_VIEWS
from training.classifier.config import load_preset
from training.classifier.dataset import FrameSet
from training.evaluation.outlines import probe_outlines

SUBJECTS = 160


def make_frames(is_told: bool) -> FrameSet:
    """Even grey sectors of four openings, each opening a view's own or drawn by chance."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(4), SUBJECTS)
    openings = labels if is_told else rng.integers(4, size=len(labels))
    rows, columns = np.mgrid[:112, :112]
    slopes = np.array([0.45, 0.6, 0.75, 0.9])[openings][:, None, None]
    inside = (np.abs(columns - 56) < slopes * rows) & (np.hypot(columns - 56, rows) < 108)
    grain = rng.integers(60, 180, inside.shape, dtype=np.uint8)
    count = len(labels)
    return FrameSet(
        frames=grain * inside.astype(np.uint8),
        shares=np.eye(len(ANSWERED_VIEWS), dtype=np.float32)[labels],
        styles=np.full(count, "camus"),
        planes=np.full(count, "a4c"),
        traits=np.zeros((count, 3), np.float32),
        subjects=np.repeat(np.arange(SUBJECTS), 4),
        cines=np.arange(count),
        is_sector_found=np.ones(count, np.bool_),
    )


def test_outlines_that_tell_the_view_are_found_out() -> None:
    found = probe_outlines(make_frames(is_told=True), None, 0)
    assert found.accuracy > 0.9
    assert not found.is_at_chance


def test_outlines_that_tell_nothing_are_at_chance() -> None:
    found = probe_outlines(make_frames(is_told=False), None, 0)
    assert found.is_at_chance
    assert found.accuracy > 0.25 - 2 * found.margin


def test_changes_of_training_take_most_of_it_away() -> None:
    frames = make_frames(is_told=True)
    before = probe_outlines(frames, None, 0)
    after = probe_outlines(frames, load_preset("cpu").augmentation, 0)
    assert after.accuracy < before.accuracy - 0.3
