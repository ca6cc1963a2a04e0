"""The measurement of the rules orders every kind, counts what it says, and shows what was judged wrongly."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]
from typer.testing import CliRunner

from services.cine.validation.colour import LEVELS
from services.cine.validation.findings import FindingCode
from training.evaluation import findings as measurement
from training.evaluation.cli import app
from training.evaluation.colour import measure_shares
from training.evaluation.findings import Measured, Order, Rate, accepted, measure, plan, sensitivity, specificity, told
from training.evaluation.transports import Transport
from training.simulator.styles import STYLES
from training.simulator.variants import KINDS, VARIANTS

ORDER = Order(3, "A4C", "tmed", "b_mode", "plain", Transport.MJPEG, 85, 112)
COLOUR, SPLIT = FindingCode.COLOUR_DOPPLER, FindingCode.SPLIT_VIEW


def judged(variant: str, *codes: FindingCode, is_accepted: bool = False) -> Measured:
    return Measured(replace(ORDER, variant=variant), codes, is_accepted, has_view=is_accepted, still_has_view=True)


def test_every_variant_has_an_expectation_and_every_kind_comes_in_every_style() -> None:
    assert set(measurement.WANTED) == set(VARIANTS)
    kinds = {(variant, kind) for variant in VARIANTS for kind in KINDS[variant]}
    orders = plan(len(kinds) * len(STYLES), 0)
    assert {(o.variant, o.kind, o.style) for o in orders} == {(*kind, style) for kind in kinds for style in STYLES}
    assert {order.transport for order in orders} == set(measurement.TRANSPORTS)
    assert plan(9, 5) == plan(9, 5) != plan(9, 6)


def test_rates_count_what_must_and_must_not_be_found() -> None:
    cines = [
        judged("colour_doppler", COLOUR),
        judged("colour_doppler"),
        judged("b_mode", COLOUR),
        judged("b_mode", is_accepted=True),
        judged("split", SPLIT),
        judged("dual", SPLIT, COLOUR),
    ]
    assert sensitivity(cines, COLOUR) == Rate(1, 2)
    assert specificity(cines, COLOUR) == Rate(2, 3)  # colour compare shows colour: not counted
    assert specificity(cines, COLOUR, usable_only=True) == Rate(1, 2)
    assert sensitivity(cines, SPLIT) == Rate(2, 2)
    assert accepted(cines, "b_mode") == told(cines, "b_mode", still=False) == Rate(1, 2)
    assert told(cines, "split", still=True) == Rate(1, 1)
    assert [one.is_missed for one in cines] == [False, True, True, False, False, False]


@pytest.mark.parametrize(("hits", "count"), [(0, 9), (5, 9), (119, 120), (40, 40)])
def test_the_interval_is_wilsons(hits: int, count: int) -> None:
    reference = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert Rate(hits, count).interval == pytest.approx((reference.low, reference.high), abs=1e-4)
    assert f"{hits}/{count}" in str(Rate(hits, count))
    assert str(Rate(0, 0)) == "-"


def test_a_view_is_told_and_a_strip_is_not() -> None:
    plain = measure(ORDER)
    assert (plain.codes, plain.is_accepted, plain.has_view, plain.still_has_view) == ((), True, True, True)
    strip = measure(replace(ORDER, variant="spectral", kind="pw_full"))
    assert strip.codes == (FindingCode.SPECTRAL_DOPPLER,)
    assert (strip.is_accepted, strip.has_view) == (False, False)  # a still of a strip alone may yet meet the model


def test_flow_is_more_coloured_than_b_mode_at_every_level() -> None:
    b_mode, flow = measure_shares(ORDER), measure_shares(replace(ORDER, variant="colour_doppler", kind="mosaic"))
    assert b_mode is not None
    assert flow is not None
    assert b_mode.shape == LEVELS.shape
    assert (b_mode[:-2] > flow[:-2]).all()


def test_the_command_writes_tables_and_a_picture(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["findings", "--cines", "3", "--out", str(tmp_path), "--seed", "4"])
    assert result.exit_code == 0, result.output
    cines = list(csv.DictReader((tmp_path / "cines.csv").read_text().splitlines()))
    assert [row["kind"] for row in cines] == [order.kind for order in plan(3, 4)]
    rules = list(csv.reader((tmp_path / "rules.csv").read_text().splitlines()))
    assert len(rules) == 1 + len(measurement.RULES) * (1 + len(STYLES))
    assert (tmp_path / "misses.png").read_bytes().startswith(b"\x89PNG")


def test_misses_are_drawn_the_accepted_first() -> None:
    small = replace(ORDER, variant="short", kind="frames")
    wrong = Measured(small, (), True, True, True)
    assert measurement.draw_misses([wrong]).any()
    assert not np.any(measurement.draw_misses([replace(wrong, codes=(FindingCode.TOO_SHORT,), is_accepted=False)]))
