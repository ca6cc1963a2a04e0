"""The profile's table: every attribute in it has one action, and none of those that are retained is in it."""

from __future__ import annotations

import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.datadict import DicomDictionary, tag_for_keyword

from services.acquisition.deidentification.profile import Action, action_on
from services.acquisition.deidentification.retained import KEYWORDS, NUMBERS, REGION_NUMBERS


@pytest.mark.parametrize(
    ("keyword", "action"),
    [
        ("SOPInstanceUID", Action.REPLACE_UID),
        ("PatientName", Action.EMPTY),
        ("PatientID", Action.EMPTY),
        ("ContentDate", Action.EMPTY),
        ("SourceImageSequence", Action.CLEAN_REFERENCES),
        ("InstitutionName", Action.REMOVE),
        ("VerifyingObserverSequence", Action.REMOVE),
        ("IconImageSequence", Action.REMOVE),
        ("Rows", None),
    ],
)
def test_actions_are_those_of_the_standard(keyword: str, action: Action | None) -> None:
    assert action_on(tag_for_keyword(keyword) or 0) is action


@pytest.mark.parametrize("tag", [0x60003000, 0x60023000, 0x60FE4000, 0x50000010, 0x50FE3000])
def test_overlays_and_curves_go_in_every_group(tag: int) -> None:
    assert action_on(tag) is Action.REMOVE


def test_every_attribute_of_the_table_has_an_action() -> None:
    assert len(table.ALL_TAGS) >= 655
    assert all(action_on(group << 16 | element) for group, element, *_ in table.ALL_TAGS)


@pytest.mark.parametrize("keyword", [*KEYWORDS, *REGION_NUMBERS])
def test_nothing_is_retained_that_the_table_names(keyword: str) -> None:
    assert action_on(tag_for_keyword(keyword) or 0) is None


@pytest.mark.parametrize("keyword", [*NUMBERS, *REGION_NUMBERS])
def test_what_is_retained_as_a_number_is_one(keyword: str) -> None:
    representation = DicomDictionary[tag_for_keyword(keyword) or 0][0]
    assert representation in {"IS", "DS", "US", "SS", "UL", "SL", "FD", "FL"}
