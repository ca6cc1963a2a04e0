"""A report read back by the libraries that others read it with."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from echoplane.v1 import view_pb2
from highdicom.sr import ComprehensiveSR, MeasurementsAndQualitativeEvaluations
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ComprehensiveSRStorage

from services.acquisition.answer import read_answer
from services.acquisition.report import Report, make_report
from services.acquisition.report_codes import FINDINGS, VERDICT, VERDICTS, VIEWS
from services.acquisition.source import read_source
from services.cine.budget import ReadLimits
from services.cine.validation.findings import FindingCode
from tests.unit.acquisition.cases import ANSWERED_AT, ANSWERS, PLANTED, SHA256, UIDS, reported, response, source_bytes


def group_of(report: Report) -> MeasurementsAndQualitativeEvaluations:
    document = ComprehensiveSR.from_dataset(dcmread(io.BytesIO(report.dicom)))
    (group,) = document.content.get_image_measurement_groups()
    return group


def items(group: MeasurementsAndQualitativeEvaluations, meaning: str) -> list[Dataset]:
    return [item for item in group[0].ContentSequence if item.ConceptNameCodeSequence[0].CodeMeaning == meaning]


@pytest.mark.parametrize(
    ("case", "view", "percentage"),
    [
        ("accepted", "A4C", 91.2),
        ("accepted with a warning", "PSAX", 91.2),
        ("rejected with a view", "A2C", 91.2),
        ("one frame", "PLAX", 91.2),
        ("other", "OTHER", 91.2),
        ("abstained", "CANNOT_TELL", None),
        ("rejected without a view", None, None),
    ],
)
def test_view_and_confidence_are_coded(case: str, view: str | None, percentage: float | None) -> None:
    group = group_of(reported(ANSWERS[case]))
    evaluations = group.get_qualitative_evaluations(codes.DCM.ImageView)
    assert [evaluation.value for evaluation in evaluations] == ([VIEWS[view]] if view else [])
    measurements = group.get_measurements(codes.DCM.CertaintyOfFinding)
    assert [(m.value, m.unit) for m in measurements] == ([(percentage, codes.UCUM.Percent)] if percentage else [])


def test_no_report_claims_more_than_99_percent() -> None:
    message = response()
    message.confidence = 0.9999
    assert [m.value for m in group_of(reported(message)).get_measurements()] == [99.0]


def test_verdict_and_findings_are_coded_with_what_to_do() -> None:
    group = group_of(reported(ANSWERS["rejected with a view"]))
    assert [each.value for each in group.get_qualitative_evaluations(VERDICT)] == [VERDICTS["REJECTED"]]
    (reason,), (warning,) = items(group, "Reason for rejection"), items(group, "Warning")
    assert reason.value == FINDINGS[FindingCode.COLOUR_DOPPLER]
    assert warning.value == FINDINGS[FindingCode.ABNORMAL_COLOURING]
    assert reason.ContentSequence[0].TextValue == "About COLOUR_DOPPLER."


def test_the_algorithm_is_named_with_what_it_is_not_and_what_it_learned_from() -> None:
    group = group_of(reported())
    assert items(group, "Algorithm Name")[0].TextValue == "view_classifier"
    assert items(group, "Algorithm Version")[0].TextValue == "1"
    said = [item.TextValue for item in items(group, "Algorithm Parameters")]
    assert {f"sha256={SHA256}", "trained_on=simulated", "Not a medical device. Not for diagnosis."} <= set(said)


def test_a_report_belongs_to_the_study_and_refers_to_the_whole_cine() -> None:
    report = reported()
    document = ComprehensiveSR.from_dataset(dcmread(io.BytesIO(report.dicom)))
    (evidence,) = document.get_evidence()
    assert evidence[:3] == (UIDS["StudyInstanceUID"], UIDS["SeriesInstanceUID"], UIDS["SOPInstanceUID"])
    assert document.StudyInstanceUID == UIDS["StudyInstanceUID"]
    assert document.SeriesInstanceUID != UIDS["SeriesInstanceUID"]
    assert (document.SOPClassUID, document.SOPInstanceUID) == (ComprehensiveSRStorage, report.uid)
    (whole,) = group_of(report).source_images
    assert (whole.referenced_sop_instance_uid, whole.referenced_frame_numbers) == (UIDS["SOPInstanceUID"], None)


@pytest.mark.parametrize(
    ("case", "numbers"), [("accepted", [1, 6, 12]), ("abstained", [1, 6, 12]), ("one frame", None)]
)
def test_a_view_is_inferred_from_the_frames_the_model_saw(case: str, numbers: list[int] | None) -> None:
    (view,) = items(group_of(reported(ANSWERS[case])), "Image View")
    seen = [each.ReferencedSOPSequence[0] for each in view.get("ContentSequence", [])]
    assert [list(each.ReferencedFrameNumber) for each in seen] == ([numbers] if numbers else [])


def test_the_private_codes_are_declared() -> None:
    (declared,) = dcmread(io.BytesIO(reported().dicom)).CodingSchemeIdentificationSequence
    assert declared.CodingSchemeDesignator == VERDICT.scheme_designator


def test_the_same_answer_gives_the_same_bytes() -> None:
    assert reported() == reported()


def other_confidence(message: view_pb2.PredictViewResponse) -> None:
    message.confidence -= 0.0001
    message.probabilities[0].probability += 0.0001
    message.timings_ms.total, message.request_id = 12.0, "another"


def test_a_confidence_rounded_otherwise_and_another_time_give_the_same_uid() -> None:
    message = response()
    other_confidence(message)
    later = make_report(
        read_answer(message), read_source(source_bytes(), ReadLimits()), ANSWERED_AT + timedelta(hours=1)
    )
    assert later.uid == reported().uid
    assert later.dicom != reported().dicom


def other_weights(message: view_pb2.PredictViewResponse) -> None:
    message.model.sha256 = "0" * 64


def other_view(message: view_pb2.PredictViewResponse) -> None:
    message.view = view_pb2.VIEW_PLAX


def other_finding(message: view_pb2.PredictViewResponse) -> None:
    message.findings.add(code="FINDING_CODE_STILL", severity="SEVERITY_WARNING")


@pytest.mark.parametrize("change", [other_weights, other_view, other_finding])
def test_another_answer_gives_another_uid(change: Callable[[view_pb2.PredictViewResponse], None]) -> None:
    message = response()
    change(message)
    assert reported(message).uid != reported().uid


def test_another_source_gives_another_uid_in_the_same_series() -> None:
    one, other = reported(), reported(data=source_bytes(SOPInstanceUID="1.2.826.7.4"))
    assert one.uid != other.uid
    series = {dcmread(io.BytesIO(report.dicom)).SeriesInstanceUID for report in (one, other)}
    assert len(series) == 1


def test_a_class_of_before_1998_is_reported_too() -> None:
    retired = "1.2.840.10008.5.1.4.1.1.3"
    (whole,) = group_of(reported(data=source_bytes(SOPClassUID=retired))).source_images
    assert whole.referenced_sop_class_uid == retired


def test_text_that_is_not_ascii_harms_no_character_set() -> None:
    message = response("A4C", ("STILL", "WARNING"))
    message.findings[0].message, message.model.trained_on = "9 × 9 — déjà", "données"
    dicom = reported(message, source_bytes(SpecificCharacterSet="ISO_IR 13")).dicom
    assert b"9 ? 9 ? d?j?" in dicom
    assert b"trained_on=donn?es" in dicom


def test_nothing_of_the_patient_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        reported()
    assert not any(value in caplog.text for value in PLANTED)
