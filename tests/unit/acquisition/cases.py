"""Answers of the gateway and sources they are about, for the tests of reports."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta, timezone
from typing import Any

from echoplane.v1 import view_pb2

from services.acquisition.answer import read_answer
from services.acquisition.report import Report, make_report
from services.acquisition.source import read_source
from services.cine.budget import ReadLimits
from services.cine.views import ANSWERED_VIEWS
from tests.builders import dicom_bytes, fan_frames

ANSWERED_AT = datetime(2026, 11, 22, 10, 30, 15, 123_456, timezone(timedelta(hours=1)))
SHA256 = "5e" * 32
UIDS = {"SOPInstanceUID": "1.2.826.7.3", "StudyInstanceUID": "1.2.826.7.1", "SeriesInstanceUID": "1.2.826.7.2"}
PATIENT = {
    "PatientName": "Planted^Name",
    "PatientID": "PLANTED-ID",
    "IssuerOfPatientID": "Planted Issuer",
    "PatientBirthDate": "19010203",
    "PatientSex": "O",
    "PatientComments": "planted comment",
    "StudyDate": "19980706",
    "StudyTime": "112233",
    "StudyID": "PLANTED-STUDY",
    "AccessionNumber": "PLANTED-ACC",
    "ReferringPhysicianName": "Planted^Referrer",
    "StudyDescription": "planted study",
}
PLANTED = tuple(value for value in (*PATIENT.values(), *UIDS.values()) if len(value) > 1)
"""What must be nowhere but in the report itself."""

TINT = ("ABNORMAL_COLOURING", "WARNING")


def response(
    view: str = "A4C", *findings: tuple[str, str], was_asked: bool = True, frames: tuple[int, ...] = (0, 5, 11)
) -> view_pb2.PredictViewResponse:
    """Answer as the gateway does; `view` is UNSPECIFIED where the model abstains."""
    is_rejected = any(severity == "REJECT" for _, severity in findings)
    message = view_pb2.PredictViewResponse(
        verdict="VERDICT_REJECTED" if is_rejected else "VERDICT_ACCEPTED",
        findings=[
            view_pb2.Finding(code=f"FINDING_CODE_{code}", severity=f"SEVERITY_{severity}", message=f"About {code}.")
            for code, severity in findings
        ],
        model=view_pb2.Model(
            name="view_classifier", version="1", sha256=SHA256, trained_on="simulated", abstain_below=0.6
        ),
        cine=view_pb2.Cine(frame_count=12 if len(frames) > 1 else 1),
    )
    if was_asked:
        message.view, message.confidence = view_pb2.View.Value(f"VIEW_{view}"), 0.91234
        for name in ANSWERED_VIEWS:
            message.probabilities.add(view=f"VIEW_{name}", probability=0.91234 if name == view else 0.02)
        for index in frames:
            message.frames.add(index=index)
    return message


ANSWERS = {
    "accepted": response(),
    "accepted with a warning": response("PSAX", TINT),
    "rejected with a view": response("A2C", ("COLOUR_DOPPLER", "REJECT"), TINT),
    "rejected without a view": response("UNSPECIFIED", ("SPECTRAL_DOPPLER", "REJECT"), was_asked=False),
    "abstained": response("UNSPECIFIED"),
    "other": response("OTHER"),
    "one frame": response("PLAX", ("STILL", "REJECT"), frames=(0,)),
}


def source_bytes(syntax: str = "raw", count: int = 12, **attributes: Any) -> bytes:
    """Write the object that is answered about, however malformed; None leaves an attribute out."""
    with warnings.catch_warnings(action="ignore"):
        return dicom_bytes(fan_frames(count, 16, 16), syntax, **({**UIDS, **PATIENT} | attributes))


def reported(message: view_pb2.PredictViewResponse | None = None, data: bytes | None = None) -> Report:
    """Make a report of an answer."""
    source = read_source(source_bytes() if data is None else data, ReadLimits())
    return make_report(read_answer(message or response()), source, ANSWERED_AT)
