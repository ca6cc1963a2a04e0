"""A curved probe is told by the arc on which its echo begins; heart probes, crops and zooms are let through."""

from __future__ import annotations

import numpy as np
import pytest

from services.cine.cine import BoolArray, FloatArray
from services.cine.validation.probes import fit_fan, is_curved_probe

HEIGHT, WIDTH = 120, 160
APEX = (80.0, -20.0)


def sector(opening_deg: float, near_px: float, first_row: float = -np.inf) -> tuple[FloatArray, BoolArray]:
    """Speckle between two radii, and the outline that a finder would draw round it, flat on top; [HEIGHT, WIDTH]."""
    row, column = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    x, y = column - APEX[0], row - APEX[1]
    radius, angle = np.hypot(x, y), np.abs(np.rad2deg(np.arctan2(x, y)))
    within = (angle <= opening_deg / 2) & (radius <= 130)
    echo = within & (radius >= near_px) & (row >= first_row)
    inside = within & (row >= np.flatnonzero(echo.any(axis=1))[0])
    grey = np.random.default_rng(3).uniform(60, 120, (HEIGHT, WIDTH)) * echo
    return grey.astype(np.float32), inside


@pytest.mark.parametrize("opening_deg", [60, 66, 74])
@pytest.mark.parametrize("near_px", [34, 45])
def test_a_wide_fan_that_begins_on_a_far_arc_is_a_curved_probes(opening_deg: float, near_px: float) -> None:
    assert is_curved_probe(*sector(opening_deg, near_px))


def test_a_heart_probes_sides_meet_in_it() -> None:
    assert not is_curved_probe(*sector(80, 24))


def test_a_narrow_fan_is_a_zoom() -> None:
    assert not is_curved_probe(*sector(45, 40))


def test_a_straight_cut_is_no_probe() -> None:
    assert not is_curved_probe(*sector(66, 0, first_row=20))


def test_bent_sides_make_no_fan() -> None:
    grey, inside = sector(66, 0)
    assert fit_fan(inside) is not None
    inside[:, :50] = inside[:, 110:] = False
    assert fit_fan(inside) is None
    assert not is_curved_probe(grey, np.zeros_like(inside))
