"""MetaImage: samples of every type, headers in text that lie, and no second file."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, CineFormat, TimingSource
from services.cine.errors import CineUnreadableError, CineUnsupportedError, LimitExceededError, Reason
from services.cine.media.metaimage import MAX_HEADER_BYTES, is_metaimage
from services.cine.reading import read_cine
from tests.builders import as_rgb, fan_frames, metaimage_bytes

FRAMES = fan_frames(5, 20, 34)


def read(data: bytes, limits: ReadLimits | None = None) -> Cine:
    return read_cine(data, limits or ReadLimits())


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize(
    "kind", ["u1", "<u2", ">u2", "<i2", ">i2", "<u4", "<i4", ">i4", "<i8", "<u8", "<f4", ">f4", "<f8"]
)
def test_samples_come_as_they_were_written(kind: str, is_compressed: bool) -> None:
    cine = read(metaimage_bytes(FRAMES.astype(kind), is_compressed))
    assert np.array_equal(cine.grey_frames(range(5), 1), FRAMES)
    assert cine.format is CineFormat.METAIMAGE
    assert cine.pixel_spacing_mm == (0.2, 0.3)


def test_signed_bytes_are_stretched() -> None:
    signed = (FRAMES.astype(np.int16) - 128).astype(np.int8)
    low, high = int(signed.min()), int(signed.max())
    expected = np.rint((signed.astype(float) - low) * (255 / (high - low)))
    assert np.array_equal(read(metaimage_bytes(signed)).grey_frames(range(5), 1), expected)


def test_the_third_spacing_is_no_time() -> None:
    cine = read(metaimage_bytes(FRAMES))
    assert cine.timing_source is TimingSource.NONE
    assert np.allclose(cine.frame_times_ms, np.arange(5) * 33.3)


@pytest.mark.parametrize(
    ("samples", "fields"),
    [
        (FRAMES[0], {}),
        (FRAMES[:1], {}),
        (FRAMES[0], {"NDims": 4, "DimSize": "34 20 1 1", "ElementSpacing": "0.3 0.2 1 1"}),
    ],
)
def test_one_frame_may_have_two_to_four_axes(samples: Any, fields: dict[str, Any]) -> None:
    cine = read(metaimage_bytes(samples, **fields))
    assert np.array_equal(cine.store.grey(0, 1), FRAMES[0])
    assert cine.frame_count == 1


def test_time_may_be_the_fourth_axis() -> None:
    cine = read(metaimage_bytes(FRAMES, NDims=4, DimSize="34 20 1 5"))
    assert np.array_equal(cine.grey_frames(range(5), 1), FRAMES)


@pytest.mark.parametrize("name", ["MET_UCHAR", "MET_UCHAR_ARRAY"])
def test_channels_are_the_fastest_axis(name: str) -> None:
    colour = as_rgb(FRAMES)
    colour[..., 0] = 250
    cine = read(metaimage_bytes(colour, ElementType=name))
    assert np.array_equal(cine.store.colour(0, 1), colour[0])


@pytest.mark.parametrize("spacing", [None, "0 0 1", "a b", "0.3", "nan nan 1", "-1 -1 1"])
def test_spacing_that_is_not_known_is_none(spacing: str | None) -> None:
    assert read(metaimage_bytes(FRAMES, ElementSpacing=spacing)).pixel_spacing_mm is None


def test_spacing_in_another_unit_is_not_taken_for_mm() -> None:
    assert read(b"NDims = 3\nDistanceUnits = um\n" + metaimage_bytes(FRAMES)).pixel_spacing_mm is None


@pytest.mark.parametrize("name", ["patient0001_2CH_sequence.raw", "LIST", "/etc/passwd", "a%03d.raw 1 3 1", ""])
def test_samples_in_another_file_are_not_looked_for(name: str) -> None:
    with pytest.raises(CineUnsupportedError, match=r"\.mha") as caught:
        read(metaimage_bytes(FRAMES, ElementDataFile=name))
    assert caught.value.reason is Reason.PIXELS_UNSUPPORTED
    assert "passwd" not in str(caught.value)
    assert "patient" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"ElementType": "MET_LONG_DOUBLE"},
        {"ElementType": None},
        {"ElementNumberOfChannels": 2},
        {"ElementNumberOfChannels": 3, "ElementType": "MET_FLOAT"},
        {"BinaryData": "False"},
        {"NDims": 4, "DimSize": "34 10 2 5"},
    ],
)
def test_what_is_no_sequence_of_pictures_is_unsupported(fields: dict[str, Any]) -> None:
    with pytest.raises(CineUnsupportedError) as caught:
        read(metaimage_bytes(FRAMES, **fields))
    assert caught.value.reason is Reason.PIXELS_UNSUPPORTED


@pytest.mark.parametrize(
    "fields",
    [
        {"DimSize": None},
        {"DimSize": "34 20"},
        {"DimSize": "34 0 5"},
        {"DimSize": "34 -20 5"},
        {"DimSize": "34 20 five"},
        {"DimSize": "34 20 " + "9" * 6000},
        {"NDims": ""},
        {"ElementNumberOfChannels": "many"},
    ],
)
def test_a_header_that_cannot_be_is_damaged(fields: dict[str, Any]) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read(metaimage_bytes(FRAMES, **fields))
    assert caught.value.reason is Reason.HEADER_DAMAGED


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_file_that_is_cut_anywhere_is_damaged(is_compressed: bool) -> None:
    data = metaimage_bytes(FRAMES, is_compressed)
    for end in np.linspace(20, len(data) - 9, 25).astype(int):
        with pytest.raises(CineUnreadableError):
            read(data[:end])


def test_compressed_samples_that_are_damaged_are_noticed() -> None:
    data = metaimage_bytes(FRAMES, is_compressed=True)
    body = data.index(b"LOCAL\n") + 6
    with pytest.raises(CineUnreadableError) as caught:
        read(data[:body] + b"no zlib" + data[body:])
    assert caught.value.reason is Reason.PIXELS_DAMAGED


def test_a_header_without_an_end_is_not_searched_for_ever() -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read(b"ObjectType = Image\n" + b"Comment = x\n" * MAX_HEADER_BYTES)
    assert caught.value.reason is Reason.HEADER_DAMAGED


def test_what_a_header_claims_is_refused_before_anything_is_inflated() -> None:
    claims = {"DimSize": "4000 4000 40", "ElementType": "MET_UCHAR"}
    with pytest.raises(LimitExceededError) as caught:
        read(metaimage_bytes(FRAMES, is_compressed=True, **claims))
    assert caught.value.reason is Reason.LIMIT_INFLATION
    with pytest.raises(LimitExceededError) as caught:
        read(metaimage_bytes(FRAMES, DimSize="34 20 5000"))
    assert caught.value.reason is Reason.LIMIT_FRAMES


def test_more_inflates_than_the_header_accounts_for_and_is_not_looked_at() -> None:
    data = metaimage_bytes(FRAMES, is_compressed=True)
    body = data.index(b"LOCAL\n") + 6
    bomb = data[:body] + zlib.compress(FRAMES.tobytes() + bytes(10**7))
    assert np.array_equal(read(bomb).grey_frames(range(5), 1), FRAMES)


@pytest.mark.parametrize("head", [b"ObjectType = Image\n", b"NDims=3\n", b"Comment = x"])
def test_the_first_line_tells_the_format(head: bytes) -> None:
    assert is_metaimage(head)
    assert not is_metaimage(head.replace(b"=", b":"))
    assert not is_metaimage(b"Patient " + head)
