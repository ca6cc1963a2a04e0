"""Structured reports against other implementations: DCMTK reads them, dicom3tools holds them to the standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from services.acquisition.report import Report
from tests.integration.standard import dump, faults
from tests.unit.acquisition.cases import ANSWERS, PATIENT, reported, source_bytes

SOURCES: dict[str, dict[str, Any]] = {
    "as it should be": {},
    "nothing of the patient": dict.fromkeys(PATIENT),
    "implicit": {"syntax": ImplicitVRLittleEndian},
    "big endian": {"syntax": ExplicitVRBigEndian},
    "identity removed": {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "as the trial says"},
    "identity removed, by codes alone": {"PatientIdentityRemoved": "YES"},
    "Latin": {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen"},
    "UTF-8": {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Ὀδυσσεύς^李"},
    "Chinese": {"SpecificCharacterSet": "GB18030", "PatientName": "王^小东"},
    "Japanese": {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": "Yamada=山田^太郎=やまだ"},
    "Korean": {"SpecificCharacterSet": ["", "ISO 2022 IR 149"], "PatientName": "Hong=洪^吉洞=홍^길동"},
}


def written(folder: Path, report: Report) -> Path:
    path = folder / "report.dcm"
    path.write_bytes(report.dicom)
    return path


@pytest.mark.parametrize("case", ANSWERS)
@pytest.mark.parametrize("count", [12, 1], ids=["cine", "still"])
def test_every_answer_passes(tmp_path: Path, case: str, count: int) -> None:
    report = reported(ANSWERS[case], source_bytes(count=count))
    assert faults(written(tmp_path, report)) == []
    assert "Not a medical device" in dump(written(tmp_path, report))


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_passes(tmp_path: Path, source: str) -> None:
    report = reported(data=source_bytes(**SOURCES[source]))
    assert faults(written(tmp_path, report)) == []
    assert '(399214001,SCT,"Apical four chamber")' in dump(written(tmp_path, report))


def test_dcmtk_reads_what_was_found_and_in_which_frames(tmp_path: Path) -> None:
    said = dump(written(tmp_path, reported(ANSWERS["rejected with a view"])))
    for words in (
        '(126000,DCM,"Imaging Measurement Report")',
        '(111031,DCM,"Image View")=(399232001,SCT,"Apical two chamber")',
        '(111012,DCM,"Certainty of Finding")="91.2" (%,UCUM,"Percent")',
        '=(REJECTED,99ECHOPLANE,"Rejected")',
        '"Reason for rejection")=(COLOUR_DOPPLER,99ECHOPLANE,',
        '(121106,DCM,"Comment")="About COLOUR_DOPPLER."',
    ):
        assert words in said


def test_a_report_that_breaks_the_standard_is_noticed(tmp_path: Path) -> None:
    broken = reported()
    dicom = broken.dicom.replace(b"COMPLETE", b"COMPLETD")
    assert faults(written(tmp_path, Report(broken.uid, dicom, broken.json))) != []
