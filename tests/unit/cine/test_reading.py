"""The door: which bytes become a cine, and as what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cine.budget import ReadLimits
from services.cine.cine import CineFormat
from services.cine.errors import CineUnreadableError, LimitExceededError, Reason
from services.cine.reading import detect_format, read_cine
from tests.builders import (
    avi_bytes,
    dicom_bytes,
    fan_frames,
    gif_bytes,
    jpeg_bytes,
    metaimage_bytes,
    mp4_bytes,
    nifti_bytes,
    png_bytes,
    webm_bytes,
)

FRAMES = fan_frames(4, 48, 64)
FILES = {
    CineFormat.DICOM: dicom_bytes(FRAMES),
    CineFormat.AVI: avi_bytes(FRAMES),
    CineFormat.MP4: mp4_bytes(FRAMES),
    CineFormat.GIF: gif_bytes(FRAMES),
    CineFormat.PNG: png_bytes(FRAMES[0]),
    CineFormat.WEBM: webm_bytes(FRAMES),
    CineFormat.JPEG: jpeg_bytes(FRAMES[0]),
    CineFormat.METAIMAGE: metaimage_bytes(FRAMES),
    CineFormat.NIFTI: nifti_bytes(FRAMES),
}
STILLS = (CineFormat.PNG, CineFormat.JPEG)


@pytest.mark.parametrize("kind", CineFormat)
def test_format_is_told_from_the_bytes(kind: CineFormat) -> None:
    cine = read_cine(FILES[kind], ReadLimits())
    assert cine.format is kind
    assert (cine.rows, cine.columns) == (48, 64)
    assert cine.frame_count == (1 if kind in STILLS else 4)


@pytest.mark.parametrize("kind", CineFormat)
def test_bytes_may_come_as_a_view(kind: CineFormat) -> None:
    assert read_cine(memoryview(FILES[kind]), ReadLimits()).format is kind


@pytest.mark.parametrize("claimed", CineFormat)
@pytest.mark.parametrize("kind", CineFormat)
def test_a_false_claim_is_a_mismatch_and_a_true_one_is_not(kind: CineFormat, claimed: CineFormat) -> None:
    if kind is claimed:
        assert read_cine(FILES[kind], ReadLimits(), claimed).format is kind
        return
    with pytest.raises(CineUnreadableError) as caught:
        read_cine(FILES[kind], ReadLimits(), claimed)
    assert caught.value.reason is Reason.FORMAT_MISMATCH


@pytest.mark.parametrize(
    "head",
    [
        b"\x02\x00\x00\x00UL\x04\x00",
        b"\x08\x00\x05\x00CS\x0a\x00",
        b"\x08\x00\x16\x00UI\x1a\x00",
        b"\x08\x00\x05\x00\x0a\x00\x00\x00",
    ],
)
def test_dicom_without_a_preamble_is_told_by_its_first_element(head: bytes) -> None:
    assert detect_format(head) is CineFormat.DICOM


@pytest.mark.parametrize("head", [b"\x02\x00\x00", b"\x08\x00\x05\x00ab\x01\x01", b"\x09\x00\x05\x00CS\x0a\x00"])
def test_what_only_looks_a_little_like_dicom_is_not(head: bytes) -> None:
    assert detect_format(head) is None


@given(st.binary(max_size=200))
def test_text_and_noise_have_no_format_or_one_of_ours(data: bytes) -> None:
    assert detect_format(b"Patient: " + data) is None or data[119:123] == b"DICM"
    assert detect_format(data) in (None, *CineFormat)


@pytest.mark.parametrize(
    "head",
    [
        b"#EXTM3U\n#EXT-X-VERSION:3\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<?xml version='1.0'?><MPD>",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\n",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"BM\x36\0\0\0",
        b"II*\0",
        b"\0\0\0\x18ftypheic",
        b"\0\0\0\x18ftypavif",
    ],
)
def test_playlists_and_other_formats_are_unknown(head: bytes) -> None:
    assert detect_format(head + bytes(600)) is None


@pytest.mark.parametrize("first", [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"])
def test_quicktime_may_begin_with_any_of_its_boxes(first: bytes) -> None:
    assert detect_format(b"\0\0\0\x08" + first + bytes(200)) is CineFormat.MP4


@pytest.mark.parametrize(("data", "reason"), [(b"", Reason.EMPTY), (b"no cine", Reason.FORMAT_UNKNOWN)])
def test_bytes_that_are_no_cine_are_unreadable(data: bytes, reason: Reason) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read_cine(data, ReadLimits())
    assert caught.value.reason is reason


def test_size_is_checked_before_anything_else() -> None:
    with pytest.raises(LimitExceededError) as caught:
        read_cine(b"no cine", ReadLimits(max_bytes=6))
    assert caught.value.reason is Reason.LIMIT_BYTES
