"""The codes of a report: DICOM's and SNOMED's where they have one, else a private scheme of ours."""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from services.acquisition.answer import CANNOT_TELL
from services.cine.validation.findings import FindingCode, Severity
from services.cine.views import View

_SCHEME = "99ECHOPLANE"
"""Private, as the 99 says (PS3.16 section 8)."""


def coding_scheme() -> CodingSchemeIdentificationItem:
    """Describe the private scheme (PS3.3 C.12.1, Coding Scheme Identification Sequence); codes are only ever added."""
    return CodingSchemeIdentificationItem(
        _SCHEME, name="Echoplane verdicts and findings", responsible_organization="Echoplane"
    )


def _private(value: str, meaning: str) -> Code:
    return Code(value, _SCHEME, meaning)


IMAGE_VIEW = codes.DCM.ImageView
"""How echocardiography says which plane an image shows (PS3.17 section N.2, TID 5203)."""

VIEWS = {
    View.A2C: codes.cid12226.ApicalTwoChamber,
    View.A4C: codes.cid12226.ApicalFourChamber,
    View.PLAX: codes.cid12226.ParasternalLongAxis,
    View.PSAX: codes.cid12226.ParasternalShortAxis,
    View.OTHER: _private("OTHER", "None of A2C, A4C, PLAX, PSAX"),
    CANNOT_TELL: _private("CANNOT_TELL", "Cannot tell"),
}
"""Values of IMAGE_VIEW: of CID 12226, Echocardiography Image View, which is extensible."""

CERTAINTY = codes.DCM.CertaintyOfFinding
"""What a device gives for a finding of its own (PS3.16 annex D)."""

VERDICT = _private("VERDICT", "Usable for naming the view")
VERDICTS = {"ACCEPTED": _private("ACCEPTED", "Accepted"), "REJECTED": _private("REJECTED", "Rejected")}
FINDING_NAMES = {
    Severity.REJECT: _private("REJECT", "Reason for rejection"),
    Severity.WARNING: _private("WARNING", "Warning"),
}
FINDINGS = {
    FindingCode.COLOUR_DOPPLER: _private("COLOUR_DOPPLER", "Colour Doppler box over the image"),
    FindingCode.STILL: _private("STILL", "One frame"),
    FindingCode.TOO_SHORT: _private("TOO_SHORT", "Too short to see a heart beat"),
    FindingCode.NO_SECTOR: _private("NO_SECTOR", "No ultrasound sector"),
    FindingCode.NOT_ULTRASOUND: _private("NOT_ULTRASOUND", "Another modality"),
    FindingCode.SPLIT_VIEW: _private("SPLIT_VIEW", "Several images side by side"),
    FindingCode.ABNORMAL_COLOURING: _private("ABNORMAL_COLOUR", "Tinted or false-coloured grey map"),
    FindingCode.SPECTRAL_DOPPLER: _private("SPECTRAL_DOPPLER", "Spectral Doppler"),
    FindingCode.M_MODE: _private("M_MODE", "M-mode"),
    FindingCode.FROZEN: _private("FROZEN", "No frame differs from the others"),
    FindingCode.DARK: _private("DARK", "Nearly black"),
    FindingCode.SATURATED: _private("SATURATED", "Nearly white"),
    FindingCode.FOREIGN_PICTURE: _private("FOREIGN_PICTURE", "No echocardiogram"),
    FindingCode.DAMAGED_FRAMES: _private("DAMAGED_FRAMES", "Damaged frames left out"),
    FindingCode.ZOOMED: _private("ZOOMED", "A box without a sector's shape"),
}
"""A code value holds 16 characters at most (PS3.3 section 8.1)."""
