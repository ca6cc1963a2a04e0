"""What a report takes over of its source."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    UltrasoundMultiFrameImageStorage,
)

from services.acquisition.source import Source, read_source
from services.cine.budget import ReadLimits
from services.cine.errors import CineUnreadableError, LimitExceededError, Reason
from tests.unit.acquisition.cases import PATIENT, PLANTED, UIDS, reported, source_bytes


def read(data: bytes) -> Source:
    return read_source(data, ReadLimits())


def test_uids_are_those_of_the_source() -> None:
    source = read(source_bytes())
    assert (source.sop_instance, source.study, source.series) == tuple(UIDS.values())
    assert source.sop_class == UltrasoundMultiFrameImageStorage


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_the_same_is_read_in_every_syntax(syntax: str) -> None:
    assert read(source_bytes(syntax)) == read(source_bytes())


@pytest.mark.parametrize("keyword", ["SOPClassUID", *UIDS])
@pytest.mark.parametrize("value", [None, "", "1.2.x", "Planted^Name", "1." * 40])
def test_a_source_without_a_uid_is_a_typed_error_that_repeats_nothing(keyword: str, value: str | None) -> None:
    with pytest.raises(CineUnreadableError, match=f"no usable {keyword}") as caught:
        read(source_bytes(**{keyword: value}))
    assert caught.value.reason is Reason.HEADER_DAMAGED
    assert not value or value not in str(caught.value)


def test_a_value_too_long_to_be_written_again_is_over_a_limit() -> None:
    data = source_bytes(ImplicitVRLittleEndian, PatientComments="c" * 70_000)
    with pytest.raises(LimitExceededError) as caught:
        read(data)
    assert caught.value.reason is Reason.LIMIT_TEXT


@pytest.mark.parametrize(
    ("date", "time", "written"),
    [
        ("1997.04.24", "14:04:38", ("19970424", "140438")),
        ("1997.04.24 ", "14:04:38.5", ("19970424", "140438.5")),
        ("19970424", "140438.123", ("19970424", "140438.123")),
        ("1997.4.24", "14:04", ("1997.4.24", "14:04")),
        ("", "", ("", "")),
    ],
)
def test_dates_and_times_of_before_dicom_are_written_as_today(date: str, time: str, written: tuple[str, str]) -> None:
    shared = {str(element.tag): element.value for element in read(source_bytes(StudyDate=date, StudyTime=time)).shared}
    assert tuple(shared[tag].decode().rstrip() for tag in ("(0008,0020)", "(0008,0030)")) == written


CHARACTER_SETS = {
    "ISO_IR 100": "Müller^Jürgen",
    "ISO_IR 192": "Ὀδυσσεύς^李",
    "ISO_IR 13": "ﾔﾏﾀﾞ^ﾀﾛｳ",
    "GB18030": "王^小东",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
}


@pytest.mark.parametrize("terms", CHARACTER_SETS)
def test_a_name_keeps_its_bytes_and_its_character_set(terms: str) -> None:
    data = source_bytes(SpecificCharacterSet=terms.split("\\"), PatientName=CHARACTER_SETS[terms])
    sent, back = dcmread(io.BytesIO(data)), dcmread(io.BytesIO(reported(data=data).dicom))
    assert back.get_item("PatientName").value == sent.get_item("PatientName").value
    assert back.PatientName == CHARACTER_SETS[terms]


@pytest.mark.parametrize("terms", [b"UTF-8 ", b"ISO_IR_100", b"\xff\xfe"])
def test_a_character_set_nobody_knows_is_left_out_and_the_bytes_stay(terms: bytes) -> None:
    data = source_bytes(SpecificCharacterSet="ISO_IR 192", PatientName="Jürgen")
    data = data.replace(b"CS\x0a\0ISO_IR 192", b"CS\x0a\0" + terms.ljust(10))
    back = dcmread(io.BytesIO(reported(data=data).dicom))
    assert "SpecificCharacterSet" not in back
    assert back.get_item("PatientName").value.rstrip() == "Jürgen".encode()


def test_patient_and_study_come_back_as_they_were_sent() -> None:
    back = dcmread(io.BytesIO(reported().dicom))
    assert {keyword: str(back[keyword].value) for keyword in PATIENT} == PATIENT


def test_what_is_malformed_comes_back_as_it_was_sent() -> None:
    wrong = {"PatientBirthDate": "unknown", "PatientSex": "male", "StudyTime": "noon", "PatientName": "a=b=c=d^"}
    back = dcmread(io.BytesIO(reported(data=source_bytes(**wrong)).dicom))
    assert {keyword: back.get_item(keyword).value.strip() for keyword in wrong} == {
        keyword: value.encode() for keyword, value in wrong.items()
    }


def test_what_is_missing_is_there_and_empty_if_a_report_needs_it() -> None:
    missing: dict[str, Any] = dict.fromkeys(PATIENT)
    back = dcmread(io.BytesIO(reported(data=source_bytes(**missing)).dicom))
    optional = {"IssuerOfPatientID", "PatientComments", "StudyDescription"}
    assert {keyword for keyword in PATIENT if keyword not in back} == optional
    assert not any(back[keyword].value for keyword in set(PATIENT) - optional)


@pytest.mark.parametrize(
    ("removed", "method", "kept"), [("YES", "as the trial says", "YES"), ("YES", None, None), ("NO", None, "NO")]
)
def test_identity_is_called_removed_only_where_it_is_said_how(removed: str, method: str | None, kept: str) -> None:
    data = source_bytes(PatientIdentityRemoved=removed, DeidentificationMethod=method)
    back = dcmread(io.BytesIO(reported(data=data).dicom))
    assert (back.get("PatientIdentityRemoved"), back.get("DeidentificationMethod")) == (kept, method)


def test_a_value_of_odd_length_becomes_even() -> None:
    data = source_bytes().replace(b"LO\x0a\0PLANTED-ID", b"LO\x09\0PLANTED-I")
    back = dcmread(io.BytesIO(reported(data=data).dicom))
    assert back.get_item("PatientID").value == b"PLANTED-I "


def test_nothing_else_of_the_source_goes_into_a_report() -> None:
    data = source_bytes(InstitutionName="Planted Hospital", OperatorsName="Planted^Operator", PatientAddress="Planted")
    dicom = reported(data=data).dicom
    assert not any(word in dicom for word in (b"Planted Hospital", b"Planted^Operator", b"PatientAddress"))


def test_source_and_report_show_nothing_when_they_are_printed() -> None:
    shown = repr(read(source_bytes())) + repr(reported())
    assert not any(value in shown for value in PLANTED)
