"""Every lossless way to store pixels gives the samples back, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, UInt8Array
from services.cine.dicom.reader import read_dicom
from tests.builders import LOSSLESS_CODECS, dicom_bytes, fan_frames, jpeg_lossless_bytes

RAW = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
SYNTAXES = [pytest.param(str(syntax), id=syntax.name) for syntax in (*RAW, *LOSSLESS_CODECS)]
ROWS, COLUMNS = 23, 38


def read(data: bytes) -> Cine:
    return read_dicom(data, ReadLimits())


def noise(frames: int, bits: int, channels: int = 1, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[Any]:
    shape = (frames, rows, columns) + ((channels,) if channels > 1 else ())
    values = np.random.default_rng(bits).integers(0, 2**bits, shape)
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def grey_levels(stored: NDArray[Any], bits: int) -> UInt8Array:
    return np.asarray(stored >> (bits - 8), np.uint8)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_grey_is_what_was_stored(syntax: str, photometric: str, bits: int, frames: int) -> None:
    stored = noise(frames, bits)
    cine = read(dicom_bytes(stored, syntax, photometric, BitsStored=bits))
    wanted = grey_levels(stored, bits)
    wanted = 255 - wanted if photometric == "MONOCHROME1" else wanted
    assert np.array_equal(cine.grey_frames(range(frames), 1), wanted)
    assert np.array_equal(cine.store.colour(frames - 1, 1), np.repeat(wanted[-1][..., None], 3, axis=-1))


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_colour_is_what_was_stored(syntax: str, bits: int, planar: int) -> None:
    stored = noise(2, bits, channels=3)
    planes = planar if syntax in RAW else 0
    data = dicom_bytes(stored, syntax, "RGB", planes, BitsStored=bits, PlanarConfiguration=planar)  # compressed: a lie
    cine = read(data)
    assert all(np.array_equal(cine.store.colour(k, 1), grey_levels(stored[k], bits)) for k in range(2))


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_luma_is_the_first_of_the_stored_samples(syntax: str, photometric: str) -> None:
    stored = noise(2, 8, channels=3, columns=39)  # an odd width has no halved chroma, whatever the label says
    cine = read(dicom_bytes(stored, syntax, photometric))
    assert np.array_equal(cine.grey_frames([0, 1], 1), stored[..., 0])


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_signed_samples_keep_their_order(syntax: str) -> None:
    stored = np.sort(np.random.default_rng(0).integers(-(2**15), 2**15, 60 * 40)).astype(np.int16).reshape(1, 60, 40)
    patterns = stored.view(np.uint16)
    data = dicom_bytes(patterns, syntax, PixelRepresentation=1)
    assert np.array_equal(read(data).store.grey(0, 1), ((stored[0].astype(int) + 2**15) >> 8))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("frames", [60, 600])
def test_many_frames_come_in_their_order(syntax: str, frames: int) -> None:
    stored = noise(frames, 8, rows=8, columns=8)
    cine = read(dicom_bytes(stored, syntax, FrameTime=20.0))
    assert np.array_equal(cine.grey_frames(range(frames), 1), stored)
    assert np.allclose(cine.frame_times_ms, np.arange(frames) * 20.0, atol=1)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_lossless_with_any_predictor(predictor: int, bits: int) -> None:
    stored = noise(1, bits)
    fragments = [jpeg_lossless_bytes(stored[0], bits, predictor)]
    cine = read(dicom_bytes(stored, "1.2.840.10008.1.2.4.57", fragments=fragments, BitsStored=bits))
    assert np.array_equal(cine.store.grey(0, 1), grey_levels(stored[0], bits))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_a_reduced_frame_shows_the_same_picture(syntax: str, reduction: int) -> None:
    frames = fan_frames(1, 121, 161)
    cine = read(dicom_bytes(frames, syntax))
    reduced = cine.store.grey(0, reduction)
    assert reduced.shape == (-(-121 // reduction), -(-161 // reduction))
    from_whole = read(dicom_bytes(frames)).store.grey(0, reduction)
    assert np.abs(reduced.astype(int) - from_whole).mean() < 8
    assert abs(float(reduced.mean()) - float(from_whole.mean())) < 2
