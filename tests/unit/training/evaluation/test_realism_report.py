"""The realism report marks what lies outside, repeats itself, and says what it is."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from training.evaluation.cli import app
from training.evaluation.realism import report
from training.evaluation.realism.comparison import Mark, Row, cells, compare, outside
from training.evaluation.realism.pictures import (
    FAMILY_VIEWS,
    Found,
    Order,
    film,
    measure_order,
    plan,
    squares,
)
from training.evaluation.realism.reference import Reference, load_reference
from training.evaluation.realism.sheets import draw_classified
from training.evaluation.realism.statistics import SIDE_PX, STATISTICS
from training.simulator.contact_sheet import LEGEND_PX, with_legend
from training.simulator.styles import FAMILIES
from training.simulator.views.names import VIEW_CLASSES

SLOPE = Reference("research", "slope", (10.0, 50.0, 90.0), (-3.1, -2.9, -2.7), 1, 60, "somewhere")
STILL = Order(3, "research", "A4C", "camus")
CLIP = Order(4, "clip_112", "A4C", "tmed")


@pytest.mark.parametrize(
    ("median", "mark"),
    [(-2.9, Mark.INSIDE), (-3.14, Mark.INSIDE), (-3.16, Mark.LOW), (-2.6, Mark.HIGH), (float("nan"), Mark.NONE)],
)
def test_a_median_is_marked_at_the_decimals_of_the_reference(median: float, mark: Mark) -> None:
    row = Row(SLOPE, (-5.0, median, 0.0), 9)
    assert row.mark is mark
    assert outside([row]) == ([row] if mark in (Mark.LOW, Mark.HIGH) else [])


def test_the_spread_is_that_of_the_outer_percentiles() -> None:
    assert cells(Row(SLOPE, (-3.0, -2.9, -2.8), 9))[3:] == ("0.5", "")
    assert Row(SLOPE, (-3.3, -2.9, -2.5), 9).spread == pytest.approx(2)


def test_a_profile_without_a_range_is_shown_and_never_marked() -> None:
    row = Row(replace(SLOPE, values=(float("nan"), 0.49, float("nan")), decimals=2), (0.1, 0.2, 0.3), 9)
    assert cells(row) == ("slope", "0.10 / 0.20 / 0.30", "- / 0.49 / -", "-", "-")
    assert row.as_plain()["real"] == [None, 0.49, None]
    assert not row.is_comparable


def test_a_row_takes_the_percentiles_of_its_reference_over_its_group() -> None:
    found: list[Found] = [[("research", {"slope": float(value)}), ("other", {"slope": 99.0})] for value in range(101)]
    found.append([("research", {"slope": float("nan")})])
    wide = replace(SLOPE, percentiles=(5.0, 50.0, 95.0))
    assert compare(found, [SLOPE, wide])[0].simulated == pytest.approx((10, 50, 90))
    assert compare(found, [SLOPE, wide])[1].simulated == pytest.approx((5, 50, 95))
    assert compare(found, [SLOPE])[0].items == 101
    assert compare([], [SLOPE])[0].mark is Mark.NONE


def test_the_reference_has_every_statistic_of_every_family_and_says_where_it_is_from() -> None:
    table = load_reference()
    for family in FAMILY_VIEWS:
        assert [one.statistic for one in table if one.group == family] == list(STATISTICS)
    assert len({(one.group, one.statistic) for one in table}) == len(table)
    assert all(one.origin and one.items > 0 for one in table)
    for one in table:
        low, median, high = one.values
        assert np.isnan(low) or low <= median <= high
    assert {one.group for one in table} == set(report.TITLES)


def test_a_plan_shows_each_family_in_all_its_styles_and_views_and_repeats_itself() -> None:
    orders = plan(90, 5)
    assert orders == plan(90, 5)
    for family, views in FAMILY_VIEWS.items():
        shown = {(order.style, order.view) for order in orders if order.family == family}
        assert shown == {(style, view) for style in FAMILIES[family] for view in views}
    assert [order.subject for order in orders] == list(range(5, 95))


def test_a_square_holds_the_sector_and_nothing_outside_it() -> None:
    cine = film(replace(STILL, style="unity"), np.zeros(1))
    lit = replace(cine, frames=cine.frames | (np.uint8(255) * ~cine.truth.sector_mask[..., None]))
    square = squares(lit)
    assert square.shape == (1, SIDE_PX, SIDE_PX)
    assert np.array_equal(square, squares(cine))
    shown = [np.ptp(np.flatnonzero(square[0].any(axis=axis))) for axis in (0, 1)]
    assert max(shown) > SIDE_PX - 8  # what is black at the sector's edge does not show


def test_a_still_tells_of_its_heart_and_a_clip_of_its_motion() -> None:
    still, clip = measure_order(STILL), measure_order(CLIP)
    assert still == measure_order(STILL)
    names = [name for name, _ in still]
    assert names == ["research", "anatomy_ed", "anatomy_es", "ejection", "pose", "grey", "grey"]
    volumes = [values["volume_ml"] for name, values in still if name.startswith("anatomy")]
    assert volumes[0] > volumes[1]
    assert [name for name, _ in clip] == ["clip_112", "decorrelation"]
    apart = list(clip[1][1].values())
    assert apart == sorted(apart, reverse=True)
    told = {name: set(values) for name, values in still + clip}
    for one in load_reference():
        assert one.group == "full_screen" or one.statistic in told[one.group]


def test_the_command_writes_the_same_report_again(tmp_path: Path) -> None:
    runs = []
    for name in ("one", "two"):
        line = ["realism", "--cines", "2", "--seed", "7", "--no-sheets", "--json", "--out", str(tmp_path / name)]
        answer = CliRunner().invoke(app, line)
        assert answer.exit_code == 0, answer.output
        runs.append(json.loads(answer.stdout))
    assert runs[0] == runs[1] == json.loads((tmp_path / "two" / "realism.json").read_text())
    assert (runs[0]["cines"], runs[0]["seed"]) == (2, 7)
    rows = runs[0]["groups"]["research"]
    assert [row["statistic"] for row in rows] == list(STATISTICS)
    assert runs[0]["groups"]["clip_112"][0]["simulated"] == [None, None, None]
    lines = list(csv.DictReader((tmp_path / "one" / "cines.csv").read_text().splitlines()))
    assert {line["subject"] for line in lines} == {"7", "8"}
    markdown = (tmp_path / "one" / "report.md").read_text()
    assert "--cines 2 --seed 7" in markdown
    assert markdown.count("| statistic |") == len(report.TITLES)
    assert set(runs[0]["styles"]) == {order.style for order in plan(2, 7)}


def test_a_style_is_held_against_its_own_family() -> None:
    still, clip = Order(1, "research", "A4C", "camus"), Order(2, "clip_112", "A4C", "tmed")
    found: list[Found] = [[("research", {"mean": 80.0})], [("clip_112", {"mean": 80.0})]]
    rows = report.compare_styles([still, clip], found)
    assert (rows["camus"][0].mark, rows["tmed"][0].mark) == (Mark.INSIDE, Mark.HIGH)


def test_the_classifiers_sheet_shows_a_row_a_view_over_its_legend() -> None:
    sheet = draw_classified(1, columns=1)
    assert sheet.shape == (len(VIEW_CLASSES) * 2 * SIDE_PX + LEGEND_PX, 2 * SIDE_PX, 3)
    pixels = sheet[: 2 * SIDE_PX]
    assert np.array_equal(pixels, cv2.resize(pixels[::2, ::2], None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST))
    assert pixels.any()


def test_a_legend_stands_under_the_sheet_and_does_not_touch_it() -> None:
    sheet = np.full((10, 300, 3), 9, np.uint8)
    legend = with_legend(sheet, "A4C")
    assert legend.shape == (10 + LEGEND_PX, 300, 3)
    assert np.array_equal(legend[:10], sheet)
    assert len(np.unique(legend[10:])) > 2
