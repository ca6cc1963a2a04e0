"""The one door through which bytes become a cine. Untrusted bytes go through it inside the sandbox only."""

from __future__ import annotations

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, CineFormat
from services.cine.dicom.reader import read_dicom
from services.cine.errors import CineUnreadableError, Reason
from services.cine.media.containers import is_iso_media
from services.cine.media.metaimage import is_metaimage, read_metaimage
from services.cine.media.nifti import is_nifti, read_nifti
from services.cine.media.video import read_video

_DICOM_PREAMBLE_BYTES = 128
_SHORTEST_ELEMENT_BYTES = 8
_KNOWN = "DICOM, AVI, MP4, MOV, WebM, GIF, PNG, JPEG, MetaImage or NIfTI"

_MAGIC = {
    b"GIF87a": CineFormat.GIF,
    b"GIF89a": CineFormat.GIF,
    b"\x89PNG\r\n\x1a\n": CineFormat.PNG,
    b"\xff\xd8\xff": CineFormat.JPEG,
    b"\x1a\x45\xdf\xa3": CineFormat.WEBM,
}


def read_cine(data: bytes | memoryview, limits: ReadLimits, claimed: CineFormat | None = None) -> Cine:
    """Open a cine from the bytes of a file.

    Args:
        data: the whole file.
        limits: what the cine may cost.
        claimed: the format the caller names; None tells it from the first bytes.

    Returns:
        The cine, its frames not yet decoded (sequential video codecs: decoded to grey).

    Raises:
        CineUnreadableError: empty, damaged, of no known format, or not of the claimed one.
        CineUnsupportedError: a sound file of a kind that is not read.
        LimitExceededError: over a limit.
    """
    limits.check_bytes(len(data))
    if not len(data):
        raise CineUnreadableError(
            Reason.EMPTY, found="an empty file", expected="the bytes of a cine", advice="Send the file again."
        )
    found = detect_format(data)
    if found is None:
        raise CineUnreadableError(
            Reason.FORMAT_UNKNOWN,
            found="bytes of no known format",
            expected=_KNOWN,
            advice="Export the cine as DICOM or AVI and send it again.",
        )
    if claimed is not None and claimed is not found:
        raise CineUnreadableError(
            Reason.FORMAT_MISMATCH,
            found=f"{found} bytes",
            expected=f"{claimed}, as the request says",
            advice="Leave the format out, or name the right one.",
        )
    readers = {
        CineFormat.DICOM: read_dicom,
        CineFormat.METAIMAGE: read_metaimage,
        CineFormat.NIFTI: read_nifti,
    }
    return readers[found](data, limits) if found in readers else read_video(data, found, limits)


def detect_format(data: bytes | memoryview) -> CineFormat | None:
    """Tell the format from the first bytes, or None where no known magic number is there.

    A file name is never believed.
    """
    head = bytes(data[: _DICOM_PREAMBLE_BYTES + 4])
    if head[_DICOM_PREAMBLE_BYTES:] == b"DICM" or _begins_with_element(head):
        return CineFormat.DICOM
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return CineFormat.AVI
    if is_iso_media(head):
        return CineFormat.MP4
    if is_metaimage(head):
        return CineFormat.METAIMAGE
    if is_nifti(data):
        return CineFormat.NIFTI
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def _begins_with_element(head: bytes) -> bool:
    """Tell DICOM without the preamble of PS3.10 section 7.1: an element of group 0002 or 0008 comes first."""
    if head[:2] not in (b"\x02\x00", b"\x08\x00") or len(head) < _SHORTEST_ELEMENT_BYTES:
        return False
    has_representation = head[4:6].isalpha() and head[4:6].isupper()
    return has_representation or head[6:8] == b"\x00\x00"  # explicit; implicit with a length under 64 KiB
