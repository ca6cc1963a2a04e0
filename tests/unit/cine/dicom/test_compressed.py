"""Compressed DICOM pixels: fragments, labels that lie, lossy codecs, damage."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSLossless, RLELossless

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, UInt8Array
from services.cine.dicom.reader import read_dicom
from services.cine.errors import CineUnreadableError, CineUnsupportedError, InputError
from tests.builders import (
    LOSSLESS_CODECS,
    as_rgb,
    described,
    dicom_bytes,
    fan_frames,
    jpeg_bytes,
    rle_bytes,
    save_dicom,
    video_bytes,
    without_adobe,
)

NOISE = np.random.default_rng(3).integers(0, 256, (3, 23, 37, 3)).astype(np.uint8)
SMOOTH = as_rgb(fan_frames(2, 60, 90), (1.0, 0.7, 0.4))


def read(data: bytes) -> Cine:
    return read_dicom(data, ReadLimits())


def read_all(data: bytes) -> UInt8Array:
    cine = read(data)
    return cine.grey_frames(range(cine.frame_count), 1)


# ---- fragments and offset tables ------------------------------------------------------------------------------------

PIECES = [fan_frames(3, 40, 60)[k] for k in range(3)]


def encapsulated(pixel_data: bytes, frames: int | None = 3, **attributes: Any) -> bytes:
    dataset = described(np.stack(PIECES), "MONOCHROME2")
    dataset.PixelData = pixel_data
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    if frames is None:
        del dataset.NumberOfFrames
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return save_dicom(dataset, str(JPEGBaseline8Bit))


def shown(pixel_data: bytes, frames: int | None = 3, **attributes: Any) -> bool:
    """Whether all frames come out in their order."""
    cine = read(encapsulated(pixel_data, frames, **attributes))
    wanted = [np.asarray(Image.open(io.BytesIO(jpeg_bytes(piece)))) for piece in PIECES]
    return cine.frame_count == 3 and np.array_equal(cine.grey_frames(range(3), 1), np.stack(wanted))


JPEGS = [jpeg_bytes(piece) for piece in PIECES]


@pytest.mark.parametrize("has_bot", [True, False])
@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize("frames", [3, None])
def test_frames_in_several_fragments_are_put_together(pieces: int, has_bot: bool, frames: int | None) -> None:
    assert shown(encapsulate(JPEGS, fragments_per_frame=pieces, has_bot=has_bot), frames)


def test_a_false_offset_table_does_no_harm() -> None:
    whole = bytearray(encapsulate(JPEGS, fragments_per_frame=2))
    whole[12:16] = (77).to_bytes(4, "little")  # the second frame's offset
    assert shown(bytes(whole))


def test_an_extended_offset_table_tells_frames_apart() -> None:
    pixels, offsets, lengths = encapsulate_extended(JPEGS)
    assert shown(pixels, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)


def test_run_lengths_in_several_fragments_need_the_offset_table() -> None:
    dataset = described(np.stack(PIECES), "MONOCHROME2")
    dataset.PixelData = encapsulate([rle_bytes(piece) for piece in PIECES], fragments_per_frame=2)
    data = save_dicom(dataset, str(RLELossless))
    assert np.array_equal(read(data).grey_frames(range(3), 1), np.stack(PIECES))


def test_number_of_frames_that_is_missing_is_counted_in_raw_pixels() -> None:
    assert read(dicom_bytes(NOISE, photometric="RGB", NumberOfFrames=None)).frame_count == len(NOISE)


# ---- labels that lie ------------------------------------------------------------------------------------------------

SCREEN = as_rgb(fan_frames(2, 60, 90))
SCREEN[:, :6, :6] = (200, 40, 10)


@pytest.mark.parametrize("syntax", [s for s in LOSSLESS_CODECS if s != RLELossless], ids=lambda s: s.name)
def test_rgb_that_is_labelled_ybr_is_shown_as_rgb(syntax: str) -> None:
    cine = read(dicom_bytes(SCREEN, syntax, "YBR_FULL"))
    assert np.array_equal(cine.store.colour(1, 1), SCREEN[1])


@pytest.mark.parametrize("label", ["YBR_FULL", "YBR_FULL_422", "RGB"])
@pytest.mark.parametrize("keep_rgb", [True, False])
def test_jpeg_colours_are_right_whatever_the_label_says(label: str, keep_rgb: bool) -> None:
    jpegs = [
        without_adobe(jpeg_bytes(frame, True)) if keep_rgb else jpeg_bytes(frame, subsampling="4:4:4")
        for frame in SCREEN
    ]
    cine = read(dicom_bytes(SCREEN, "jpeg", label, fragments=jpegs))
    assert np.abs(cine.store.colour(0, 1).astype(int) - SCREEN[0]).mean() < 3
    assert np.abs(cine.store.grey(0, 1).astype(int) - fan_frames(1, 60, 90)[0]).mean() < 4


def test_another_codestream_than_the_transfer_syntax_names_is_read() -> None:
    frames = fan_frames(2)
    fragments = [LOSSLESS_CODECS[JPEGLSLossless](frame) for frame in frames]
    assert np.array_equal(read_all(dicom_bytes(frames, "jpeg", fragments=fragments)), frames)


@pytest.mark.parametrize("label", ["MONOCHROME2", "RGB"])
def test_samples_per_pixel_are_those_of_the_codestream(label: str) -> None:
    grey, coloured = fan_frames(2), as_rgb(fan_frames(2))
    stored, other = (coloured, grey) if label == "RGB" else (grey, coloured)
    fragments = [LOSSLESS_CODECS[JPEGLSLossless](frame) for frame in other]
    assert np.array_equal(read_all(dicom_bytes(stored, str(JPEGLSLossless), label, fragments=fragments)), grey)


# ---- lossy ----------------------------------------------------------------------------------------------------------


def test_twelve_bit_jpeg_is_close_to_what_was_encoded() -> None:
    deep = fan_frames(1).astype(np.uint16) << 4
    fragments = [bytes(imagecodecs.jpeg8_encode(deep[0], level=95, bitspersample=12))]
    cine = read(dicom_bytes(deep, str(JPEGExtended12Bit), fragments=fragments, BitsStored=12))
    assert np.abs(cine.store.grey(0, 1).astype(int) - fan_frames(1)[0]).mean() < 2


def test_lossy_jpeg_2000_is_within_a_grey_level_of_pillow() -> None:
    frame = SMOOTH[0]
    stream = bytes(imagecodecs.jpeg2k_encode(frame, level=40))
    cine = read(dicom_bytes(SMOOTH[:1], str(JPEG2000), "YBR_ICT", fragments=[stream]))
    wanted = np.asarray(Image.open(io.BytesIO(stream)))
    assert np.abs(cine.store.colour(0, 1).astype(int) - wanted).max() <= 1


def test_near_lossless_jpeg_ls_keeps_its_bound() -> None:
    frames = fan_frames(1)
    stream = bytes(imagecodecs.jpegls_encode(frames[0], level=3))
    cine = read(dicom_bytes(frames, "1.2.840.10008.1.2.4.81", fragments=[stream]))
    assert np.abs(cine.store.grey(0, 1).astype(int) - frames[0]).max() <= 3


@pytest.mark.parametrize(
    ("syntax", "container", "codec"),
    [("1.2.840.10008.1.2.4.100", "mpeg2video", "mpeg2video"), ("1.2.840.10008.1.2.4.102.1", "h264", "libx264")],
)
def test_encapsulated_video_counts_its_own_frames(syntax: str, container: str, codec: str) -> None:
    frames = fan_frames(12, 64, 96)
    stream = video_bytes(frames, container, codec, "yuv420p", 25.0)
    third = len(stream) // 3
    pieces = [stream[:third], stream[third:]]
    cine = read(dicom_bytes(as_rgb(frames), syntax, "YBR_PARTIAL_420", fragments=pieces, NumberOfFrames=11))
    assert cine.frame_count == 12
    assert cine.timing_source == "FrameTime"
    assert np.abs(cine.store.grey(5, 1).astype(int) - frames[5]).mean() < 8


# ---- damage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", LOSSLESS_CODECS, ids=lambda syntax: syntax.name)
def test_damaged_frames_are_a_frame_or_a_typed_error(syntax: str) -> None:
    frame, random = fan_frames(1, 24, 32), np.random.default_rng(0)
    whole = LOSSLESS_CODECS[syntax](frame[0])
    for _ in range(150):
        damaged = bytearray(whole[: random.integers(4, len(whole) + 1)])
        damaged[random.integers(len(damaged))] = random.integers(256)
        for reduction in (1, 8):
            try:
                grey = read(dicom_bytes(frame, str(syntax), fragments=[bytes(damaged)])).store.grey(0, reduction)
            except InputError:
                continue
            assert grey.shape == (24 // reduction, 32 // reduction)


@pytest.mark.parametrize("number", [0, 1, 15, 16, 2**31])
@pytest.mark.parametrize("value", [0, 63, 2**31, 2**32 - 1])
def test_run_lengths_whose_header_lies_are_damage(number: int, value: int) -> None:
    stream = bytearray(rle_bytes(NOISE[0]))
    at = min(number, 3) * 4
    stream[at : at + 4] = value.to_bytes(4, "little")
    with pytest.raises(CineUnreadableError):
        read_all(dicom_bytes(NOISE[:1], str(RLELossless), "RGB", fragments=[bytes(stream)]))


def test_a_frame_of_another_kind_than_the_first_is_damage() -> None:
    frames = fan_frames(2)
    fragments = [LOSSLESS_CODECS[JPEGLSLossless](frames[0]), jpeg_bytes(frames[1])]
    with pytest.raises(CineUnreadableError, match="another kind"):
        read_all(dicom_bytes(frames, str(JPEGLSLossless), fragments=fragments))


def test_four_components_are_not_read() -> None:
    stream = bytes(imagecodecs.jpeg8_encode(np.zeros((20, 30, 4), np.uint8)))
    with pytest.raises(CineUnsupportedError):
        read_all(dicom_bytes(np.zeros((1, 20, 30, 3), np.uint8), "jpeg", "RGB", fragments=[stream]))
