"""What validation may say of a cine: code, severity, and words that a sonographer can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FindingCode(StrEnum):
    """What validation can see."""

    COLOUR_DOPPLER = "COLOUR_DOPPLER"
    STILL = "STILL"
    TOO_SHORT = "TOO_SHORT"
    NO_SECTOR = "NO_SECTOR"
    NOT_ULTRASOUND = "NOT_ULTRASOUND"
    SPLIT_VIEW = "SPLIT_VIEW"
    ABNORMAL_COLOURING = "ABNORMAL_COLOURING"
    SPECTRAL_DOPPLER = "SPECTRAL_DOPPLER"
    M_MODE = "M_MODE"
    FROZEN = "FROZEN"
    DARK = "DARK"
    SATURATED = "SATURATED"
    FOREIGN_PICTURE = "FOREIGN_PICTURE"
    DAMAGED_FRAMES = "DAMAGED_FRAMES"
    ZOOMED = "ZOOMED"


class Severity(StrEnum):
    """Whether a finding rejects the cine."""

    WARNING = "WARNING"
    REJECT = "REJECT"


@dataclass(frozen=True)
class Finding:
    """One thing that validation saw.

    Attributes:
        code: which.
        message: what was found, what was expected, what to do.
        severity: whether it rejects the cine.
    """

    code: FindingCode
    message: str
    severity: Severity = Severity.REJECT


WITHOUT_MODEL = frozenset(
    {
        FindingCode.NOT_ULTRASOUND,
        FindingCode.NO_SECTOR,
        FindingCode.SPLIT_VIEW,
        FindingCode.SPECTRAL_DOPPLER,
        FindingCode.M_MODE,
        FindingCode.DARK,
        FindingCode.SATURATED,
        FindingCode.FOREIGN_PICTURE,
    }
)
"""What shows no single B-mode view: no model is asked. Beside any other finding the view is told all the same."""
