"""What the page says of all that can be wrong: one short sentence each, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from services.cine.errors import Reason
from services.cine.validation.findings import FindingCode
from services.client import CallError

FINDINGS = MappingProxyType(
    {
        FindingCode.COLOUR_DOPPLER: "Colour box is on: repeat in B-mode.",
        FindingCode.STILL: "Only one frame: store a moving loop of at least one beat.",
        FindingCode.TOO_SHORT: "Loop is too short: store at least one whole beat.",
        FindingCode.NO_SECTOR: "No ultrasound sector found: send the scanner's own loop, with the whole sector.",
        FindingCode.NOT_ULTRASOUND: "Not an ultrasound file: choose the echo loop.",
        FindingCode.SPLIT_VIEW: "Two pictures side by side: go back to a single picture and repeat.",
        FindingCode.ABNORMAL_COLOURING: "Picture is tinted: switch to the plain grey map.",
        FindingCode.SPECTRAL_DOPPLER: "Doppler strip is on: leave PW or CW and repeat in B-mode.",
        FindingCode.M_MODE: "M-mode is on: repeat in B-mode.",
        FindingCode.FROZEN: "Picture is frozen: unfreeze and store a moving loop.",
        FindingCode.DARK: "Picture is nearly black: raise the gain, check gel and contact, and repeat.",
        FindingCode.SATURATED: "Picture is nearly white: lower the gain and repeat.",
        FindingCode.FOREIGN_PICTURE: "Not an echo picture: choose the echo loop.",
        FindingCode.DAMAGED_FRAMES: "Some frames are damaged and were left out: export the loop again if you can.",
        FindingCode.ZOOMED: "Zoom is on: repeat with the whole sector.",
    }
)

_DAMAGED = "The file is damaged: export it from the scanner again."
_TOO_LARGE = "The loop is too large: store a shorter one, of a few beats."
_ODD = "The file is not built as it should be: export it from the scanner again."
_UNREAD = "This kind of export cannot be read: export as DICOM or MP4."
_NOT_LET_IN = "The gateway does not let this console in: ask whoever runs it to check certificate and sites file."
_NO_PART = "This site has no part in the trial set here: ask whoever runs the gateway to check trial and sites file."
_NOT_LISTED = "This site may not do all that the console needs: ask whoever runs the gateway to check its sites file."
_STARTING = "The gateway is not ready yet."
_TOO_SLOW = "That took too long: send it again."
_FAILED = "The gateway failed: send it again, and tell whoever runs it if that does not help."

REASONS = MappingProxyType(
    {
        Reason.EMPTY: "The file is empty: export it from the scanner again.",
        Reason.FORMAT_UNKNOWN: "Not a cine file: send DICOM or video.",
        Reason.FORMAT_MISMATCH: _ODD,
        Reason.HEADER_DAMAGED: _DAMAGED,
        Reason.PIXELS_DAMAGED: _DAMAGED,
        Reason.PIXELS_MISSING: "The file holds no picture: choose the echo loop.",
        Reason.DECODER_CRASHED: _DAMAGED,
        Reason.CODEC_UNSUPPORTED: _UNREAD,
        Reason.PIXELS_UNSUPPORTED: _UNREAD,
        Reason.IDENTITY_REMAINS: "Names cannot be removed from this file for certain: do not pass it on.",
        Reason.LIMIT_BYTES: _TOO_LARGE,
        Reason.LIMIT_FRAMES: _TOO_LARGE,
        Reason.LIMIT_FRAME_SIZE: "The picture is too large: export it at a smaller size.",
        Reason.LIMIT_PIXELS: _TOO_LARGE,
        Reason.LIMIT_DEPTH: _ODD,
        Reason.LIMIT_INFLATION: _ODD,
        Reason.LIMIT_TEXT: _ODD,
        Reason.LIMIT_TIME: _TOO_LARGE,
        Reason.LIMIT_MEMORY: _TOO_LARGE,
        Reason.LIMIT_IMAGES: "Too many images at once: ask for fewer.",
        Reason.REQUEST_MALFORMED: "The gateway does not take that: check subject code, visit and numbers.",
        Reason.REQUEST_ID_TAKEN: _FAILED,
        Reason.JOB_UNKNOWN: _FAILED,
        Reason.STUDY_UNKNOWN: "Nothing has come of this study yet: send its first cine.",
        Reason.STUDY_MISMATCH: "This study is filed under another subject or visit: check the subject code.",
        Reason.TRIAL_UNKNOWN: "The gateway has no protocol of this trial: ask whoever runs it to check its name.",
        Reason.STORAGE: "The gateway cannot write its record: tell whoever runs it that its disk may be full.",
        Reason.QUEUE_FULL: "The gateway is busy.",
        Reason.QUOTA: "This site has used up its quota for now.",
        Reason.UNAUTHENTICATED: _NOT_LET_IN,
        Reason.SITE_DENIED: _NOT_LET_IN,
        Reason.CERTIFICATE_DENIED: _NOT_LET_IN,
        Reason.TRIAL_DENIED: _NO_PART,
        Reason.METHOD_DENIED: _NOT_LISTED,
        Reason.TITLE_DENIED: _NOT_LET_IN,
        Reason.READER_UNAVAILABLE: _STARTING,
        Reason.DEADLINE: _TOO_SLOW,
        Reason.MODEL_UNAVAILABLE: _STARTING,
        Reason.MODEL_TIMEOUT: _TOO_SLOW,
        Reason.MODEL_CONTRACT: "The gateway's weights are of another version: tell whoever runs it.",
        Reason.CONFIG: _FAILED,
    }
)

AWAY = "The gateway does not answer: start it, or check the network."
SHUT_OUT = (
    "The gateway does not answer: start it, or check the network and whether this console's certificate has ended."
)
"""Where there are certificates: one that has ended looks from here like a gateway that is away."""

NO_STUDIES = "The gateway has no trial protocol: views are named, but no study is kept."
NO_GENERATOR = "This gateway serves no generator: ask whoever runs it to add a trained one to its model repository."

_CODES = {"UNAVAILABLE": AWAY, "DEADLINE_EXCEEDED": _TOO_SLOW, "UNIMPLEMENTED": _FAILED}
_PASSING = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})
_RETRY_S = 2.0
"""Before trying again where nobody said when."""


@dataclass(frozen=True)
class Trouble:
    """What went wrong, for the page.

    Attributes:
        reason: of the error, or the status where it has none.
        words: what is wrong and what to do.
        retry_after_s: when the page tries again by itself, s; None where that would not help.
    """

    reason: str
    words: str
    retry_after_s: float | None = None


def trouble(error: CallError) -> Trouble:
    """Say what ended a call; the gateway's own words go no further."""
    known = REASONS.get(Reason(error.reason)) if error.reason in set(Reason) else None
    words = known or _CODES.get(error.code, _FAILED)
    is_passing = error.code in _PASSING
    after_s = _RETRY_S if error.retry_after_s is None else error.retry_after_s
    return Trouble(error.reason or error.code, words, after_s if is_passing else None)


def refusal(reason: Reason, retry_after_s: float | None = None) -> Trouble:
    """Say why the console itself took something not."""
    return Trouble(reason, REASONS[reason], retry_after_s)
