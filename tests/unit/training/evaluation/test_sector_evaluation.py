"""The sector's measurement covers what it says, repeats itself, and tells when the promise is broken."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cine.sector import Sector
from training.evaluation import sector as measurement
from training.evaluation.cli import app
from training.evaluation.sector import Framing, Measured, Order, make, measure, plan, summarise, tell_framings
from training.evaluation.transports import H264_RATE_FACTORS, MJPEG_QUALITIES, Transport, pack
from training.simulator.styles import STYLES

ORDER = Order(3, "A4C", "tmed", Transport.MJPEG, 80, 112)


def test_as_many_cines_as_pairs_show_every_style_through_every_transport() -> None:
    pairs = len(STYLES) * len(Transport)
    assert len({(order.style, order.transport) for order in plan(pairs, 0)}) == pairs


def test_a_plan_repeats_itself_and_draws_every_loss() -> None:
    assert plan(8, 5) == plan(8, 5)
    assert plan(8, 6) != plan(8, 5)
    drawn = {way: {order.quality for order in plan(600, 0) if order.transport is way} for way in Transport}
    assert drawn[Transport.MJPEG] == set(MJPEG_QUALITIES)
    assert drawn[Transport.H264] == set(H264_RATE_FACTORS)


@pytest.mark.parametrize("transport", list(Transport))
def test_a_sector_is_found_through_every_transport(transport: Transport) -> None:
    measured = measure(replace(ORDER, transport=transport, quality=25 if transport is Transport.H264 else 80))
    assert measured.iou > 0.85


@pytest.mark.parametrize(("transport", "fine", "coarse"), [(Transport.MJPEG, 90, 70), (Transport.H264, 23, 30)])
def test_the_quality_reaches_the_codec(transport: Transport, fine: int, coarse: int) -> None:
    cine = make(ORDER)
    assert len(pack(cine, transport, fine)) > 1.2 * len(pack(cine, transport, coarse))


def test_framings_are_told_from_the_picture() -> None:
    cine = make(ORDER)
    lit = replace(cine, frames=cine.frames | np.uint8(255) * ~cine.truth.sector_mask[..., None])
    assert cine.truth.recording is not None
    above = replace(cine.truth.recording, screen=replace(cine.truth.recording.screen, probe_y_px=-30.0))
    high = replace(cine, truth=replace(cine.truth, recording=above))
    assert Framing.SMALL in tell_framings(cine)
    assert Framing.OVERLAYS in tell_framings(lit)
    assert Framing.BARE not in tell_framings(lit)
    assert Framing.ZOOMED in tell_framings(high)
    assert Framing.ZOOMED not in tell_framings(cine)


def test_overlap_is_intersection_over_union() -> None:
    truth = np.zeros((20, 20), bool)
    truth[:10] = True
    square = np.array([[0, 5], [19, 5], [19, 14], [0, 14]], np.float32)
    assert measurement.overlap(Sector(square, 20, 20), truth) == pytest.approx(5 / 15)
    assert measurement.overlap(None, truth) == 0.0


@pytest.mark.parametrize(
    ("ious", "is_kept"), [([0.96] * 100, True), ([0.94] * 100, False), ([0.97] * 93 + [0.8] * 7, False)]
)
def test_the_promise_is_of_the_median_and_the_fifth_percentile(ious: list[float], is_kept: bool) -> None:
    everything = summarise([Measured(ORDER, frozenset(), iou, 0.0) for iou in ious])[0]
    assert measurement.keeps_promise(everything) is is_kept
    assert everything.still_missed == 100


def test_the_command_writes_a_line_a_cine_and_a_picture(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["sector", "--cines", "2", "--seed", "31", "--out", str(tmp_path)])
    assert answer.exit_code == 0, answer.output
    lines = list(csv.DictReader((tmp_path / "sector.csv").read_text().splitlines()))
    assert [line["style"] for line in lines] == list(STYLES[:2])
    assert all(float(line["iou"]) > 0.85 for line in lines)
    assert (tmp_path / "worst.png").read_bytes().startswith(b"\x89PNG")
