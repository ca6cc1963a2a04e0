"""Only numbers, and words of the standard, are retained."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from services.acquisition.deidentification.retained import retain
from tests.builders import region_item


def test_numbers_are_retained() -> None:
    source = Dataset()
    source.FrameTime, source.HeartRate, source.FrameTimeVector = "33.3333", 72, [0, 40, 41.5]
    source.RecommendedDisplayFrameRate = 30
    kept = retain(source)
    assert (kept.FrameTime, kept.HeartRate, kept.RecommendedDisplayFrameRate) == (33.3333, 72, 30)
    assert list(kept.FrameTimeVector) == [0, 40, 41.5]


@pytest.mark.parametrize("value", ["DOE^JANE", "72\\DOE", "1e400", "7.5"])
def test_what_is_no_whole_number_counts_as_absent(value: str) -> None:
    source = Dataset()
    source.add_new("HeartRate", "LO", value)
    assert "HeartRate" not in retain(source)


def test_words_that_the_standard_does_not_have_go() -> None:
    source = Dataset()
    source.LossyImageCompression = "01"
    source.LossyImageCompressionMethod = ["ISO_10918_1", "DOE_JANE"]
    kept = retain(source)
    assert (kept.LossyImageCompression, kept.LossyImageCompressionMethod) == ("01", "ISO_10918_1")


def test_regions_keep_their_numbers_and_nothing_else() -> None:
    source = Dataset()
    source.SequenceOfUltrasoundRegions = [region_item(1, 2, 3, 4, PatientComments="DOE", RegionFlags=2)]
    [kept] = retain(source).SequenceOfUltrasoundRegions
    assert (kept.RegionLocationMinX0, kept.RegionLocationMaxY1, kept.PhysicalDeltaX, kept.RegionFlags) == (
        1,
        4,
        0.05,
        2,
    )
    assert "PatientComments" not in kept


@pytest.mark.parametrize(("pointer", "is_kept"), [(0x00181063, True), (0x00181065, True), (0x00100010, False)])
def test_frames_are_only_counted_by_time(pointer: int, is_kept: bool) -> None:
    source = Dataset()
    source.FrameIncrementPointer = pointer
    assert ("FrameIncrementPointer" in retain(source)) is is_kept
