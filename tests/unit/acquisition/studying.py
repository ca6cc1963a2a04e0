"""A trial, and cines of its studies, made up."""

from __future__ import annotations

import hashlib
import hmac

from services.acquisition.protocol import RequiredView, TrialProtocol
from services.acquisition.studies import StudyCine, StudyKey, StudyName
from services.cine.validation.findings import Finding, FindingCode, Severity
from services.cine.views import View

KEY = b"a secret that only this test has"
NAME = StudyName("EXAMPLE-1", "S01-001", "baseline")
UID = "1.2.752.19520229.1234.5"
STUDY = StudyKey("", hmac.digest(KEY, UID.encode(), "sha256").hex())
"""Under which it is recorded where sites are not told apart."""

COLOUR = Finding(FindingCode.COLOUR_DOPPLER, "Colour. Send it without.")
TINT = Finding(FindingCode.ABNORMAL_COLOURING, "Tinted.", Severity.WARNING)
PROTOCOL = TrialProtocol(
    trial=NAME.trial,
    subject_code="S##-###",
    visits=("baseline", "month-6"),
    quiet_time_s=900.0,
    required_views=(
        RequiredView(view=View.A4C, accepted_cines=2, least_confidence=0.7),
        RequiredView(view=View.PLAX, accepted_cines=1, least_confidence=0.0),
    ),
)


def cine(
    number: int = 0,
    view: View | None = View.A4C,
    confidence: float = 0.9,
    findings: tuple[Finding, ...] = (),
    received_s: float = 0.0,
) -> StudyCine:
    """Make the answer to the cine of that number."""
    return StudyCine(hashlib.sha256(str(number).encode()).hexdigest(), view, confidence, findings, received_s)
