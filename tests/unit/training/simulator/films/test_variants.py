"""Every variant is what its name says, in all its kinds and styles, and tells the truth about itself."""

import cv2
import numpy as np
import pytest

from training.simulator.cine import FILMS, SimulatedCine, simulate_cine
from training.simulator.styles import STYLES
from training.simulator.variants import KINDS, USABLE_VARIANTS, VARIANTS
from training.simulator.views.names import VIEWS

TIMES_MS = np.array([0.0, 170.0])
STYLES_A_VARIANT = 5  # styles are dealt in turn: three variants meet them all; `evaluate findings` makes every pair
DEALT = [(v, number) for v in VARIANTS for number in range(max(len(KINDS[v]), STYLES_A_VARIANT))]
EVERY_KIND_AND_STYLE = [
    (variant, KINDS[variant][number % len(KINDS[variant])], STYLES[turn % len(STYLES)])
    for turn, (variant, number) in enumerate(DEALT)
]
WITHOUT_SECTOR = {"text", "foreign"}
# Mean of 16 x 16 px blocks of the three frames of the cine below, grey levels. Weights and figures depend on b_mode:
# a change of any draw moves these by far more than another processor's rounding does.
B_MODE_BLOCKS_GREY = [
    [[0.0, 40.5, 28.5, 0.0], [25.9, 37.6, 21.3, 0.6], [38.3, 32.9, 51.0, 3.5], [9.6, 37.6, 47.9, 15.7]],
    [[0.0, 37.6, 29.1, 0.0], [27.6, 37.8, 22.7, 0.3], [40.7, 31.8, 51.7, 3.6], [7.4, 40.3, 48.7, 14.2]],
    [[0.0, 40.8, 31.5, 0.0], [26.0, 38.0, 24.7, 0.6], [46.9, 32.8, 54.9, 4.7], [9.3, 37.8, 47.5, 17.9]],
]


def make(variant: str, kind: str | None = None, style: str = "lvh", seed: int = 1) -> SimulatedCine:
    """A small cine of two frames; views follow the seed."""
    view = VIEWS[seed % len(VIEWS)]
    return simulate_cine(seed, view, style, variant=variant, kind=kind, frame_times_ms=TIMES_MS, size_px=64)


def chroma(cine: SimulatedCine) -> np.ndarray:
    """Largest minus smallest channel, [T, H, W]."""
    frames = cine.frames.astype(int)
    return np.asarray(frames.max(axis=-1) - frames.min(axis=-1))


def test_b_mode_has_not_moved() -> None:
    frames = simulate_cine(1, "A4C", "dynamic", frame_times_ms=np.array([0.0, 130.0, 410.0]), size_px=64).frames
    blocks = frames.reshape(3, 4, 16, 4, 16).mean(axis=(2, 4))
    assert np.abs(blocks - np.array(B_MODE_BLOCKS_GREY)).max() < 0.15


def test_every_variant_has_its_film_and_its_kinds() -> None:
    assert tuple(FILMS) == VARIANTS
    assert set(USABLE_VARIANTS) < set(VARIANTS)
    assert all(len(set(kinds)) == len(kinds) > 0 for kinds in KINDS.values())


@pytest.mark.parametrize(("variant", "kind", "style"), EVERY_KIND_AND_STYLE)
def test_every_kind_and_every_style_tell_the_truth(variant: str, kind: str, style: str) -> None:
    cine = make(variant, kind, style, seed=2 + STYLES.index(style))
    truth, count = cine.truth, len(cine.frame_times_ms)
    assert cine.frames.dtype == np.uint8
    assert cine.frames.shape[:3] == (count, *truth.sector_mask.shape) == (count, 64, 64)
    assert len(truth.contraction) == len(truth.shares) == count
    has_none = variant in WITHOUT_SECTOR or kind.endswith("_full")
    sectors = 0 if has_none else {"split": 4 if kind == "quad" else 2, "dual": 2}.get(variant, 1)
    assert (truth.variant, truth.kind, truth.sectors) == (variant, kind, sectors)
    assert (
        truth.sector_mask.any() == (min(truth.pixel_spacing_mm) > 0) == (truth.recording is not None) == (sectors > 0)
    )
    assert (truth.strip_px is not None) == (variant in {"spectral", "m_mode"})
    assert truth.colour_fraction == 0 or variant in {"colour_doppler", "dual"}


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - {"still", "short", "frozen", "m_mode"}))
def test_frames_depend_on_their_own_time_only(variant: str) -> None:
    kind = KINDS[variant][0]
    both = make(variant, kind, seed=3)
    last = simulate_cine(3, both.truth.view, "lvh", variant=variant, kind=kind, frame_times_ms=TIMES_MS[1:], size_px=64)
    assert np.array_equal(last.frames[0], both.frames[1])


@pytest.mark.parametrize("kind", KINDS["colour_doppler"])
def test_as_much_is_coloured_as_the_truth_says(kind: str) -> None:
    cine = make("colour_doppler", kind, seed=5)
    grey = make("tinted", "sepia", seed=5) if kind == "sepia" else make("b_mode", seed=5)
    inside = cine.truth.sector_mask
    changed = (np.abs(cine.frames.astype(int) - grey.frames.astype(int)).max(axis=-1) > 12)[:, inside].mean(axis=1)
    assert changed.max() >= 0.6 * cine.truth.colour_fraction
    assert 0.001 < cine.truth.colour_fraction < 0.8


def test_colour_maps_differ_as_scanners_do() -> None:
    def mean_ink(kind: str) -> np.ndarray:
        cine = make("colour_doppler", kind, seed=6)
        inks = cine.frames[(chroma(cine) > 60) & cine.truth.sector_mask]
        return np.asarray(inks.mean(axis=0))

    red, green, blue = mean_ink("power")
    assert red > green > blue
    assert mean_ink("variance")[1] > mean_ink("box")[1] + 15


def test_a_jet_is_small_and_the_whole_sector_is_not() -> None:
    jets = [make("colour_doppler", "jet", seed=seed).truth.colour_fraction for seed in range(6)]
    wholes = [make("colour_doppler", "whole", seed=seed).truth.colour_fraction for seed in range(6)]
    assert max(jets) < 0.03
    assert np.median(wholes) > 4 * np.median(jets)


def test_tissue_doppler_colours_muscle_and_not_blood() -> None:
    cine = simulate_cine(5, "A4C", "lvh", variant="colour_doppler", kind="tissue", frame_times_ms=TIMES_MS, size_px=160)
    plain = simulate_cine(5, "A4C", "lvh", frame_times_ms=TIMES_MS, size_px=160)
    coloured = (chroma(cine) > 60) & cine.truth.sector_mask
    assert coloured.any()
    brightness = plain.frames.mean(axis=-1)
    assert brightness[coloured].mean() > 1.4 * brightness[:, cine.truth.sector_mask].mean()


@pytest.mark.parametrize("kind", KINDS["tinted"])
def test_a_tint_colours_everything_and_keeps_the_order_of_greys(kind: str) -> None:
    tinted, plain = make("tinted", kind, seed=7), make("b_mode", seed=7)
    inside = tinted.truth.sector_mask
    bright = inside & (plain.frames[0].mean(axis=-1) > 60)
    assert (chroma(tinted)[0][bright] > 15).mean() > 0.9
    if kind != "rainbow":
        order = np.corrcoef(tinted.frames[0].mean(axis=-1)[inside], plain.frames[0].mean(axis=-1)[inside])
        assert order[0, 1] > 0.98


def test_frozen_sectors_stand_still_whatever_runs_round_them() -> None:
    for kind in ("plain", "ecg", "clock"):
        cine = make("frozen", kind, seed=8)
        assert (cine.frames == cine.frames[:1])[:, cine.truth.sector_mask].all()
        assert (cine.frames == cine.frames[:1]).all() == (kind == "plain")
        assert np.ptp(cine.truth.contraction) == 0
    coded, live = make("frozen", "codec", seed=8), make("b_mode", seed=8)
    changes = [np.ptp(cine.frames.astype(int), axis=0).mean() for cine in (coded, live)]
    assert 0 < changes[0] < 0.3 * changes[1]


def test_black_is_dark_and_saturated_is_bright() -> None:
    for style in STYLES:
        for kind in KINDS["black"]:
            dark = make("black", kind, style)
            assert dark.frames[:, dark.truth.sector_mask].mean() < 16
        for kind in KINDS["saturated"]:
            bright = make("saturated", kind, style)
            assert bright.frames[:, bright.truth.sector_mask].mean() > 150


def test_short_is_shorter_than_a_beat() -> None:
    for kind in KINDS["short"]:
        cine = simulate_cine(9, "PLAX", "tmed", variant="short", kind=kind, size_px=32)
        assert len(cine.frames) >= 2
        assert cine.frame_times_ms[-1] < 0.6 * 60000 / cine.truth.heart_rate_bpm


@pytest.mark.parametrize("variant", ["split", "dual", "spectral", "m_mode", "screens", "tinted"])
def test_nothing_but_sector_strip_and_cursor_moves(variant: str) -> None:
    cine = make(variant, KINDS[variant][0], seed=10)
    moving = (cine.frames != cine.frames[:1]).any(axis=(0, 3))
    may_move = np.asarray(cine.truth.sector_mask.copy())
    may_move[int(0.88 * 64) :] = True  # the ECG cursor
    if cine.truth.strip_px is not None:
        left, top, right, bottom = cine.truth.strip_px
        may_move[top : bottom + 1, left : right + 1] = True
    edge = np.ones((3, 3), np.uint8)  # making the picture small blends the sector's edge with what is beside it
    assert moving.any()
    assert not (moving & (cv2.dilate(may_move.astype(np.uint8), edge) == 0)).any()


def test_a_scrolling_strip_moves_by_whole_columns() -> None:
    times_ms = np.array([0.0, 300.0])
    frames = simulate_cine(
        11, "PLAX", "camus", variant="m_mode", kind="scroll_full", frame_times_ms=times_ms, size_px=400
    ).frames[..., 0]
    first, second = (frame[100:300, 20:360].astype(float) for frame in frames)
    errors = [np.abs(second[:, :-shift] - first[:, shift:]).mean() for shift in range(1, 150)]
    assert min(errors) < 0.35 * np.abs(second - first).mean()


def test_the_m_mode_line_is_a_line_of_the_heart() -> None:
    """Muscle thickens once a beat: what an M-mode shows repeats with the heart and not otherwise."""
    cine = simulate_cine(
        12, "PLAX", "camus", variant="m_mode", kind="sweep_full", frame_times_ms=np.array([6000.0]), size_px=400
    )
    assert cine.truth.strip_px is not None
    left, top, right, bottom = cine.truth.strip_px
    strip = cine.frames[0, top:bottom, left:right, 0].astype(float)
    changes = np.abs(np.diff(strip, axis=1)).mean()
    across = np.abs(np.diff(strip, axis=0)).mean()
    assert 0.1 < changes < across


def test_doppler_envelopes_follow_the_valves() -> None:
    cine = simulate_cine(
        13, "A4C", "camus", variant="spectral", kind="cw_full", frame_times_ms=np.array([5000.0]), size_px=400
    )
    assert cine.truth.strip_px is not None
    left, top, right, bottom = cine.truth.strip_px
    strip = cine.frames[0, top:bottom, left:right, 0].astype(float)
    lower = strip[int(0.55 * len(strip)) :]
    by_column = np.convolve(lower.mean(axis=0), np.ones(9) / 9, "valid")
    assert by_column.max() > 2.5 * by_column.min()


def test_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="off_chest"):
        make("black", "cat")
