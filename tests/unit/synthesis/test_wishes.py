"""What people write becomes counts, or an error that says what was wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.cine.errors import ConfigError
from services.cine.views import TARGET_VIEWS, View
from services.synthesis.plan import Cell, ImageFormat
from services.synthesis.wishes import Wish, read_counts, read_existing

STYLES = ("crisp", "soft")
NOTHING = Wish(0, (), None, has_styles=False, styles=(), seed=3, format=ImageFormat.PNG)


def test_counts_of_views_and_styles_are_read_and_add_up() -> None:
    counts = read_counts(["A2C=10", "PLAX:soft=20", "A2C=5", "A2C:any=1"], STYLES)
    assert counts == {Cell(View.A2C): 16, Cell(View.PLAX, "soft"): 20}


@pytest.mark.parametrize("text", ["A2C", "A2C=", "A2C=-1", "A2C=1.5", "OTHER=3", "a2c=3", "=3", "A2C:loud=3", "A2C=٣"])
def test_a_malformed_count_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        read_counts([text], STYLES)


def test_what_only_the_gateway_can_know_is_left_to_it() -> None:
    assert read_counts(["A2C:loud=3"], None) == {Cell(View.A2C, "loud"): 3}


CSV = "file,view,style\n1,A4C,soft\n2, a4c ,soft\n3,PLAX,crisp\n4,OTHER,soft\n5,,soft\n6,A4C,\n"


def test_a_csv_is_counted_by_view_or_by_view_and_style(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(CSV)
    assert read_existing(path, False, STYLES) == {Cell(View.A4C): 3, Cell(View.PLAX): 1}
    by_style = {Cell(View.A4C, "soft"): 2, Cell(View.PLAX, "crisp"): 1, Cell(View.A4C): 1}
    assert read_existing(path, True, STYLES) == by_style


def test_a_manifest_is_counted_too_and_brought_to_balance(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    views = ["A2C"] * 2 + ["PSAX"] * 5
    path.write_text(json.dumps({"images": [{"view": view, "style": "any"} for view in views]}))
    order = replace(NOTHING, balance=path).order(STYLES)
    assert dict(order.counts) == {Cell(View.A2C): 3, Cell(View.A4C): 5, Cell(View.PLAX): 5}
    assert order.seed == 3


@pytest.mark.parametrize("text", ["", "file,plane\n1,A4C\n", "file,view\n1,OTHER\n"], ids=["empty", "no view", "none"])
def test_a_file_without_views_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    for wrong in (path, tmp_path / "not there.csv"):
        with pytest.raises(ConfigError):
            read_existing(wrong, False, STYLES)


def test_a_style_of_the_file_that_the_model_does_not_know_is_refused_only_where_styles_count(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("view,style\nA4C,hospital seven\n")
    assert read_existing(path, False, STYLES) == {Cell(View.A4C): 1}
    with pytest.raises(ConfigError, match="style"):
        read_existing(path, True, STYLES)


@pytest.mark.parametrize(
    "wish",
    [NOTHING, replace(NOTHING, per_view=1, counts=("A2C=1",)), replace(NOTHING, counts=("A2C=0",))],
    ids=["none", "two", "of nothing"],
)
def test_a_wish_says_one_thing(wish: Wish) -> None:
    with pytest.raises(ConfigError):
        wish.order(STYLES)


def test_a_wish_for_more_than_can_be_made_is_refused_before_it_is_planned() -> None:
    with pytest.raises(ConfigError, match="16000000000 images"):
        replace(NOTHING, per_view=4_000_000_000).order(STYLES)
    assert replace(NOTHING, per_view=25_001).order(STYLES, most=100_004).total == 100_004
    with pytest.raises(ConfigError, match="at most 100000"):
        replace(NOTHING, per_view=25_001).order(STYLES)


def test_a_wish_for_each_view_is_spread_over_its_styles() -> None:
    order = replace(NOTHING, per_view=3, styles=STYLES).order(STYLES)
    assert [(count, cell.style) for cell, count in order.counts] == [(2, "crisp"), (1, "soft")] * len(TARGET_VIEWS)
