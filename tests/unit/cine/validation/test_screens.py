"""Screens that show no single view: none is answered with a view. Simulated ones, hand-made ones, real ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.data import get_testdata_file

from services.cine.budget import ReadLimits
from services.cine.cine import TimesArray, UInt8Array
from services.cine.intake import Intake, IntakeOptions, take_in
from services.cine.reading import read_cine
from services.cine.validation.findings import WITHOUT_MODEL, FindingCode
from services.cine.validation.layout import (
    changed_fraction,
    flat_fraction,
    least_reach,
    parts,
    strip_motion,
    top_width,
    upright_fraction,
    waist,
)
from tests.builders import as_rgb, dicom_bytes, fan_frames, fan_mask, png_bytes, region_item
from training.simulator.cine import simulate_cine

TIMES_MS: TimesArray = np.arange(14, dtype=np.float64) * 40.0
SIMULATED = {
    ("split", "two_views"): FindingCode.SPLIT_VIEW,
    ("split", "quad"): FindingCode.SPLIT_VIEW,
    ("dual", "box"): FindingCode.SPLIT_VIEW,
    ("spectral", "pw"): FindingCode.SPECTRAL_DOPPLER,
    ("spectral", "cw_full"): FindingCode.SPECTRAL_DOPPLER,
    ("m_mode", "sweep"): FindingCode.M_MODE,
    ("m_mode", "scroll"): FindingCode.M_MODE,
    ("black", "off_chest"): FindingCode.DARK,
    ("saturated", "gain"): FindingCode.SATURATED,
    ("foreign", "noise"): FindingCode.FOREIGN_PICTURE,
    ("text", "report"): FindingCode.FOREIGN_PICTURE,
}


def simulated(variant: str, kind: str, subject: int = 5, times_ms: TimesArray = TIMES_MS) -> UInt8Array:
    cine = simulate_cine(subject, "A4C", "lvh", variant=variant, kind=kind, frame_times_ms=times_ms, size_px=112)
    return cine.frames if cine.frames.shape[-1] == 3 else cine.frames[..., 0]


def sent(frames: UInt8Array) -> Intake:
    data = dicom_bytes(frames, "jpeg", "YBR_FULL_422" if frames.ndim == 4 else "MONOCHROME2")
    return take_in(data, IntakeOptions())


def codes(intake: Intake) -> list[FindingCode]:
    return [finding.code for finding in intake.findings]


@pytest.mark.parametrize(("variant", "kind"), SIMULATED)
def test_what_shows_no_single_view_is_named_and_meets_no_model(variant: str, kind: str) -> None:
    intake = sent(simulated(variant, kind))
    assert codes(intake) == [SIMULATED[variant, kind]]
    assert len(intake.model_input) == len(intake.frame_indices) == len(intake.outline_px) == 0


@pytest.mark.parametrize(("variant", "kind"), SIMULATED)
def test_a_still_of_it_is_a_still_too_and_mostly_meets_no_model(variant: str, kind: str) -> None:
    middle = TIMES_MS[7:8]
    intakes = [take_in(png_bytes(simulated(variant, kind, s, middle)[0]), IntakeOptions()) for s in range(1, 7)]
    assert all(FindingCode.STILL in codes(intake) for intake in intakes)
    stopped = [intake for intake in intakes if codes(intake)[0] in WITHOUT_MODEL]
    assert len(stopped) >= 4  # without motion a strip is hard to tell (training/evaluation/README.md)
    assert all(len(intake.model_input) == 0 for intake in stopped)


@pytest.mark.parametrize("kind", ["console", "guides", "crossing", "white", "worksheet"])
def test_a_view_among_tables_lines_and_words_is_accepted(kind: str) -> None:
    cine = simulate_cine(7, "PLAX", "unity", variant="screens", kind=kind, frame_times_ms=TIMES_MS)
    assert codes(sent(cine.frames if cine.frames.shape[-1] == 3 else cine.frames[..., 0])) == []


def test_an_enlarged_detail_is_named_and_its_view_is_told_all_the_same() -> None:
    frames = simulate_cine(5, "A4C", "lvh", frame_times_ms=TIMES_MS, size_px=336).frames
    detail = np.zeros_like(frames)
    detail[:, 100:260, 60:280] = frames[:, 120:280, 58:278]
    intake = sent(detail[..., 0])
    assert codes(intake) == [FindingCode.ZOOMED]
    assert "whole sector" in intake.findings[0].message
    assert not intake.is_accepted
    assert len(intake.model_input) > 0


REAL = {
    "examples_ybr_color.dcm": [],  # a heart, SonoSite
    "color3d_jpeg_baseline.dcm": [],  # the same, 120 frames
    "JPGLosslessP14SV1_1s_1f_8b.dcm": [FindingCode.STILL],  # a heart, Philips, one frame
    "gdcm-US-ALOKA-16.dcm": [FindingCode.SPLIT_VIEW, FindingCode.STILL],  # two sectors
    "OBXXXX1A_2frame.dcm": [FindingCode.FOREIGN_PICTURE],  # a curved probe off the skin
    "examples_palette.dcm": [FindingCode.FOREIGN_PICTURE, FindingCode.STILL],  # the same, cut
}


def real(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), f"{name} is in pydicom or pydicom-data"
    return Path(path).read_bytes()


@pytest.mark.parametrize("name", ["examples_ybr_color.dcm", "color3d_jpeg_baseline.dcm"])
def test_a_real_heart_as_a_still_image_is_a_still(name: str) -> None:
    frame = read_cine(real(name), ReadLimits()).store.colour(3, 1)
    intake = take_in(png_bytes(frame), IntakeOptions())
    assert codes(intake) == [FindingCode.STILL]
    assert len(intake.model_input) == 1


@pytest.mark.parametrize("name", REAL)
def test_real_files_get_what_they_show(name: str) -> None:
    assert codes(take_in(real(name), IntakeOptions())) == REAL[name]


@pytest.mark.parametrize(
    "name", ["examples_rgb_color.dcm", "examples_jpeg2k.dcm", "US1_UNCI.dcm", "US1_J2KI.dcm", "color-pl.dcm"]
)
def test_real_doppler_of_a_linear_probe_meets_no_model(name: str) -> None:
    intake = take_in(real(name), IntakeOptions())
    assert codes(intake)[0] in WITHOUT_MODEL
    assert len(intake.model_input) == 0


# ---- what DICOM names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ({"RegionSpatialFormat": 3, "RegionDataType": 3}, [FindingCode.SPECTRAL_DOPPLER]),
        ({"RegionSpatialFormat": 3, "RegionDataType": 4}, [FindingCode.SPECTRAL_DOPPLER]),
        ({"RegionSpatialFormat": 2, "RegionDataType": 1}, [FindingCode.M_MODE]),
        ({"RegionSpatialFormat": 1, "RegionDataType": 2}, []),  # colour that is seen nowhere
        ({}, [FindingCode.SPLIT_VIEW]),
    ],
    ids=["pulsed", "continuous", "m-mode", "colour", "two tissues"],
)
def test_a_strip_and_a_second_view_that_dicom_names_are_believed(
    formats: dict[str, int], expected: list[FindingCode]
) -> None:
    regions = [region_item(0, 0, 150, 110), region_item(2, 112, 150, 118, **formats)]
    data = dicom_bytes(fan_frames(14), SequenceOfUltrasoundRegions=regions)
    assert codes(take_in(data, IntakeOptions())) == expected


def test_two_regions_over_each_other_are_one_view() -> None:
    regions = [region_item(0, 0, 150, 118), region_item(10, 5, 140, 112)]
    assert codes(take_in(dicom_bytes(fan_frames(14), SequenceOfUltrasoundRegions=regions), IntakeOptions())) == []


def test_little_colour_is_enough_where_dicom_names_a_colour_region() -> None:
    frames = as_rgb(fan_frames(14))
    frames[:10, 60:64, 80:86] = (230, 30, 10)
    colour = region_item(60, 40, 100, 80, RegionSpatialFormat=1, RegionDataType=2)
    regions = [region_item(0, 0, 150, 118), colour]
    plain = take_in(dicom_bytes(frames, photometric="RGB"), IntakeOptions())
    named = take_in(dicom_bytes(frames, photometric="RGB", SequenceOfUltrasoundRegions=regions), IntakeOptions())
    assert codes(plain) == []
    assert codes(named) == [FindingCode.COLOUR_DOPPLER]


# ---- the measurements -----------------------------------------------------------------------------------------------


def test_one_fan_has_no_waist_and_two_have() -> None:
    fan = fan_mask(60, 80).astype(np.uint8)
    assert waist(fan) > 0.9
    assert waist(np.hstack([fan, fan])) < 0.5
    assert waist(np.vstack([fan, fan])) < 0.3
    assert waist(np.zeros_like(fan)) == 1


def test_only_a_box_stands_upright_on_its_foot() -> None:
    fan = fan_mask(60, 80)
    tent = fan.copy()
    tent[34:58, 3:77] = True
    assert upright_fraction(fan) < 0.2
    assert upright_fraction(tent) > 0.3
    ellipse = cv2.ellipse(np.zeros((60, 80), np.uint8), (40, 30), (30, 20), 0, 0, 360, 1, -1).astype(bool)
    assert upright_fraction(ellipse) == 0
    assert top_width(fan) < 0.4 < top_width(ellipse)


def test_an_outline_round_two_pictures_has_rows_without_echo() -> None:
    pictures = fan_mask(60, 80).astype(np.uint8)
    pictures[:, 20:60] = 1
    together = np.vstack([pictures, np.zeros((12, 80), np.uint8), np.ones((40, 80), np.uint8)])
    outline = cv2.morphologyEx(together, cv2.MORPH_CLOSE, np.ones((41, 1), np.uint8)).astype(bool)
    assert least_reach(together, outline) < 0.1
    assert least_reach(pictures, pictures > 0) == 1
    assert least_reach(np.zeros_like(pictures), np.zeros(pictures.shape, bool)) == 1


def test_a_sector_that_is_cut_at_its_sides_is_no_strip() -> None:
    frames = fan_frames(14, 200, 260)
    cut = np.zeros_like(frames)
    cut[:, :150, 50:210] = frames[:, :150, 50:210]
    assert codes(sent(cut)) == []
    assert codes(take_in(png_bytes(cut[7]), IntakeOptions())) == [FindingCode.STILL]


def test_parts_are_found_by_their_detail_and_described() -> None:
    picture = np.zeros((100, 160), np.uint8)
    noise = np.random.default_rng(0)
    picture[10:50, 20:60] = noise.integers(40, 250, (40, 40))
    picture[60:90, 10:150] = noise.integers(40, 250, (30, 140))
    picture[5:8] = 255  # a line
    wide, square = parts(picture)
    assert wide.area_fraction == pytest.approx(30 * 140 / picture.size, rel=0.1)
    assert wide.width_fraction == pytest.approx(140 / 160, abs=0.02)
    assert square.area_fraction == pytest.approx(0.1, rel=0.1)
    assert min(wide.box_fill, square.box_fill, wide.top_width) > 0.95
    without = np.zeros_like(picture, np.bool_)
    without[55:] = True
    assert len(parts(picture, without)) == 1


@pytest.mark.parametrize("paper", [0, 255])
def test_black_and_white_are_flat_and_a_photograph_is_not(paper: int) -> None:
    everywhere = np.ones((80, 100), np.bool_)
    page = np.full((80, 100), paper, np.uint8)
    cv2.putText(page, "A4C", (5, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, 128, 1)
    assert flat_fraction(page, everywhere) > 0.7
    slope = np.add.outer(np.arange(80), np.arange(100)).astype(np.uint8)
    assert flat_fraction(slope, everywhere) < 0.2
    assert flat_fraction(slope, ~everywhere) == 1


def strip(width: int = 120) -> UInt8Array:
    return np.random.default_rng(3).integers(0, 255, (100, width)).astype(np.uint8)


def test_a_scrolling_strip_stands_still_once_it_is_shifted_back() -> None:
    long = strip(240)
    scrolled = np.stack([long[:, 3 * t : 3 * t + 120] for t in range(12)])
    assert strip_motion(scrolled).shift_ratio < 0.1
    assert strip_motion(fan_frames(12)).shift_ratio > 1


def test_a_box_that_fills_changes_the_picture_and_a_trace_or_one_bad_frame_does_not() -> None:
    frames, heart = np.zeros((30, 100, 140), np.uint8), np.zeros((100, 140), np.bool_)
    heart[:40] = True
    frames[:, :40] = np.random.default_rng(1).integers(0, 255, (30, 40, 140))
    filling, tracing, damaged = frames.copy(), frames.copy(), frames.copy()
    for number in range(30):
        filling[number, 50:90, : 1 + number] = 120
        tracing[number, 80, : 1 + 4 * number] = 255
    damaged[15] = 200
    assert changed_fraction(filling, heart) > 0.06
    assert changed_fraction(tracing, heart) == changed_fraction(damaged, heart) == 0
    assert changed_fraction(filling[:3], heart) == 0


def test_a_heart_beside_a_strip_that_fills_meets_no_model() -> None:
    frames = fan_frames(24, 120, 120)
    screen = np.zeros((24, 200, 200), np.uint8)
    screen[:, :120, 40:160] = frames
    speckle = np.random.default_rng(2).integers(60, 200, (60, 200), np.uint8)
    assert sent(screen).is_accepted
    for number in range(24):
        screen[number, 135:195, : 8 + 2 * number] = speckle[:, : 8 + 2 * number]
    assert not WITHOUT_MODEL.isdisjoint(codes(sent(screen)))


def test_a_sweeping_cursor_changes_few_columns() -> None:
    swept = np.repeat(strip()[None], 12, axis=0)
    for t, frame in enumerate(swept):
        frame[:, : 8 * t] = 255 - frame[:, : 8 * t]
    motion = strip_motion(swept)
    assert motion.columns_fraction < 0.1
    assert motion.moved_grey > 1
    assert strip_motion(fan_frames(12)).columns_fraction > 0.2


def test_lines_along_time_are_steep() -> None:
    layered = np.repeat(np.random.default_rng(1).integers(0, 255, (100, 1)), 120, axis=1).astype(np.uint8)
    assert strip_motion(layered[None]).steepness > 3
    assert strip_motion(strip()[None]).steepness == pytest.approx(1, abs=0.2)
