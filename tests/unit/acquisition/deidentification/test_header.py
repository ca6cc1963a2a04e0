"""The header of the clean object."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UltrasoundMultiFrameImageStorage

from services.acquisition.deidentification.header import METHOD, clean_header
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.cine.budget import ReadLimits
from services.cine.dicom.structure import open_structure
from services.cine.errors import CineUnreadableError, CineUnsupportedError
from tests.builders import dicom_bytes

PSEUDONYMS = Pseudonyms(bytes(32))
FRAMES = np.zeros((2, 4, 4), np.uint8)


def header_of(**attributes: Any) -> Dataset:
    data = dicom_bytes(FRAMES, **({"SOPInstanceUID": "1.2.3"} | attributes))
    return clean_header(open_structure(data, ReadLimits()).elements(ReadLimits()), PSEUDONYMS, ReadLimits())


def test_it_says_how_it_was_de_identified() -> None:
    header = header_of()
    assert header.PatientIdentityRemoved == "YES"
    assert header.BurnedInAnnotation == "NO"
    assert header.LongitudinalTemporalInformationModified == "REMOVED"
    assert header.DeidentificationMethod == METHOD
    assert [code.CodeValue for code in header.DeidentificationMethodCodeSequence] == ["113100", "113101"]
    assert len(METHOD) <= 64


def test_attributes_of_type_2_are_emptied_and_the_rest_is_removed() -> None:
    emptied = {"PatientName": "DOE^JANE", "PatientBirthDate": "19450101", "StudyID": "7", "Manufacturer": "DOE"}
    header = header_of(**emptied, InstitutionName="X")
    assert all(header[keyword].is_empty for keyword in emptied)
    assert "InstitutionName" not in header


def test_references_between_objects_still_match() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = UltrasoundMultiFrameImageStorage, "1.2.3"
    source = header_of(StudyInstanceUID="1.2")
    derived = header_of(SOPInstanceUID="1.2.4", StudyInstanceUID="1.2", SourceImageSequence=[reference])
    assert derived.StudyInstanceUID == source.StudyInstanceUID
    assert derived.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID != "1.2.3"
    assert derived.SOPInstanceUID != source.SOPInstanceUID


def test_a_reference_to_a_class_that_nobody_knows_goes() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.99999.19450101", "1.2.3"
    assert "SourceImageSequence" not in header_of(SourceImageSequence=[reference])


def test_several_uids_in_one_attribute_are_all_replaced() -> None:
    header = header_of(IrradiationEventUID=["1.2.5", "1.2.3"])
    assert header.IrradiationEventUID[1] == header.SOPInstanceUID
    assert len(header.IrradiationEventUID) == 2


def test_text_that_the_table_does_not_name_goes_too() -> None:
    assert header_of(StageName="DOE", ManufacturerModelName="DOE", BodyPartExamined="DOE") == header_of()


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.7", "1.2.840.99999.1", None])
def test_other_objects_are_refused_without_repeating_what_they_say(sop_class: str | None) -> None:
    with pytest.raises(CineUnsupportedError) as caught:
        header_of(SOPClassUID=sop_class)
    assert "99999" not in str(caught.value)


def test_an_object_without_an_instance_uid_is_refused() -> None:
    with pytest.raises(CineUnreadableError):
        header_of(SOPInstanceUID=None)
