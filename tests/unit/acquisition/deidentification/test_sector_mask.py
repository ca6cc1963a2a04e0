"""Which pixels may stay, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from services.acquisition.deidentification.sector_mask import sector_mask
from services.cine.budget import ReadLimits
from services.cine.cine import UInt8Array
from services.cine.errors import IdentityRemainsError, Reason
from tests.builders import dicom_bytes, fan_frames, fan_mask, region_item, still_frames, with_text

NAME = "DOE^JANE"


def test_one_moving_sector_is_found_and_text_beside_it_is_not() -> None:
    mask = sector_mask(dicom_bytes(with_text(fan_frames(), NAME)), ReadLimits())
    fan = fan_mask()
    assert mask.frame_count == 12
    assert (mask.inside & fan).sum() > 0.97 * fan.sum()
    assert not mask.inside[:12, :50].any()


def side_by_side() -> UInt8Array:
    frames = fan_frames()
    return np.concatenate([frames, frames[:, :, ::-1]], axis=2)


@pytest.mark.parametrize(
    "frames",
    [still_frames(1), still_frames(), np.zeros((12, 120, 160), np.uint8), side_by_side()],
    ids=["still", "frozen", "black", "two sectors"],
)
def test_what_is_not_one_moving_sector_is_refused(frames: UInt8Array) -> None:
    with pytest.raises(IdentityRemainsError) as caught:
        sector_mask(dicom_bytes(with_text(frames, NAME), PatientName=NAME), ReadLimits())
    assert caught.value.reason is Reason.IDENTITY_REMAINS
    assert NAME not in str(caught.value)


def test_an_object_that_declares_two_pictures_is_refused() -> None:
    regions = [region_item(0, 0, 79, 119), region_item(80, 0, 159, 119)]
    with pytest.raises(IdentityRemainsError):
        sector_mask(dicom_bytes(fan_frames(), SequenceOfUltrasoundRegions=regions), ReadLimits())


def test_a_colour_box_is_no_second_picture() -> None:
    regions = [region_item(0, 0, 159, 119), region_item(60, 50, 100, 90, RegionDataType=2)]
    assert sector_mask(dicom_bytes(fan_frames(), SequenceOfUltrasoundRegions=regions), ReadLimits()).inside.any()


def test_another_modality_is_refused() -> None:
    with pytest.raises(IdentityRemainsError):
        sector_mask(dicom_bytes(fan_frames(), Modality="XA"), ReadLimits())
