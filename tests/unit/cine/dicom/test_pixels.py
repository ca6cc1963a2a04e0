"""Pixels of DICOM objects, held to what pydicom and Pillow make of the same bytes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRBigEndian

from services.cine.budget import ReadLimits
from services.cine.cine import REDUCTIONS, Cine, UInt8Array
from services.cine.dicom.reader import read_dicom
from services.cine.errors import CineUnreadableError, CineUnsupportedError, InputError, Reason
from tests.builders import as_rgb, described, dicom_bytes, fan_frames, jpeg_bytes, save_dicom, without_adobe

NOISE = np.random.default_rng(3).integers(0, 256, (3, 23, 37, 3)).astype(np.uint8)
SMOOTH = as_rgb(fan_frames(2, 60, 90), (1.0, 0.7, 0.4))

RAW = [("MONOCHROME1", 0), ("MONOCHROME2", 0), ("RGB", 0), ("RGB", 1), ("YBR_FULL", 0), ("YBR_FULL", 1)]


def read(data: bytes) -> Cine:
    return read_dicom(data, ReadLimits())


def read_all(data: bytes) -> UInt8Array:
    cine = read(data)
    return cine.grey_frames(range(cine.frame_count), 1)


def raw_file(photometric: str, planar: int = 0) -> bytes:
    samples = NOISE[..., 0] if photometric.startswith("MONOCHROME") else NOISE
    return dicom_bytes(samples, "raw", photometric, planar)


def expected_rgb(data: bytes, photometric: str, index: int) -> UInt8Array:
    """What pydicom decodes, as RGB; it leaves MONOCHROME1 as it is stored."""
    decoded = pixel_array(io.BytesIO(data), index=index)
    if photometric == "MONOCHROME1":
        decoded = 255 - decoded
    return np.repeat(decoded[..., None], 3, axis=-1) if decoded.ndim == 2 else decoded


@pytest.mark.parametrize(("photometric", "planar"), RAW)
def test_raw_colour_is_what_pydicom_decodes(photometric: str, planar: int) -> None:
    data = raw_file(photometric, planar)
    cine = read(data)
    tolerance = 1 if photometric == "YBR_FULL" else 0  # both round the same matrix, at different places
    for index in range(len(NOISE)):
        difference = cine.store.colour(index, 1).astype(int) - expected_rgb(data, photometric, index)
        assert np.abs(difference).max() <= tolerance


@pytest.mark.parametrize(("photometric", "planar"), RAW)
def test_raw_grey_is_the_luma_of_the_colour(photometric: str, planar: int) -> None:
    data = raw_file(photometric, planar)
    luma = NOISE[1] @ np.array([0.299, 0.587, 0.114])
    wanted = {"MONOCHROME1": 255.0 - NOISE[1, ..., 0], "RGB": luma}.get(photometric, NOISE[1, ..., 0])
    assert np.abs(read(data).store.grey(1, 1) - wanted).max() <= 1


def pillow(jpeg: bytes, mode: str) -> UInt8Array:
    image = Image.open(io.BytesIO(jpeg))
    image.draft(mode, image.size)  # luma straight from the decoder, where there is one
    return np.asarray(image.convert(mode))


JPEG = [("MONOCHROME1", True), ("MONOCHROME2", True), ("YBR_FULL_422", True), ("RGB", True), ("RGB", False)]


@pytest.mark.parametrize(("photometric", "has_marker"), JPEG)
def test_jpeg_is_within_a_grey_level_of_pillow(photometric: str, has_marker: bool) -> None:
    samples = SMOOTH[..., 0] if photometric.startswith("MONOCHROME") else SMOOTH
    marked = [jpeg_bytes(frame, keep_rgb=photometric == "RGB") for frame in samples]
    fragments = marked if has_marker else [without_adobe(jpeg) for jpeg in marked]  # Pillow cannot do without
    cine = read(dicom_bytes(samples, "jpeg", photometric, fragments=fragments))
    for index, jpeg in enumerate(marked):
        for mode, decoded in (("RGB", cine.store.colour(index, 1)), ("L", cine.store.grey(index, 1))):
            wanted = 255 - pillow(jpeg, mode) if photometric == "MONOCHROME1" else pillow(jpeg, mode)
            assert np.abs(decoded.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("syntax", "photometric"), [("raw", "RGB"), ("raw", "MONOCHROME2"), ("jpeg", "YBR_FULL_422")])
def test_reduced_frame_has_the_ceiling_of_the_shape_and_the_same_picture(
    syntax: str, photometric: str, reduction: int
) -> None:
    samples = fan_frames(1, 61, 93) if photometric == "MONOCHROME2" else as_rgb(fan_frames(1, 61, 93))
    cine = read(dicom_bytes(samples, syntax, photometric))
    grey, colour = cine.store.grey(0, reduction), cine.store.colour(0, reduction)
    assert grey.shape == (-(-61 // reduction), -(-93 // reduction))
    assert colour.shape == (*grey.shape, 3)
    assert abs(float(grey.mean()) - float(cine.store.grey(0, 1).mean())) < 4
    assert np.abs(colour.mean(axis=-1) - grey).mean() < 2


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reduced_jpeg_keeps_the_order_of_red_green_and_blue(reduction: int) -> None:
    red = np.zeros((1, 64, 64, 3), np.uint8)
    red[..., 0] = 200
    colour = read(dicom_bytes(red, "jpeg", "YBR_FULL_422")).store.colour(0, reduction)
    assert np.allclose(colour.mean(axis=(0, 1)), (200, 0, 0), atol=3)


def test_odd_pixel_data_is_read_without_its_padding() -> None:
    samples = NOISE[:1, :, :, 0]
    assert samples.size % 2
    assert np.array_equal(read(dicom_bytes(samples)).grey_frames([0], 1), samples)


@pytest.mark.parametrize(("spare_bytes", "is_read"), [(2, True), (20, True), (22, False), (36, False)])
def test_padding_is_less_than_one_row_or_column_left_over(spare_bytes: int, is_read: bool) -> None:
    samples = NOISE[:, :22, :36, 0]
    data = dicom_bytes(samples)
    at = data.index(b"\xe0\x7f\x10\x00OB\0\0") + 8
    padded = data[:at] + (samples.size + spare_bytes).to_bytes(4, "little") + data[at + 4 :] + bytes(spare_bytes)
    if is_read:
        assert np.array_equal(read(padded).grey_frames(range(3), 1), samples)
    else:
        with pytest.raises(CineUnreadableError):
            read(padded)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (
            {"syntax": "1.2.840.10008.1.2.4.94", "fragments": [b"\0\0"]},
            Reason.CODEC_UNSUPPORTED,
        ),  # JPIP: the pixels are elsewhere
        ({"BitsAllocated": 32}, Reason.PIXELS_UNSUPPORTED),
        ({"BitsAllocated": 1, "BitsStored": 1}, Reason.PIXELS_UNSUPPORTED),
        ({"BitsStored": 9}, Reason.PIXELS_UNSUPPORTED),
        ({"photometric": "HSV"}, Reason.PIXELS_UNSUPPORTED),
        ({"photometric": "PALETTE COLOR"}, Reason.PIXELS_UNSUPPORTED),
        ({"photometric": "RGB"}, Reason.PIXELS_UNSUPPORTED),
        ({"photometric": "MONOCHROME2", "SamplesPerPixel": 3}, Reason.PIXELS_UNSUPPORTED),
        ({"Rows": 0}, Reason.PIXELS_UNSUPPORTED),
    ],
)
def test_pixels_of_a_kind_that_is_not_read_are_unsupported(attributes: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(CineUnsupportedError) as caught:
        read(dicom_bytes(fan_frames(2), **attributes))
    assert caught.value.reason is reason


def test_a_transfer_syntax_that_the_standard_does_not_know_is_not_repeated() -> None:
    with pytest.raises(CineUnsupportedError) as caught:
        read(dicom_bytes(fan_frames(2), "1.2.3.4.19520229"))
    assert "19520229" not in str(caught.value)


@pytest.mark.parametrize("change", [{"NumberOfFrames": 3}, {"NumberOfFrames": 1}, {"Rows": 119}, {"Columns": 161}])
@pytest.mark.parametrize("syntax", ["raw", "jpeg"])
def test_more_or_fewer_pixels_than_the_header_says_are_damage(syntax: str, change: dict[str, Any]) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read_all(dicom_bytes(fan_frames(2), syntax, **change))
    assert caught.value.reason is Reason.PIXELS_DAMAGED


def with_false_size(jpeg: bytes) -> bytes:
    header = jpeg.index(b"\xff\xc0")
    return jpeg[: header + 5] + b"\x75\x30\x75\x30" + jpeg[header + 9 :]  # 30000 x 30000


@pytest.mark.parametrize(
    "fragment",
    [b"\0\0", b"\xff\xd8", b"no JPEG at all", with_false_size(jpeg_bytes(fan_frames(1)[0])), jpeg_bytes(NOISE[0])],
    ids=["empty", "start", "text", "false size", "another size"],
)
def test_a_fragment_that_is_not_the_frame_it_should_be_is_damage(fragment: bytes) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read_all(dicom_bytes(fan_frames(2), "jpeg", fragments=[fragment, fragment]))
    assert caught.value.reason is Reason.PIXELS_DAMAGED


@pytest.mark.parametrize("marker", [b"\xff\xff\xff", b"\xff\x01", b"\xff\xd0", b"\xff\xe5\x00\x04ab"])
def test_fill_and_foreign_segments_before_the_frame_header_do_no_harm(marker: bytes) -> None:
    jpeg = jpeg_bytes(fan_frames(1)[0])
    fragments = [jpeg[:2] + marker + jpeg[2:]]
    cine = read(dicom_bytes(fan_frames(1), "jpeg", fragments=fragments))
    assert np.array_equal(cine.store.grey(0, 1), np.asarray(Image.open(io.BytesIO(jpeg))))


def test_every_frame_of_a_jpeg_cine_can_be_cut_anywhere() -> None:
    data = dicom_bytes(fan_frames(3, 40, 60), "jpeg")
    for end in range(140, len(data) - 1, 97):
        with pytest.raises(InputError):
            read_all(data[:end])


def test_a_damaged_item_between_fragments_is_damage() -> None:
    data = dicom_bytes(fan_frames(2), "jpeg")
    at = data.rindex(b"\xfe\xff\x00\xe0")
    with pytest.raises(CineUnreadableError):
        read_all(data[:at] + b"\xfe\xff\x01\xe0" + data[at + 4 :])


def test_another_modality_is_told_and_its_pixels_are_not_looked_at() -> None:
    cine = read(dicom_bytes(NOISE[..., 0], Modality="CT", BitsAllocated=16))
    assert not cine.is_ultrasound
    for decode in (cine.store.grey, cine.store.colour):
        with pytest.raises(CineUnsupportedError):
            decode(0, 1)


def test_pixel_data_of_an_impossible_type_is_damage() -> None:
    data = dicom_bytes(fan_frames(1))
    at = data.index(b"\xe0\x7f\x10\x00OB") + 4
    for kind in (b"SQ", b"FD", b"US", b"LO"):
        with pytest.raises(CineUnreadableError):
            read(data[:at] + kind + data[at + 2 :])


# ---- uncompressed YBR_FULL_422, big-endian words --------------------------------------------------------------------


def test_uncompressed_halved_chroma_is_what_pydicom_decodes() -> None:
    groups = np.random.default_rng(0).integers(0, 256, (2, 20, 15, 4)).astype(np.uint8)  # Y1 Y2 Cb Cr
    dataset = described(np.zeros((2, 20, 30, 3), np.uint8), "YBR_FULL_422")
    dataset.PixelData = groups.tobytes()
    data = save_dicom(dataset, "1.2.840.10008.1.2.1")
    cine = read(data)
    wanted = pixel_array(io.BytesIO(data))
    assert np.array_equal(cine.grey_frames([0, 1], 1), groups[..., :2].reshape(2, 20, 30))
    assert np.abs(cine.store.colour(1, 1).astype(int) - wanted[1]).max() <= 1


@pytest.mark.parametrize(("spare_bytes", "is_read"), [(38, True), (40, False), (60, False)])
def test_halved_chroma_may_be_padded_by_less_than_one_column(spare_bytes: int, is_read: bool) -> None:
    groups = np.random.default_rng(0).integers(0, 256, (2, 20, 15, 4)).astype(np.uint8)
    dataset = described(np.zeros((2, 20, 30, 3), np.uint8), "YBR_FULL_422")
    dataset.PixelData = groups.tobytes() + bytes(spare_bytes)
    data = save_dicom(dataset, "1.2.840.10008.1.2.1")
    if is_read:
        assert np.array_equal(read(data).grey_frames([0, 1], 1), groups[..., :2].reshape(2, 20, 30))
    else:
        with pytest.raises(CineUnreadableError):
            read(data)


def test_bytes_in_big_endian_words_are_put_in_order() -> None:
    samples = NOISE[:, :, :36, 0]
    dataset = described(samples, "MONOCHROME2")
    dataset.add_new("PixelData", "OW", samples.tobytes())
    data = save_dicom(dataset, str(ExplicitVRBigEndian))
    assert np.array_equal(read(data).grey_frames([0, 1, 2], 1), pixel_array(io.BytesIO(data)))
