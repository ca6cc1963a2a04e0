"""Pixels: the same inside the sector, black outside, in the syntax they came in where it loses nothing."""

from __future__ import annotations

import io
import traceback
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import FileDataset, dcmread, uid

from services.acquisition.deidentification.deidentify import deidentify
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.acquisition.deidentification.sector_mask import sector_mask
from services.cine.budget import ReadLimits
from services.cine.cine import BoolArray, Cine
from services.cine.errors import CineUnreadableError, EchoplaneError
from services.cine.reading import read_cine
from tests.builders import LOSSLESS_CODECS, as_rgb, dicom_bytes, fan_frames, jpeg_bytes, video_bytes, with_text

LIMITS = ReadLimits()
GREY = with_text(fan_frames(10, 96, 128), "DOE^JANE")
COLOUR = as_rgb(GREY, (1.0, 0.9, 0.7))
DEEP = GREY.astype(np.uint16) * 16 + 3
YBR = np.stack([GREY, np.full_like(GREY, 120), np.full_like(GREY, 140)], axis=-1)
RAW = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian)
INSTANCE = {"SOPInstanceUID": "1.2.3"}


def clean(data: bytes) -> bytes:
    target = io.BytesIO()
    deidentify(data, target, Pseudonyms(bytes(32)), LIMITS)
    return target.getvalue()


def opened(data: bytes) -> tuple[FileDataset, BoolArray]:
    """Clean an object, and give it with what had to stay."""
    return dcmread(io.BytesIO(clean(data))), sector_mask(data, LIMITS).inside


def read(data: bytes) -> Cine:
    return read_cine(data, LIMITS)


def assert_masked(cleaned: NDArray[Any], source: NDArray[Any], inside: BoolArray, black: Any = 0) -> None:
    np.testing.assert_array_equal(cleaned[:, inside], source[:, inside])
    assert (cleaned[:, ~inside] == black).all()
    assert (source[:, ~inside] != black).any()


@pytest.mark.parametrize("syntax", [*RAW, *LOSSLESS_CODECS], ids=lambda syntax: uid.UID(syntax).keyword)
@pytest.mark.parametrize("kind", ["grey", "colour", "12 bits"])
def test_lossless_syntaxes_are_kept_and_so_is_every_bit_inside(syntax: str, kind: str) -> None:
    samples = {"grey": GREY, "colour": COLOUR, "12 bits": DEEP}[kind]
    photometric = "RGB" if kind == "colour" else "MONOCHROME2"
    bits = 12 if kind == "12 bits" else 8
    dataset, inside = opened(dicom_bytes(samples, syntax, photometric, BitsStored=bits, **INSTANCE))
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert (dataset.BitsStored, dataset.HighBit, dataset.PhotometricInterpretation) == (bits, bits - 1, photometric)
    if syntax not in (uid.HTJ2KLossless, uid.JPEGLossless, uid.JPEGLosslessSV1):  # pydicom has no decoder here
        assert_masked(dataset.pixel_array, samples, inside)
        return
    cleaned = read(clean(dicom_bytes(samples, syntax, photometric, BitsStored=bits, **INSTANCE)))
    source = read(dicom_bytes(samples, syntax, photometric, BitsStored=bits, **INSTANCE))
    for index in range(len(samples)):
        assert_masked(cleaned.store.colour(index, 1)[None], source.store.colour(index, 1)[None], inside)


def test_big_endian_words_stay_so() -> None:
    dataset, inside = opened(dicom_bytes(DEEP, uid.ExplicitVRBigEndian, BitsStored=12, **INSTANCE))
    assert dataset.file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian
    assert_masked(dataset.pixel_array, DEEP, inside)


def test_planes_stay_planes() -> None:
    dataset, inside = opened(dicom_bytes(COLOUR, photometric="RGB", planar=1, **INSTANCE))
    assert dataset.PlanarConfiguration == 1
    assert_masked(dataset.pixel_array, COLOUR, inside)


def test_outside_is_black_in_luma_and_chroma() -> None:
    dataset, inside = opened(dicom_bytes(YBR, photometric="YBR_FULL", **INSTANCE))
    stored = np.frombuffer(dataset.PixelData, np.uint8).reshape(YBR.shape)
    assert_masked(stored, YBR, inside, np.array([0, 128, 128]))


def test_neighbours_that_share_their_chroma_stay_or_go_together() -> None:
    groups = np.concatenate([GREY.reshape(10, 96, 64, 2), np.full((10, 96, 64, 2), 120, np.uint8)], axis=3)
    data = dicom_bytes(GREY, photometric="YBR_FULL_422", SamplesPerPixel=3, PlanarConfiguration=0, **INSTANCE)
    whole = dcmread(io.BytesIO(data))
    whole.PixelData = groups.tobytes()
    target = io.BytesIO()
    whole.save_as(target)
    dataset, inside = opened(target.getvalue())
    pairs = inside.reshape(96, 64, 2).any(axis=2)
    stored = np.frombuffer(dataset.PixelData, np.uint8).reshape(groups.shape)
    assert dataset.PhotometricInterpretation == "YBR_FULL_422"
    assert_masked(stored, groups, pairs, np.array([0, 0, 128, 128]))


def test_inverted_grey_is_masked_with_what_is_shown_black() -> None:
    dataset, inside = opened(dicom_bytes(255 - GREY, photometric="MONOCHROME1", **INSTANCE))
    assert_masked(dataset.pixel_array, 255 - GREY, inside, 255)


def test_bits_beyond_those_stored_are_cleared() -> None:
    hidden = DEEP | np.uint16(0xF000)  # where overlays once were (PS3.5 section 8.1.2)
    dataset, inside = opened(dicom_bytes(hidden, BitsStored=12, **INSTANCE))
    assert_masked(dataset.pixel_array, DEEP, inside)
    assert not (np.frombuffer(dataset.PixelData, np.uint16) & 0xF000).any()


def test_signed_samples_keep_their_sign() -> None:
    signed = DEEP.astype(np.int16) - 2048
    dataset, inside = opened(dicom_bytes(signed, BitsStored=12, **INSTANCE))
    assert_masked(dataset.pixel_array, signed, inside, -2048)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.RLELossless])
def test_a_palette_gives_the_same_colours_and_hides_nothing(syntax: str) -> None:
    tables = {
        f"{colour}PaletteColorLookupTable{part}": value
        for place, colour in enumerate(("Red", "Green", "Blue"))
        for part, value in (
            ("Descriptor", [256, 0, 16]),
            ("Data", (np.arange(256, dtype="<u2") * (257 - place)).tobytes() + b"DOE^JANE"),
        )
    }
    data = dicom_bytes(GREY, syntax, "PALETTE COLOR", **INSTANCE, **tables)
    cleaned, inside = clean(data), sector_mask(data, LIMITS).inside
    assert b"DOE^JANE" not in cleaned
    assert_masked(dcmread(io.BytesIO(cleaned)).pixel_array, GREY, inside)
    np.testing.assert_array_equal(read(cleaned).store.colour(4, 1)[inside], read(data).store.colour(4, 1)[inside])


LOSSY = {
    "JPEG baseline": dicom_bytes(COLOUR, "jpeg", "YBR_FULL_422", **INSTANCE),
    "grey JPEG": dicom_bytes(GREY, "jpeg", **INSTANCE),
    "JPEG of a lying syntax": dicom_bytes(
        GREY, uid.JPEG2000, fragments=[jpeg_bytes(frame) for frame in GREY], LossyImageCompressionRatio="7", **INSTANCE
    ),
    "H.264": dicom_bytes(
        COLOUR,
        uid.MPEG4HP41,
        "YBR_PARTIAL_420",
        fragments=[video_bytes(COLOUR, "h264", "libx264", "yuv420p", crf="8", preset="ultrafast")],
        **INSTANCE,
    ),
}


@pytest.mark.parametrize("name", LOSSY)
def test_what_was_lossy_stays_what_a_decoder_gives_and_says_so(name: str) -> None:
    data = LOSSY[name]
    dataset, inside = opened(data)
    assert dataset.file_meta.TransferSyntaxUID == uid.JPEGLSLossless
    assert dataset.LossyImageCompression == "01"
    assert dataset.LossyImageCompressionMethod in {"ISO_10918_1", "ISO_15444_1", "ISO_14496_10"}
    assert dataset.LossyImageCompressionRatio > 1
    cleaned, source = read(clean(data)), read(data)
    assert cleaned.frame_count == source.frame_count == 10
    assert_masked(cleaned.store.colour(0, 1)[None], source.store.colour(0, 1)[None], inside)
    assert dataset.pixel_array.shape[:3] == (10, 96, 128)


def test_a_frame_that_does_not_decode_is_refused() -> None:
    frames = [jpeg_bytes(frame) for frame in GREY]
    frames[3] = frames[3][:4] + b"DOE^JANE" * 20
    with pytest.raises(CineUnreadableError) as caught:
        clean(dicom_bytes(GREY, "jpeg", fragments=frames, **INSTANCE))
    assert "DOE" not in str(caught.value)


def test_what_once_was_lossy_is_not_said_to_be_lossless() -> None:
    lying = dicom_bytes(GREY, "jpeg", LossyImageCompression="00", **INSTANCE)
    assert opened(lying)[0].LossyImageCompression == "01"
    reversible = dicom_bytes(
        GREY,
        uid.JPEG2000,
        fragments=[LOSSLESS_CODECS[uid.JPEG2000Lossless](frame) for frame in GREY],
        LossyImageCompression="00",
        **INSTANCE,
    )
    dataset, inside = opened(reversible)
    assert dataset.LossyImageCompression == "00"
    assert_masked(dataset.pixel_array, GREY, inside)


def test_what_another_library_says_of_damage_is_not_passed_on() -> None:
    data = dicom_bytes(GREY, NumberOfFrames=None, **INSTANCE)
    dataset = dcmread(io.BytesIO(data))
    dataset.add_new("NumberOfFrames", "LO", "DOE^JANE")
    target = io.BytesIO()
    dataset.save_as(target)
    with pytest.raises(CineUnreadableError) as caught:
        clean(target.getvalue())
    assert "DOE" not in "".join(traceback.format_exception(caught.value))


def test_a_raw_object_of_an_odd_length_ends_even() -> None:
    frames = with_text(fan_frames(9, 95, 127), "DOE^JANE")
    assert len(clean(dicom_bytes(frames, **INSTANCE))) % 2 == 0


def test_the_same_object_and_key_give_the_same_bytes() -> None:
    data = LOSSY["JPEG baseline"]
    assert clean(data) == clean(data)


def test_cleaning_again_changes_identifiers_alone() -> None:
    once = clean(dicom_bytes(GREY, **INSTANCE))
    twice = clean(once)
    np.testing.assert_array_equal(dcmread(io.BytesIO(twice)).pixel_array, dcmread(io.BytesIO(once)).pixel_array)


@pytest.mark.parametrize("data", [b"", b"DOE^JANE" * 40, LOSSY["grey JPEG"][:900]], ids=["empty", "text", "cut"])
def test_damage_is_one_of_our_errors(data: bytes) -> None:
    with pytest.raises(EchoplaneError) as caught:
        clean(data)
    assert "DOE" not in str(caught.value)
