"""What a report takes over of the object it is about: whose it is, where it belongs, and nothing else.

Patient and study are carried as the bytes that came, never decoded: no library can change, reject or log them. But
dates and times in the form of before DICOM are written as DICOM's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from pydicom import config
from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import UID

from services.cine.budget import ReadLimits
from services.cine.dicom.structure import open_structure
from services.cine.errors import CineUnreadableError, Reason

_SHORT_FORM_BYTES = 0xFFFE
"""Longest value of the representations that are carried (PS3.5 table 7.1-2)."""

_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
ALWAYS_SHARED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID"),
)
"""Of type 2: there, if only empty (PS3.3 C.7.1.1 Patient Module, C.7.2.1 General Study Module)."""

_IF_GIVEN = (
    *("TypeOfPatientID", "IssuerOfPatientID", "PatientBirthTime", "OtherPatientNames", "EthnicGroup"),
    *("PatientComments", "QualityControlSubject", "PatientIdentityRemoved", "DeidentificationMethod"),
    "StudyDescription",
)
"""Of the same modules, of type 3; their sequences stay behind: nested bytes cannot be carried unread."""

_ACR_NEMA = {
    "DA": re.compile(rb"(\d{4})\.(\d\d)\.(\d\d) *"),
    "TM": re.compile(rb"(\d\d):(\d\d):(\d\d(?:\.\d{1,6})?) *"),
}
"""Dates and times as before DICOM, which says how they were written and forbids it (PS3.5 table 6.2-1)."""

_LAST_OF_NAME = Tag("SOPInstanceUID")
_CHARACTER_SET = "SpecificCharacterSet"
_KEYWORDS = {Tag(keyword): keyword for keyword in (*_NEEDED, *ALWAYS_SHARED, *_IF_GIVEN, _CHARACTER_SET)}


@dataclass(frozen=True)
class Source:
    """The object that was answered about.

    Attributes:
        sop_class, sop_instance, study, series: its UIDs.
        character_set: terms of Specific Character Set (PS3.3 C.12.1.1.2); empty where it says none that is known.
        shared: patient and study as they came, to be written in explicit little endian.
    """

    sop_class: str
    sop_instance: str = field(repr=False)
    study: str = field(repr=False)
    series: str = field(repr=False)
    character_set: tuple[str, ...]
    shared: tuple[RawDataElement, ...] = field(repr=False)


def read_source(data: bytes | memoryview, limits: ReadLimits) -> Source:
    """Read what a report needs of the object it is about.

    Args:
        data: the whole file, in any transfer syntax.
        limits: of its header.

    Raises:
        CineUnreadableError: damaged, or without a UID that a report must refer to.
        LimitExceededError: over a limit.
    """
    limits = replace(limits, max_text_bytes=min(limits.max_text_bytes, _SHORT_FORM_BYTES))
    found: dict[str, bytes] = {}
    for element in open_structure(data, limits).elements(limits):
        if keyword := _KEYWORDS.get(Tag(element.tag)):
            limits.check_text(len(element.value))
            found[keyword] = bytes(element.value)
    sop_class, sop_instance, study, series = (_uid(found, keyword) for keyword in _NEEDED)
    terms = _known_terms(found.get(_CHARACTER_SET, b""))
    return Source(sop_class, sop_instance, study, series, terms, _shared(found))


def read_name(data: bytes | memoryview, limits: ReadLimits) -> tuple[str, str]:
    """Read which object it is: SOP Class UID and SOP Instance UID, which are among the first elements.

    Args:
        data: the file's beginning, its meta information included.
        limits: of its header.

    Raises:
        CineUnreadableError: damaged, or without one of them.
        LimitExceededError: over a limit.
    """
    found: dict[str, bytes] = {}
    for element in open_structure(data, limits).elements(limits):
        if keyword := _KEYWORDS.get(Tag(element.tag)):
            found[keyword] = bytes(element.value[:_SHORT_FORM_BYTES])
        if element.tag >= _LAST_OF_NAME:
            break
    return _uid(found, "SOPClassUID"), _uid(found, "SOPInstanceUID")


def _uid(found: dict[str, bytes], keyword: str) -> str:
    text = found.get(keyword, b"").decode("ascii", "replace").strip("\0 ")
    uid = UID(text, validation_mode=config.IGNORE)  # which would log what is invalid
    if not uid.is_valid:
        raise CineUnreadableError(
            Reason.HEADER_DAMAGED,
            found=f"no usable {keyword}",
            expected="a UID that a report can refer to (PS3.5 section 9.1)",
            advice="Send the original object, or mend it in the archive it comes from.",
        )
    return str(uid)


def _known_terms(value: bytes) -> tuple[str, ...]:
    """Give the terms of a character set; pydicom logs those that it does not know."""
    terms = tuple(term.strip() for term in value.decode("ascii", "replace").strip("\0 ").split("\\"))
    return terms if any(terms) and all(term in python_encoding for term in terms) else ()


def _shared(found: dict[str, bytes]) -> tuple[RawDataElement, ...]:
    kept = dict.fromkeys(ALWAYS_SHARED, b"") | {
        name: found[name] for name in (*ALWAYS_SHARED, *_IF_GIVEN) if name in found
    }
    if kept.get("PatientIdentityRemoved", b"").strip() == b"YES" and not kept.get("DeidentificationMethod"):
        del kept["PatientIdentityRemoved"]  # is not said without the method (type 1C), which here is in a sequence
    return tuple(_raw(keyword, value) for keyword, value in kept.items())


def _raw(keyword: str, value: bytes) -> RawDataElement:
    tag, vr = Tag(keyword), dictionary_VR(Tag(keyword))
    if vr in _ACR_NEMA and (old := _ACR_NEMA[vr].fullmatch(value)):
        value = b"".join(old.groups())
    even = value + b" " * (len(value) % 2)
    return RawDataElement(tag, vr, len(even), even, 0, is_implicit_VR=False, is_little_endian=True)
