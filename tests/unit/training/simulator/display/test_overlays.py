"""What is drawn round the sector is there when asked for, stays outside it, and agrees with the cine."""

from dataclasses import replace

import numpy as np
import pytest

from training.simulator.arrays import ByteArray
from training.simulator.display.overlays import draw_static, draw_sweep, ecg_mv
from training.simulator.display.screen import lay_out
from training.simulator.heart.rhythm import Rhythm, draw_rhythm
from training.simulator.heart.subject import draw_subject
from training.simulator.sources.recipes import Cursor, Marker, OverlayChances, TextBlock
from training.simulator.styles import STYLES, StyleDraw, draw_style

NAMES = tuple(OverlayChances.__dataclass_fields__)
PLAIN = replace(draw_style("unity", (3, 1, 1)).without_zoom(), sector_height=0.8, is_flipped=False)
SEED = (3, 1, 1)


def rhythm() -> Rhythm:
    return draw_rhythm(draw_subject(3), 3)


def draw(style: StyleDraw) -> ByteArray:
    return draw_static(lay_out(style, None), style, rhythm(), SEED)


@pytest.mark.parametrize("name", NAMES)
def test_every_overlay_is_drawn_and_no_other(name: str) -> None:
    others = frozenset({"depth_ticks"}) if name == "depth_numbers" else frozenset[str]()
    assert not draw(replace(PLAIN, overlays=frozenset())).any()
    with_it = draw(replace(PLAIN, overlays=others | {name})).astype(int)
    assert np.abs(with_it - draw(replace(PLAIN, overlays=others))).sum() > 0


@pytest.mark.parametrize("style", [*STYLES, "random"])
def test_overlays_keep_out_of_the_sector(style: str) -> None:
    for seed in range(6):
        drawn = replace(draw_style(style, (seed, 2, 4)), overlays=frozenset(NAMES))
        screen = lay_out(drawn, 112)
        picture = draw_static(screen, drawn, rhythm(), SEED)
        assert picture.shape == (112, 112, drawn.channels)
        assert picture.any()
        draw_sweep(picture, screen, drawn, 700.0)
        assert not picture[screen.sector_mask].any()


@pytest.mark.parametrize("kind", list(Marker))
def test_the_marker_changes_sides_with_the_display(kind: Marker) -> None:
    style = replace(PLAIN, overlays=frozenset({"marker"}), marks=replace(PLAIN.marks, marker=kind))
    sides = [np.nonzero(draw(replace(style, is_flipped=flip)).any(axis=(0, 2)))[0].mean() for flip in (False, True)]
    assert sides[0] > style.sector_x * style.width_px > sides[1]


@pytest.mark.parametrize("block", list(TextBlock))
def test_every_block_of_text_is_written_at_its_place(block: TextBlock) -> None:
    marks = replace(PLAIN.marks, text_blocks=frozenset({block}))
    written = draw(replace(PLAIN, overlays=frozenset({"text"}), marks=marks)).any(axis=2)
    rows, columns = (np.nonzero(written)[axis] / written.shape[axis] for axis in (0, 1))
    assert len(rows) > 30
    places = {
        TextBlock.LEFT_COLUMN: columns.max() < 0.4,
        TextBlock.RIGHT_COLUMN: columns.min() > 0.6,
        TextBlock.HEAD: rows.max() < 0.08,
        TextBlock.CORNERS: not ((columns > 0.4) & (columns < 0.6)).any(),
        TextBlock.FOOT: rows.min() > 0.92,
    }
    assert places[block]


@pytest.mark.parametrize("look", list(Cursor))
def test_the_cursor_runs_with_the_time(look: Cursor) -> None:
    style = replace(
        PLAIN, overlays=frozenset({"ecg"}), marks=replace(PLAIN.marks, ecg_cursor=look, ecg_sweep_ms=2000.0)
    )
    screen, still = lay_out(style, None), draw(style)
    places = []
    for time_ms in (500.0, 1000.0, 2500.0):
        picture = still.copy()
        picture[int(0.98 * len(picture)) :] = 90  # for a gap to show
        before = picture.copy()
        draw_sweep(picture, screen, style, time_ms)
        places.append(np.nonzero((picture != before).any(axis=(0, 2)))[0].min() / screen.width_px)
    assert places == pytest.approx([0.25, 0.5, 0.25], abs=0.01)


def test_the_ecg_has_no_p_waves_in_fibrillation() -> None:
    times_ms = np.arange(0.0, 4000.0)
    regular, fibrillating = (
        ecg_mv(draw_rhythm(replace(draw_subject(3), is_fibrillating=is_so), 3), times_ms) for is_so in (False, True)
    )
    for voltage, bumps in ((regular, 3), (fibrillating, 2)):  # of P, R and T
        beats = (voltage > 0.9).astype(int).clip(max=1)
        peaks = ((voltage[1:-1] > voltage[:-2]) & (voltage[1:-1] >= voltage[2:]) & (voltage[1:-1] > 0.06)).sum()
        assert peaks / np.count_nonzero(np.diff(beats) == 1) == pytest.approx(bumps, abs=0.7)


def test_ticks_are_a_centimetre_apart() -> None:
    style = replace(PLAIN, overlays=frozenset({"depth_ticks"}), steer_deg=0.0)
    screen, picture = lay_out(style, None), draw(style).any(axis=(1, 2))
    rows = np.flatnonzero(picture)
    assert np.diff(rows) == pytest.approx(10 * screen.px_per_mm, abs=1.01)
