"""Makes the header of the clean object: what the profile replaces, what is retained, and how it was de-identified."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom import config, uid
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from services.acquisition.deidentification.profile import Action, action_on
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.acquisition.deidentification.retained import KEYWORDS, retain
from services.cine.budget import ReadLimits
from services.cine.dicom.attributes import raw_element, text, value_of
from services.cine.dicom.structure import PIXEL_DATA, Element
from services.cine.errors import CineUnreadableError, CineUnsupportedError, Reason

METHOD = "Echoplane: Basic Profile, Clean Pixel Data, no free text"
"""At most 64 characters (LO)."""

_OPTIONS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113101", "Clean Pixel Data Option"),
)  # PS3.16 CID 7050
_IMAGE_CLASSES = (
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    "1.2.840.10008.5.1.4.1.1.3",  # both once more as they were before 1998
    "1.2.840.10008.5.1.4.1.1.6",
)
_SOP_CLASS = tag_for_keyword("SOPClassUID")
_OF_TYPE_2 = {tag_for_keyword(keyword) for keyword in ("Manufacturer", "PatientOrientation", "Laterality")}
"""Text that the profile's table does not name and an image must have, be it empty (PS3.3 C.7.3.1, C.7.5.1, C.7.6.1)."""

_FIRST_GROUP = 0x0008  # below it: commands, file meta information, directories
_RETAINED = {tag_for_keyword(keyword) for keyword in KEYWORDS} | {_SOP_CLASS}


def clean_header(elements: Iterable[Element], pseudonyms: Pseudonyms, limits: ReadLimits) -> Dataset:
    """Make the header of the clean object; those attributes that describe pixels are left to who writes them.

    Dates and times go with all the rest (no option retains them), and so do coded contents: nobody can tell a local
    code, or the meaning beside it, from a name.

    Args:
        elements: of the object as it came, top level; what is nested hangs below them.
        pseudonyms: replace UIDs.
        limits: an attribute that is read may be as long as they say.

    Raises:
        CineUnreadableError: it has no SOP Instance UID.
        CineUnsupportedError: it is no ultrasound image.
        LimitExceededError: an attribute that is read is too long.
    """
    header, source, references = Dataset(), Dataset(), Dataset()
    for element in elements:
        if element.tag >> 16 < _FIRST_GROUP or element.tag == PIXEL_DATA:
            continue
        action = action_on(element.tag)
        if action is Action.REPLACE_UID:
            limits.check_text(len(element.value))
            _replace_uids(header, element, pseudonyms)
        elif (action is Action.EMPTY and dictionary_has_tag(element.tag)) or element.tag in _OF_TYPE_2:
            header.add_new(element.tag, dictionary_VR(element.tag), None)
        elif action is Action.CLEAN_REFERENCES:
            references[Tag(element.tag)] = raw_element(element, limits)
        elif action is None and element.tag in _RETAINED:
            source[Tag(element.tag)] = raw_element(element, limits)
    _check(header, source)
    header.SOPClassUID = _sop_class(source)
    header.update(retain(source))
    for tag in references.keys():  # noqa: SIM118 - iterating over a Dataset converts its elements
        _add_references(header, references, keyword_for_tag(tag), pseudonyms)
    _mark(header)
    return header


def _replace_uids(header: Dataset, element: Element, pseudonyms: Pseudonyms) -> None:
    uids = [pseudonyms.uid(part) for part in bytes(element.value).split(b"\\") if part.strip(b"\0 ")]
    if uids:
        header.add_new(element.tag, "UI", uids if len(uids) > 1 else uids[0])


def _add_references(header: Dataset, references: Dataset, keyword: str, pseudonyms: Pseudonyms) -> None:
    """Keep which instances a sequence names, and of which class of the standard, and nothing else of it."""
    items = []
    found = value_of(references, keyword)
    for item in found if isinstance(found, Sequence) else ():
        instance, sop_class = text(item, "ReferencedSOPInstanceUID"), text(item, "ReferencedSOPClassUID")
        if instance and uid.UID(sop_class, validation_mode=config.IGNORE).type == "SOP Class":
            kept = Dataset()
            kept.ReferencedSOPClassUID = sop_class
            kept.ReferencedSOPInstanceUID = pseudonyms.uid(instance.encode("utf-8", "replace"))
            items.append(kept)
    if items:
        setattr(header, keyword, items)


def _sop_class(source: Dataset) -> str:
    return text(source, "SOPClassUID").strip("\0 ")


def _check(header: Dataset, source: Dataset) -> None:
    if _sop_class(source) not in _IMAGE_CLASSES:
        raise CineUnsupportedError(
            Reason.PIXELS_UNSUPPORTED,
            found="an object of another class than ultrasound",
            expected="an Ultrasound Image or Multi-frame Image (PS3.4 B.5)",
            advice="Send the cine itself: reports, screen captures and volumes are not de-identified.",
        )
    if "SOPInstanceUID" not in header:
        raise CineUnreadableError(
            Reason.HEADER_DAMAGED,
            found="an object without a SOP Instance UID",
            expected="one (PS3.3 C.12.1)",
            advice="Send the original file again.",
        )


def _mark(header: Dataset) -> None:
    """Say that, and how, the object was de-identified (PS3.15 E.1.1 item 6, PS3.3 C.7.1.1 and C.12.1)."""
    header.Modality = "US"
    header.ImageType = ["DERIVED", "PRIMARY"]  # C.7.6.1.1.2: what lies outside the sector was changed
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = METHOD
    header.DeidentificationMethodCodeSequence = [_code(*option) for option in _OPTIONS]
    header.BurnedInAnnotation = "NO"
    header.LongitudinalTemporalInformationModified = "REMOVED"


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
