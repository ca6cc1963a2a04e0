"""An answer as a DICOM structured report that belongs into the study of its cine, and as JSON beside it.

Comprehensive SR, because echocardiography systems send their own measurements as that: where a cine is kept it is
taken in. Enhanced SR would do for the content, but fewer archives are told to accept it.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from services.acquisition.answer import CANNOT_TELL, NOTICE, ReportedAnswer, ReportedFinding, ReportRecord
from services.acquisition.report_codes import (
    CERTAINTY,
    FINDING_NAMES,
    FINDINGS,
    IMAGE_VIEW,
    VERDICT,
    VERDICTS,
    VIEWS,
    coding_scheme,
)
from services.acquisition.source import ALWAYS_SHARED, Source

_MAKER: Final = "Echoplane"
_LAYOUT: Final = "echoplane.sr/1"
"""Goes into a report's UID: changes whenever the same answer is written in another way."""

_MOST_PCT: Final = 99.0
"""No report claims more certainty: the calibration rests on simulated cines."""

_SERIES_NUMBER: Final = 9900
"""Far from those of a scanner; only the UID tells series apart."""


@dataclass(frozen=True)
class Report:
    """What goes out.

    Attributes:
        uid: SOP Instance UID; the same source, model and answer always have the same.
        dicom: the whole file, explicit little endian.
        json: a ReportRecord, UTF-8; nothing in it names a person or a study.
    """

    uid: str
    dicom: bytes = field(repr=False)
    json: bytes


def make_report(answer: ReportedAnswer, source: Source, answered_at: datetime) -> Report:
    """Report an answer (TID 1500, Measurement Report).

    Args:
        answer: what the service said.
        source: the object it is about.
        answered_at: when it was said, by the site's clock, as the study's own times are, and with its offset. Keep it
            with the answer: the report is then the same to the byte however often it is made.
    """
    uid = _report_uid(answer, source)
    record = ReportRecord(report_uid=uid, answered_at=answered_at, answer=answer)
    document = _Document(
        evidence=[_evidence(source)],
        content=_content(answer, source)[0],
        series_instance_uid=_uid("series", source.study, answer.model.sha256),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=uid,
        instance_number=1,
        is_complete=True,
        manufacturer=_MAKER,
        manufacturer_model_name=_ascii(answer.model.name),
        software_versions=answer.model.sha256,
        series_description="Echoplane: views of cines. Not for diagnosis.",
        content_date=answered_at.date(),
        content_time=answered_at.time().replace(microsecond=0),
        coding_schemes=[coding_scheme()],
    )
    return Report(uid, document.to_bytes(source), record.model_dump_json(indent=1).encode())


class _Document(sr.ComprehensiveSR):
    """A report that takes patient and study over as bytes."""

    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """Leave out what highdicom does here: it decodes, logs UIDs, and knows no class of before 1998."""

    def to_bytes(self, source: Source) -> bytes:
        """Write the file, with patient and study of its source.

        All text of ours is ASCII, which is the same in every character set of DICOM.
        """
        del self.InstanceCreationDate, self.InstanceCreationTime, self.ContributingEquipmentSequence  # hold the time
        if source.character_set:
            self.SpecificCharacterSet = list(source.character_set)
        for element in source.shared:
            self[element.tag] = element
        self.set_original_encoding(False, True, self._character_set)  # so pydicom writes bytes as they are
        buffer = io.BytesIO()
        self.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()


def _evidence(source: Source) -> Dataset:
    """Name the source, with nothing of the patient yet (PS3.3 C.17.2.3, evidence sequences)."""
    evidence = Dataset()
    evidence.SOPClassUID, evidence.SOPInstanceUID = source.sop_class, source.sop_instance
    evidence.StudyInstanceUID, evidence.SeriesInstanceUID = source.study, source.series
    for keyword in ALWAYS_SHARED:
        setattr(evidence, keyword, "")
    return evidence


def _content(answer: ReportedAnswer, source: Source) -> sr.MeasurementReport:
    observer = sr.ObserverContext(
        codes.DCM.Device,
        sr.DeviceObserverIdentifyingAttributes(
            _uid("device", answer.model.sha256),
            name=_MAKER,
            manufacturer_name=_MAKER,
            model_name=_ascii(answer.model.name),
        ),
    )
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.Echocardiography,
        imaging_measurements=[_group(answer, source)],
    )


def _group(answer: ReportedAnswer, source: Source) -> sr.MeasurementsAndQualitativeEvaluations:
    """Say what there is to say of one cine (TID 1501, Measurement and Qualitative Evaluation Group)."""
    evaluations = [sr.QualitativeEvaluation(VERDICT, VERDICTS[answer.verdict])]
    evaluations += [_finding(finding) for finding in answer.findings]
    if answer.view is not None:
        evaluations.append(_view(answer.view, answer, source))
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(UID(_uid("cine", source.sop_instance)), "View of the cine"),
        algorithm_id=_algorithm(answer),
        source_images=[sr.SourceImageForMeasurementGroup(source.sop_class, source.sop_instance)],
        measurements=_certainty(answer),
        qualitative_evaluations=evaluations,
    )


def _algorithm(answer: ReportedAnswer) -> sr.AlgorithmIdentification:
    """Name the weights (TID 4019, Algorithm Identification)."""
    model = answer.model
    parameters = [
        f"sha256={model.sha256}",
        f"trained_on={_ascii(model.trained_on)}",
        f"abstain_below={model.abstain_below}",
        NOTICE,
    ]
    return sr.AlgorithmIdentification(_ascii(model.name), _ascii(model.version), parameters, manufacturer=_MAKER)


def _view(name: str, answer: ReportedAnswer, source: Source) -> sr.QualitativeEvaluation:
    """Code the view, inferred from the frames that the model saw; a frame counts from 1 (PS3.3 section 10.3)."""
    view = sr.QualitativeEvaluation(IMAGE_VIEW, VIEWS[name])
    if answer.frame_count > 1:
        frames = [index + 1 for index in answer.frames]
        seen = sr.SourceImageForMeasurement(source.sop_class, source.sop_instance, frames)
        view[0].ContentSequence = sr.ContentSequence([seen])
    return view


def _certainty(answer: ReportedAnswer) -> list[sr.Measurement]:
    """Give the confidence of the view that is named, %; of one that is not, a report says nothing."""
    if answer.confidence is None or answer.view == CANNOT_TELL:
        return []
    percentage = min(round(answer.confidence * 100, 1), _MOST_PCT)
    return [sr.Measurement(CERTAINTY, percentage, codes.UCUM.Percent)]


def _finding(finding: ReportedFinding) -> sr.QualitativeEvaluation:
    found = sr.QualitativeEvaluation(FINDING_NAMES[finding.severity], FINDINGS[finding.code])
    words = sr.TextContentItem(codes.DCM.Comment, _ascii(finding.message), sr.RelationshipTypeValues.HAS_PROPERTIES)
    found[0].ContentSequence = sr.ContentSequence([words])
    return found


def _report_uid(answer: ReportedAnswer, source: Source) -> str:
    """Name a report after what it says; confidences are left out, as another processor may round them otherwise."""
    said = answer.model_dump_json(exclude={"confidence", "probabilities"})
    return _uid("report", _LAYOUT, source.sop_instance, said)


def _uid(*words: str) -> str:
    """Derive a UID from words (PS3.5 section B.2)."""
    return f"2.25.{int.from_bytes(hashlib.sha256('/'.join(words).encode()).digest()[:16])}"


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
