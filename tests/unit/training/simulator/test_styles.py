"""Styles are drawn within their source's ranges, repeat themselves, and differ."""

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from services.cine.views import TARGET_VIEWS
from training.simulator.scanner.settings import ScannerSettings
from training.simulator.sources.catalogue import catalogue
from training.simulator.sources.limits import LIMITS
from training.simulator.sources.recipes import Range
from training.simulator.styles import (
    FAMILIES,
    NARROW_DEG,
    SEEN_STYLES,
    STYLES,
    UNSEEN_STYLES,
    StyleDraw,
    describe,
    draw_style,
    family_of,
    view_shares,
    zoomed,
)

SEEDS = [(seed, 1, 2) for seed in range(60)]


def is_within(value: float, limits: Range) -> bool:
    return limits[0] - 1e-9 <= value <= limits[1] + 1e-9


def assert_scanner_within(drawn: StyleDraw, style: str) -> None:
    recipe, scanner = catalogue()[style].scanner, drawn.scanner
    for field in fields(ScannerSettings):
        if isinstance(getattr(scanner, field.name), float) and hasattr(recipe, field.name):
            assert is_within(getattr(scanner, field.name), getattr(recipe, field.name)), field.name
    assert is_within(scanner.focus_mm / scanner.depth_mm, recipe.focus_fraction)
    assert all(is_within(*pair) for pair in zip(scanner.tgc_error_db, recipe.tgc_error_db, strict=True))
    assert all(loss_db == 0 or is_within(loss_db, recipe.edge_loss_db) for loss_db in scanner.edge_loss_db)
    assert all(share == 0 or is_within(share, recipe.lung_fraction) for share in scanner.lung_fraction)


@pytest.mark.parametrize("style", STYLES)
def test_every_setting_is_within_its_source(style: str) -> None:
    source = catalogue()[style]
    for seed in SEEDS:
        drawn = draw_style(style, seed)
        assert_scanner_within(drawn, style)
        assert (drawn.width_px, drawn.height_px) in source.sector.canvases
        opening = drawn.scanner.opening_deg
        assert is_within(opening, source.sector.opening_deg) or is_within(opening, NARROW_DEG)
        for name in ("frame_rate_hz", "sector_height", "overflow", "start_mm", "squeeze"):
            assert is_within(getattr(drawn, name), getattr(source.sector, name)), name
        assert drawn.export.codec in source.export.codecs
        assert is_within(drawn.export.quality, source.export.quality)
        assert drawn.marks.marker in source.overlays.markers


@pytest.mark.parametrize("style", [*STYLES, "random"])
def test_the_same_seed_gives_the_same_draw(style: str) -> None:
    assert draw_style(style, (5, 0, 1)) == draw_style(style, (5, 0, 1))
    assert draw_style(style, (5, 0, 1)) != draw_style(style, (6, 0, 1))


def test_families_hold_every_style_once() -> None:
    assert sorted(style for family in FAMILIES.values() for style in family) == sorted(STYLES)
    assert all(style in FAMILIES[family_of(style)] for style in STYLES)
    assert all(describe(style) for style in STYLES)


def test_the_thesis_trains_on_three_sources_that_tell_the_view() -> None:
    assert SEEN_STYLES == ("lvh", "dynamic", "tmed")
    assert set(SEEN_STYLES) | set(UNSEEN_STYLES) == set(STYLES)
    shares = {style: view_shares(style) for style in SEEN_STYLES}
    assert [[name for name, share in (shares[style] or {}).items() if share] for style in SEEN_STYLES] == [
        ["PLAX"],
        ["A4C"],
        [str(view) for view in TARGET_VIEWS],
    ]
    assert all(sum(each.values()) == pytest.approx(1, abs=2e-3) for each in shares.values() if each)
    assert not any(view_shares(style) for style in UNSEEN_STYLES)


def test_narrow_zoomed_cut_and_mirrored_sectors_are_some_of_all() -> None:
    drawn = [draw_style(style, (seed, number, 3)) for number, style in enumerate(STYLES) for seed in range(100)]
    found = Counter[str]()
    for each in drawn:
        found["narrow"] += each.scanner.opening_deg < NARROW_DEG[1] and each.piece is None
        found["enlarged part"] += each.box is not None or each.piece is not None
        found["enlarged"] += each.zoom > 1
        found["cut"] += each.cut_bottom > 0 or each.cut_sides != (0, 0)
        found["mirrored"] += each.is_flipped
        found["squeezed"] += abs(each.squeeze - 1) > 0.02
    shares = {name: count / len(drawn) for name, count in found.items()}
    assert 0.08 < shares["narrow"] < 0.22
    assert 0.02 < shares["enlarged part"] < 0.1
    assert 0.04 < shares["enlarged"] < 0.16
    assert 0.1 < shares["cut"] < 0.35
    assert 0.03 < shares["mirrored"] < 0.12
    assert 0.1 < shares["squeezed"] < 0.4


def test_the_outline_of_a_zoom_does_not_tell_how_deep_it_looks() -> None:
    for seed in SEEDS:
        drawn = draw_style("random", seed)
        near, far = (zoomed(drawn, down_mm, np.random.default_rng(seed)) for down_mm in (50.0, 110.0))
        assert near.box == far.box
        assert near.start_mm / near.scanner.depth_mm == pytest.approx(far.start_mm / far.scanner.depth_mm)
        assert near.scanner.focus_mm / near.scanner.depth_mm == pytest.approx(
            far.scanner.focus_mm / far.scanner.depth_mm
        )
        assert near.box is not None
        assert near.box.top * near.scanner.depth_mm < 50 < near.box.bottom * near.scanner.depth_mm
        assert far.box.top * far.scanner.depth_mm < 110 < far.box.bottom * far.scanner.depth_mm


def test_the_random_style_is_wider_than_any_source_and_within_what_a_scanner_can() -> None:
    drawn = [draw_style("random", (seed,)) for seed in range(400)]
    ranges_db = np.array([each.scanner.dynamic_range_db for each in drawn])
    spans = [source.scanner.dynamic_range_db for source in catalogue().values()]
    assert ranges_db.std() > max((high - low) / np.sqrt(12) for low, high in spans)
    assert all(is_within(each.scanner.gamma, LIMITS["gamma"]) for each in drawn)
    assert len({(each.width_px, each.height_px) for each in drawn}) > 15
    assert {each.channels for each in drawn} == {1, 3}


def test_the_random_style_leaves_out_the_families_it_names() -> None:
    names = [name for name, source in catalogue().items() if source.family not in ("portable", "legacy")]
    known = {canvas for name in names for canvas in catalogue()[name].sector.canvases}
    drawn = [draw_style("random-portable-legacy", (seed,)) for seed in range(200)]
    assert {(each.width_px, each.height_px) for each in drawn} <= known
    assert not any(each.export.line_jitter_px for each in drawn)


def test_unknown_styles_and_families_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="camus"):
        draw_style("vhs", (1,))
    with pytest.raises(ValueError, match="legacy"):
        draw_style("random-vhs", (1,))
