"""What an object says of its study is sent on where the trial's protocol knows such names, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from echoplane.v1 import study_pb2, view_pb2

from services.acquisition.study_naming import Naming, read_filing
from services.cine.budget import ReadLimits
from tests.unit.acquisition.cases import PLANTED, UIDS, source_bytes

PROTOCOL = study_pb2.TrialProtocol(trial="EXAMPLE-1", subject_code="S##-###", visits=["baseline", "month-6"])
STUDY: dict[str, Any] = {"study_id": UIDS["StudyInstanceUID"], "trial": "EXAMPLE-1"}
NAMED: dict[str, Any] = {"subject_code": "S01-001", "visit": "month-6"}
TOLD: dict[str, Any] = {"ClinicalTrialSubjectID": "S01-001", "ClinicalTrialTimePointID": "month-6"}


def filing(data: bytes, naming: Naming | None = None) -> view_pb2.CineHeader:
    return read_filing(data, ReadLimits(), naming or Naming(), PROTOCOL)


@pytest.mark.parametrize("syntax", ["raw", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_an_object_names_its_study_in_every_syntax(syntax: str) -> None:
    assert filing(source_bytes(syntax, **TOLD)) == view_pb2.CineHeader(**STUDY | NAMED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ClinicalTrialSubjectID": None},
        {"ClinicalTrialTimePointID": None},
        {"ClinicalTrialSubjectID": "Planted^Name"},
        {"ClinicalTrialSubjectID": "19010203-1234"},
        {"ClinicalTrialSubjectID": "S01-00١"},
        {"ClinicalTrialSubjectID": ["S01-001", "S01-002"]},
        {"ClinicalTrialSubjectID": "S01-001" + " " * 60},
        {"ClinicalTrialTimePointID": "Planted"},
        {"ClinicalTrialTimePointID": ""},
    ],
)
def test_what_the_protocol_does_not_know_is_not_sent_on(wrong: dict[str, Any]) -> None:
    header = filing(source_bytes(SpecificCharacterSet="ISO_IR 192", **TOLD | wrong))
    assert header == view_pb2.CineHeader(**STUDY)
    assert not [planted for planted in PLANTED if planted in str(header) and planted != UIDS["StudyInstanceUID"]]


def test_a_site_says_where_it_types_the_code() -> None:
    data = source_bytes(PatientID="S01-001 ", StudyID="month-6")
    assert filing(data, Naming(subject_code="PatientID", visit="StudyID")) == view_pb2.CineHeader(**STUDY | NAMED)
    assert filing(data) == view_pb2.CineHeader(**STUDY)
    assert filing(data, Naming(subject_code="PatientID", visit="")) == view_pb2.CineHeader(**STUDY)
    assert filing(source_bytes(**TOLD), Naming(subject_code="PatientID")) == view_pb2.CineHeader(**STUDY)


@pytest.mark.parametrize("uid", [None, "", "Planted^Name", "1.2.", "1" * 65])
def test_an_object_without_a_usable_study_is_of_none(uid: str | None) -> None:
    assert filing(source_bytes(StudyInstanceUID=uid, **TOLD)) == view_pb2.CineHeader()


def test_a_node_of_another_trial_files_nothing() -> None:
    assert filing(source_bytes(**TOLD), Naming(trial="EXAMPLE-2")) == view_pb2.CineHeader()
    assert filing(source_bytes(**TOLD), Naming(trial="EXAMPLE-1")) == view_pb2.CineHeader(**STUDY | NAMED)


@pytest.mark.parametrize("data", [b"", b"no cine", source_bytes(**TOLD)[:200]])
def test_what_cannot_be_read_is_of_no_study(data: bytes) -> None:
    assert filing(data) == view_pb2.CineHeader()


def test_what_is_behind_some_damage_is_not_read_and_the_rest_is() -> None:
    data = source_bytes(**TOLD)
    assert filing(data[:-100]) == view_pb2.CineHeader(**STUDY | NAMED), "pixels that are cut short"
