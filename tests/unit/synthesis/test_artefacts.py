"""Files say that they are synthetic, hold the pixels, and depend on nothing but image and model."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image

from services.cine.intake import IntakeOptions, take_in
from services.cine.views import View
from services.synthesis.artefacts import NOTICE, write_image
from services.synthesis.plan import Cell, ImageFormat, Unit
from tests.builders import fan_frames
from tests.unit.synthesis.making import DICOM, IDENTITY, PNG

UNIT = Unit(3, Cell(View.PLAX, "soft"), 0, 1234567890123)
FRAME = np.random.default_rng(0).integers(0, 256, (112, 112)).astype(np.uint8)


def test_a_png_holds_the_pixels_and_says_that_it_is_synthetic() -> None:
    data = write_image(FRAME, UNIT, IDENTITY, PNG).data
    image = Image.open(io.BytesIO(data))
    image.load()
    assert np.array_equal(np.asarray(image), FRAME)
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), FRAME)
    assert image.text["Disclaimer"] == NOTICE  # type: ignore[attr-defined]
    assert image.text["Title"] == "Synthetic PLAX"  # type: ignore[attr-defined]
    assert f"seed={UNIT.seed} model=echo_synthesizer sha256={IDENTITY.sha256}" in image.text["Source"]  # type: ignore[attr-defined]


def test_a_dicom_is_a_secondary_capture_of_nobody_that_says_that_it_is_synthetic() -> None:
    dataset = pydicom.dcmread(io.BytesIO(write_image(FRAME, UNIT, IDENTITY, DICOM).data))
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert (dataset.SyntheticData, dataset.ConversionType, dataset.ImageType[0]) == ("YES", "SYN", "DERIVED")
    assert dataset.DerivationDescription == NOTICE
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        assert not dataset[keyword].value
    assert f"seed={UNIT.seed}" in dataset.ImageComments
    assert all(element.VR != "UN" for element in dataset)


def test_a_dicoms_corner_carries_the_word_and_the_rest_its_pixels() -> None:
    pixels = pydicom.dcmread(io.BytesIO(write_image(np.full_like(FRAME, 77), UNIT, IDENTITY, DICOM).data)).pixel_array
    changed = pixels != 77
    rows, columns = np.nonzero(changed)
    assert rows.min() > 95
    assert columns.max() < 60
    assert set(np.unique(pixels[changed])) == {0, 255}
    assert 100 < np.count_nonzero(pixels == 255) < 400


def test_our_own_reader_takes_the_files() -> None:
    frame = cv2.resize(fan_frames()[0], (112, 112))
    frame = frame if frame.ndim == 2 else frame[..., 0]
    for image_format in ImageFormat:
        intake = take_in(write_image(frame, UNIT, IDENTITY, image_format).data, IntakeOptions())
        assert (intake.cine.rows, intake.cine.columns, intake.cine.frame_count) == (112, 112, 1)


@pytest.mark.parametrize("image_format", ImageFormat)
def test_a_file_is_a_function_of_pixels_view_style_seed_and_model(image_format: ImageFormat) -> None:
    first = write_image(FRAME, UNIT, IDENTITY, image_format)
    assert first == write_image(FRAME, replace(UNIT, index=99, number=7, attempt=2), IDENTITY, image_format)
    assert first.sha256 == hashlib.sha256(first.data).hexdigest()
    others = [
        write_image(FRAME, replace(UNIT, seed=1), IDENTITY, image_format),
        write_image(FRAME, replace(UNIT, cell=Cell(View.PLAX, "crisp")), IDENTITY, image_format),
        write_image(FRAME, UNIT, replace(IDENTITY, sha256="cd" * 32), image_format),
        write_image(255 - FRAME, UNIT, IDENTITY, image_format),
    ]
    assert len({first.sha256, *(other.sha256 for other in others)}) == 5


def test_dicoms_of_one_cell_are_a_series_each_image_its_own_instance() -> None:
    def uids(unit: Unit) -> tuple[str, str, str]:
        found = pydicom.dcmread(io.BytesIO(write_image(FRAME, unit, IDENTITY, DICOM).data))
        return str(found.StudyInstanceUID), str(found.SeriesInstanceUID), str(found.SOPInstanceUID)

    one, other = uids(UNIT), uids(replace(UNIT, seed=5))
    elsewhere = uids(replace(UNIT, cell=Cell(View.A2C, "soft")))
    assert one[:2] == other[:2]
    assert one[2] != other[2]
    assert one[0] == elsewhere[0]
    assert one[1] != elsewhere[1]
    assert all(len(uid) <= 64 for uid in one)
