"""Attributes of DICOM objects: times, regions, modality; and what damage or a false claim does."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedUSVolumeStorage, ExplicitVRLittleEndian, RTPlanStorage

from services.cine.budget import ReadLimits
from services.cine.cine import DEFAULT_FRAME_TIME_MS, Cine, TimingSource
from services.cine.dicom.reader import LONGEST_STEP_MS, read_dicom
from services.cine.errors import CineUnreadableError, CineUnsupportedError, LimitExceededError, Reason
from tests.builders import dicom_bytes, fan_frames, region_item, save_dicom

FRAMES = fan_frames(4, 40, 60)
UNEVEN = [0.0, 20.0, 50.0, 30.0]


def read(**attributes: Any) -> Cine:
    return read_dicom(dicom_bytes(FRAMES, **attributes), ReadLimits())


@pytest.mark.parametrize(
    ("attributes", "times_ms", "source"),
    [
        ({"FrameTime": 25.5}, [0, 25.5, 51, 76.5], TimingSource.FRAME_TIME),
        ({"FrameTimeVector": UNEVEN}, [0, 20, 70, 100], TimingSource.FRAME_TIME_VECTOR),
        ({"CineRate": 50}, [0, 20, 40, 60], TimingSource.CINE_RATE),
        ({"RecommendedDisplayFrameRate": 100}, [0, 10, 20, 30], TimingSource.RECOMMENDED_DISPLAY_FRAME_RATE),
        ({}, [0, 33.3, 66.6, 99.9], TimingSource.NONE),
    ],
)
def test_times_come_from_whichever_attribute_there_is(
    attributes: dict[str, Any], times_ms: list[float], source: TimingSource
) -> None:
    cine = read(**({"FrameTime": None} | attributes))
    assert np.allclose(cine.frame_times_ms, times_ms, atol=1)
    assert cine.timing_source is source


def test_the_first_of_several_timing_attributes_wins() -> None:
    attributes = {"FrameTime": 25, "FrameTimeVector": UNEVEN, "CineRate": 50, "RecommendedDisplayFrameRate": 100}
    for first in list(attributes):
        assert read(**({"FrameTime": None} | attributes)).timing_source == first
        del attributes[first]


@pytest.mark.parametrize("damaged", [0, -5, 1e300, LONGEST_STEP_MS + 1])
def test_an_impossible_frame_time_is_passed_over(damaged: float) -> None:
    assert read(FrameTime=damaged, CineRate=50).timing_source is TimingSource.CINE_RATE


@pytest.mark.parametrize("vector", [[0.0, 20.0], [0.0, 20.0, -10.0, 30.0], [0.0] * 4, [0.0, 1e300, 1.0, 1.0]])
def test_a_vector_that_does_not_fit_is_passed_over(vector: list[float]) -> None:
    assert read(FrameTime=None, FrameTimeVector=vector, CineRate=50).timing_source is TimingSource.CINE_RATE


@given(st.floats(allow_nan=True, allow_infinity=True), st.lists(st.floats(), min_size=4, max_size=4), st.integers())
def test_times_rise_from_zero_and_are_finite_whatever_is_claimed(
    frame_time: float, vector: list[float], rate: int
) -> None:
    item = Dataset()
    item.add_new("FrameTime", "FD", frame_time)
    item.add_new("FrameTimeVector", "FD", vector)
    item.add_new("CineRate", "SV", rate % 2**62)
    extra = {element.keyword: element for element in item}
    times_ms = read_with_elements(extra).frame_times_ms
    assert times_ms[0] == 0
    assert len(times_ms) == len(FRAMES)
    assert np.isfinite(times_ms).all()
    assert (np.diff(times_ms) >= 0).all()


def read_with_elements(elements: dict[str, Any]) -> Cine:
    """Read an object whose attributes have value representations they should not have."""
    return read_dicom(save_dicom(dataset_with(elements), ExplicitVRLittleEndian), ReadLimits())


def dataset_with(elements: dict[str, Any]) -> Dataset:
    dataset = Dataset()
    dataset.Modality, dataset.PhotometricInterpretation = "US", "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = FRAMES.shape
    dataset.SamplesPerPixel, dataset.BitsAllocated = 1, 8
    for element in elements.values():
        dataset.add(element)
    dataset.add_new("PixelData", "OB", FRAMES.tobytes())
    return dataset


def test_an_attribute_of_an_impossible_length_counts_as_absent() -> None:
    item = Dataset()
    item.add_new("FrameTime", "OB", b"\x01\x02\x03\x04")
    data = save_dicom(dataset_with({"FrameTime": item["FrameTime"]}), ExplicitVRLittleEndian)
    at = data.index(b"\x18\x00\x63\x10OB")  # a double of four bytes, once its representation says so
    cine = read_dicom(data[: at + 4] + b"FD\x04\x00" + data[at + 12 :], ReadLimits())
    assert cine.timing_source is TimingSource.NONE


def test_a_single_frame_is_at_time_zero() -> None:
    cine = read_dicom(dicom_bytes(FRAMES[:1], NumberOfFrames=None), ReadLimits())
    assert cine.frame_times_ms.tolist() == [0.0]
    assert cine.timing_source is TimingSource.NONE


def test_default_frame_time_is_thirty_a_second() -> None:
    assert pytest.approx(1000 / 30, abs=0.1) == DEFAULT_FRAME_TIME_MS


def test_region_gives_its_box_and_its_spacing_in_mm() -> None:
    cine = read(SequenceOfUltrasoundRegions=[region_item(5, 2, 50, 38, delta_cm=0.05)])
    assert cine.tissue_region is not None
    assert (cine.tissue_region.left_px, cine.tissue_region.bottom_px) == (5, 38)
    assert cine.pixel_spacing_mm == pytest.approx((1.0, 0.5))


@pytest.mark.parametrize("corners", [(5, 2, 62, 38), (5, 2, 50, 42), (50, 2, 5, 38), (5, 38, 50, 2), (5, 2, 5, 38)])
def test_a_region_that_is_not_inside_the_frame_is_left_out(corners: tuple[int, int, int, int]) -> None:
    assert read(SequenceOfUltrasoundRegions=[region_item(*corners)]).regions == ()


@pytest.mark.parametrize("corners", [(5, 2, 60, 40), (5, 2, 61, 41)])
def test_a_region_that_leaves_the_frame_by_a_pixel_or_two_is_cut(corners: tuple[int, int, int, int]) -> None:
    (region,) = read(SequenceOfUltrasoundRegions=[region_item(*corners)]).regions
    assert (region.right_px, region.bottom_px) == (59, 39)


def test_a_region_without_corners_is_left_out() -> None:
    item = region_item(5, 2, 50, 38)
    del item.RegionLocationMaxX1
    assert read(SequenceOfUltrasoundRegions=[item, region_item(5, 2, 50, 38)]).regions[0].left_px == 5


@pytest.mark.parametrize("change", [{"RegionSpatialFormat": 2}, {"RegionDataType": 2}, {"RegionDataType": None}])
def test_only_two_dimensional_tissue_is_tissue(change: dict[str, Any]) -> None:
    cine = read(SequenceOfUltrasoundRegions=[region_item(5, 2, 50, 38, **change)])
    assert len(cine.regions) == 1
    assert cine.tissue_region is None
    assert cine.pixel_spacing_mm is None


def test_the_largest_tissue_region_counts() -> None:
    cine = read(SequenceOfUltrasoundRegions=[region_item(0, 0, 9, 9), region_item(9, 9, 50, 38)])
    assert cine.tissue_region is not None
    assert cine.tissue_region.left_px == 9


@pytest.mark.parametrize("change", [{"PhysicalUnitsXDirection": 4}, {"PhysicalDeltaY": 0.0}])
def test_spacing_in_other_units_than_cm_is_not_known(change: dict[str, Any]) -> None:
    cine = read(SequenceOfUltrasoundRegions=[region_item(5, 2, 50, 38, **change)])
    assert cine.tissue_region is not None
    assert cine.pixel_spacing_mm is None


def test_regions_that_are_no_sequence_are_left_out() -> None:
    item = Dataset()
    item.add_new("SequenceOfUltrasoundRegions", "LO", "not a sequence")
    assert read_with_elements({"regions": item["SequenceOfUltrasoundRegions"]}).regions == ()


def test_an_object_without_pixels_says_so() -> None:
    plan = Dataset()
    plan.SOPClassUID, plan.Modality, plan.RTPlanLabel = RTPlanStorage, "RTPLAN", "plan"
    with pytest.raises(CineUnreadableError) as caught:
        read_dicom(save_dicom(plan, ExplicitVRLittleEndian), ReadLimits())
    assert caught.value.reason is Reason.PIXELS_MISSING
    assert "RT Plan Storage" in str(caught.value)


@pytest.mark.parametrize("frames", [60, 600])
@pytest.mark.parametrize(
    ("attributes", "step_ms"),
    [
        ({"FrameTime": "33.333"}, 33.333),
        ({"CineRate": "24"}, 1000 / 24),
        ({"RecommendedDisplayFrameRate": "60"}, 1000 / 60),
    ],
)
def test_times_of_long_cines_are_exact(attributes: dict[str, Any], step_ms: float, frames: int) -> None:
    data = dicom_bytes(np.zeros((frames, 2, 2), np.uint8), **({"FrameTime": None} | attributes))
    assert np.abs(read_dicom(data, ReadLimits()).frame_times_ms - np.arange(frames) * step_ms).max() < 1


@pytest.mark.parametrize("frames", [60, 600])
def test_a_long_vector_of_times_is_exact(frames: int) -> None:
    steps = [0.0, *np.round(np.random.default_rng(0).uniform(10, 50, frames - 1), 3).tolist()]
    data = dicom_bytes(np.zeros((frames, 2, 2), np.uint8), FrameTime=None, FrameTimeVector=steps)
    assert np.abs(read_dicom(data, ReadLimits()).frame_times_ms - np.cumsum(steps)).max() < 1


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"SOPClassUID": EnhancedUSVolumeStorage}, "Enhanced US Volume Storage"),
        ({"FloatPixelData": bytes(16)}, "Ultrasound Multi-frame Image Storage"),
        ({"DoubleFloatPixelData": bytes(16)}, "Ultrasound Multi-frame Image Storage"),
    ],
)
def test_volumes_and_fractions_are_not_read(attributes: dict[str, Any], name: str) -> None:
    with pytest.raises(CineUnsupportedError, match=name) as caught:
        read(**attributes)
    assert caught.value.reason is Reason.PIXELS_UNSUPPORTED


def test_a_kind_of_object_that_dicom_does_not_list_is_not_repeated() -> None:
    plan = Dataset()
    plan.SOPClassUID = "1.2.3.19520229"
    with pytest.raises(CineUnreadableError) as caught:
        read_dicom(save_dicom(plan, ExplicitVRLittleEndian), ReadLimits())
    assert "19520229" not in str(caught.value)


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3.1"])
def test_ultrasound_of_every_age_needs_no_modality(sop_class: str) -> None:
    assert read(Modality=None, SOPClassUID=sop_class).is_ultrasound


@pytest.mark.parametrize("modality", [b"us", b" US ", b"US\0\0"])
def test_ultrasound_is_known_however_it_is_spelt(modality: bytes) -> None:
    data = dicom_bytes(FRAMES)
    spelt = data.replace(b"CS\x02\0US", b"CS" + len(modality).to_bytes(2, "little") + modality)
    assert spelt != data
    assert read_dicom(spelt, ReadLimits()).is_ultrasound


def test_no_attribute_is_logged_however_damaged(caplog: pytest.LogCaptureFixture) -> None:
    name = b"doe^jane lower"
    data = dicom_bytes(FRAMES).replace(b"IS\x02\x004 ", b"IS" + len(name).to_bytes(2, "little") + name)
    with pytest.raises(CineUnreadableError):
        read_dicom(data, ReadLimits())
    assert not caplog.records


def test_another_modality_is_not_ultrasound() -> None:
    assert not read(Modality="CT", SOPClassUID=CTImageStorage).is_ultrasound
    assert read().is_ultrasound


@pytest.mark.parametrize("data", [b"\x08\x00\x05\x00CS", b"DICM", bytes(128) + b"DICM" + b"\xff" * 300])
def test_bytes_that_do_not_parse_have_a_damaged_header(data: bytes) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read_dicom(data, ReadLimits())
    assert caught.value.reason is Reason.HEADER_DAMAGED


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
def test_a_header_without_a_size_is_damaged(keyword: str) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read(**{keyword: None})
    assert caught.value.reason is Reason.HEADER_DAMAGED
    assert keyword in str(caught.value)


@pytest.mark.parametrize(("vr", "value"), [("SS", -40), ("LO", "forty"), ("US", [40, 60]), ("FD", float("inf"))])
def test_a_size_that_is_no_number_from_zero_is_damage(vr: str, value: object) -> None:
    item = Dataset()
    item.add_new("Rows", vr, value)
    with pytest.raises(CineUnreadableError) as caught:
        read_with_elements({"Rows": item["Rows"]})
    assert caught.value.reason is Reason.HEADER_DAMAGED


def test_a_frame_time_that_is_stored_as_text_is_one_number() -> None:
    item = Dataset()
    item.add_new("FrameTime", "LO", "47")
    assert read_with_elements({"FrameTime": item["FrameTime"]}).frame_times_ms[1] == 47


@pytest.mark.parametrize(
    ("rows", "columns", "frames", "reason"),
    [
        (65_535, 65_535, 100, Reason.LIMIT_FRAME_SIZE),
        (4_000, 4_000, 1_000, Reason.LIMIT_PIXELS),
        (40, 60, 1_000_000, Reason.LIMIT_FRAMES),
    ],
)
def test_a_header_that_claims_too_much_is_refused_before_anything_is_allocated(
    rows: int, columns: int, frames: int, reason: Reason
) -> None:
    data = dicom_bytes(FRAMES, Rows=rows, Columns=columns, NumberOfFrames=frames)
    tracemalloc.start()
    with pytest.raises(LimitExceededError) as caught:
        read_dicom(data, ReadLimits())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.reason is reason
    assert peak_bytes < 20 * len(data) + 2**20


def test_no_preamble_is_no_obstacle() -> None:
    data = dicom_bytes(FRAMES)
    assert read_dicom(data[132:], ReadLimits()).frame_count == len(FRAMES)
