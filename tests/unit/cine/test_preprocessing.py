"""Frames to model input and back."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cine import preprocessing
from services.cine.budget import ReadLimits
from services.cine.cine import UInt8Array
from services.cine.preprocessing import (
    MODEL_SIDE_PX,
    Placement,
    place,
    preprocess,
    preprocess_cine,
    preprocessing_fingerprint,
    restore,
    to_frames,
    to_tensor,
)
from services.cine.reading import read_cine
from services.cine.sector import Sector
from tests.builders import circle_mask, dicom_bytes, fan_frames, fan_mask

FINGERPRINT = "412f83f07ff0dd68"
"""Of the weights in the repository. Another one means other pixels: train again, then change it here."""


def whole_frame(rows: int, columns: int) -> Sector:
    corners = [[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]]
    return Sector(np.array(corners, np.float32), rows, columns)


def fan_sector(rows: int, columns: int) -> Sector:
    contours, _ = cv2.findContours(fan_mask(rows, columns).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return Sector(cv2.convexHull(contours[0])[:, 0].astype(np.float32), rows, columns)


@st.composite
def sectors(draw: st.DrawFn) -> Sector:
    rows, columns = draw(st.integers(20, 300)), draw(st.integers(20, 300))
    top, bottom = sorted(draw(st.lists(st.integers(0, rows - 1), min_size=2, max_size=2, unique=True)))
    left, right = sorted(draw(st.lists(st.integers(0, columns - 1), min_size=2, max_size=2, unique=True)))
    corners = [[(left + right) / 2, top], [right, bottom], [left, bottom]]
    return Sector(np.array(corners, np.float32), rows, columns)


@given(sectors(), st.integers(1, 3), st.sampled_from([1, 2]), st.integers(0, 9))
def test_model_input_has_its_shape_its_type_and_its_range(
    sector: Sector, count: int, reduction: int, seed: int
) -> None:
    shape = count, -(-sector.rows // reduction), -(-sector.columns // reduction)
    frames = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    tensor = preprocess(frames, sector, reduction)
    assert tensor.shape == (count, 1, MODEL_SIDE_PX, MODEL_SIDE_PX)
    assert tensor.dtype == np.float32
    assert np.abs(tensor).max() <= 1


@pytest.mark.parametrize(("rows", "columns"), [(200, 400), (400, 200), (300, 300)])
def test_a_circle_stays_round(rows: int, columns: int) -> None:
    tensor = preprocess(circle_mask(rows, columns, 60)[None], whole_frame(rows, columns))
    inside = tensor[0, 0] > 0
    height, width = inside.any(axis=1).sum(), inside.any(axis=0).sum()
    assert abs(int(height) - int(width)) <= 1
    assert height == pytest.approx(120 * MODEL_SIDE_PX / max(rows, columns), abs=1.5)


def test_everything_outside_the_sector_is_black() -> None:
    sector = fan_sector(240, 320)
    tensor = preprocess(np.full((1, 240, 320), 255, np.uint8), sector)
    y, x = np.mgrid[:MODEL_SIDE_PX, :MODEL_SIDE_PX]
    source = place(sector).to_source(np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32))
    distance = [cv2.pointPolygonTest(sector.outline_px, (float(px), float(py)), True) for px, py in source]
    far_out = (np.array(distance) < -5).reshape(MODEL_SIDE_PX, MODEL_SIDE_PX)
    far_in = (np.array(distance) > 5).reshape(MODEL_SIDE_PX, MODEL_SIDE_PX)
    assert (tensor[0, 0][far_out] == -1).all()
    assert (tensor[0, 0][far_in] == 1).all()


def test_scaling_there_and_back_changes_no_grey_level() -> None:
    squares = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    tensor = to_tensor(squares)
    assert (tensor.min(), tensor.max()) == (-1, 1)
    assert np.array_equal(to_frames(tensor), squares)


@given(sectors(), st.floats(-500, 500), st.floats(-500, 500))
def test_points_there_and_back_change_nothing(sector: Sector, x: float, y: float) -> None:
    placement = place(sector)
    point = np.array([x, y], np.float32)
    assert np.allclose(placement.to_source(placement.to_model(point)), point, atol=1e-2)
    assert np.allclose(placement.to_model(placement.to_source(point)), point, atol=1e-2)


@given(sectors())
def test_the_square_holds_the_sector_in_its_middle(sector: Sector) -> None:
    placement = place(sector)
    corners = placement.to_model(sector.outline_px)
    assert corners.min() >= -0.51
    assert corners.max() <= MODEL_SIDE_PX - 0.49
    margins = corners.min(axis=0) + corners.max(axis=0)
    assert np.abs(margins - (MODEL_SIDE_PX - 1)).max() <= MODEL_SIDE_PX / placement.side_px + 0.01


def smooth(rows: int, columns: int) -> UInt8Array:
    y, x = np.mgrid[:rows, :columns]
    return np.asarray(127 + 100 * np.sin(y / 20) * np.cos(x / 25), np.uint8)[None]


@pytest.mark.parametrize(("rows", "columns"), [(150, 200), (240, 320), (420, 560)])
def test_restoring_gives_the_sector_back(rows: int, columns: int) -> None:
    sector, frames = fan_sector(rows, columns), smooth(rows, columns)
    restored = restore(preprocess(frames, sector), sector)
    inside = cv2.erode(sector.mask().astype(np.uint8), np.ones((13, 13))).astype(bool)
    assert restored.shape == frames.shape
    assert (restored[:, ~sector.mask()] == 0).all()
    assert np.abs(restored.astype(int) - frames)[:, inside].mean() < 4


def test_what_was_put_at_a_point_is_found_at_its_image() -> None:
    frames = np.zeros((1, 240, 320), np.uint8)
    cv2.circle(frames[0], (170, 150), 4, 255, -1)
    sector = fan_sector(240, 320)
    tensor = preprocess(frames, sector)[0, 0]
    row, column = np.unravel_index(int(tensor.argmax()), tensor.shape)
    spot = place(sector).to_source(np.array([column, row], np.float32))
    assert np.allclose(spot, (170, 150), atol=4)


@pytest.mark.parametrize("syntax", ["raw", "jpeg"])
def test_reduced_decoding_changes_little(syntax: str) -> None:
    frames = fan_frames(2, 560, 720)
    cine = read_cine(dicom_bytes(frames, syntax), ReadLimits())
    sector = fan_sector(560, 720)
    assert cine.reduction_for(int(place(sector).side_px), 2 * MODEL_SIDE_PX) == 2
    difference = preprocess_cine(cine, sector, np.array([0, 1])) - preprocess(frames, sector)
    assert np.abs(difference).mean() < 0.04


def test_fingerprint_is_that_of_the_weights_in_the_repository() -> None:
    assert preprocessing_fingerprint() == FINGERPRINT


@pytest.mark.parametrize(
    "change",
    [
        {"to_tensor": lambda squares: squares[:, None].astype(np.float32) / np.float32(255)},
        {"place": lambda sector: Placement(0.0, 0.0, 360.0)},
        {"_resize": lambda square: cv2.resize(square, (112, 112), interpolation=cv2.INTER_NEAREST)},
    ],
    ids=["range", "crop", "interpolation"],
)
def test_fingerprint_changes_with_the_pixels(change: dict[str, Any]) -> None:
    other = dict(vars(preprocessing)) | change  # the module as it would be with that change
    for name in ("preprocess", "preprocessing_fingerprint"):
        function = inspect.unwrap(other[name])
        other[name] = FunctionType(function.__code__, other, name, function.__defaults__)
    assert other["preprocessing_fingerprint"]() != FINGERPRINT
