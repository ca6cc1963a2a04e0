"""What stored samples mean: depth, window, palettes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import apply_color_lut, apply_windowing, pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from services.cine.budget import ReadLimits
from services.cine.cine import UInt8Array
from services.cine.dicom.colour import settle_ybr
from services.cine.dicom.reader import read_dicom
from services.cine.errors import CineUnsupportedError, Reason
from tests.builders import dicom_bytes

RAMP = np.arange(4096, dtype=np.uint16).reshape(1, 64, 64)
INDICES = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
ENTRIES = np.random.default_rng(0).integers(0, 65_536, (3, 256)).astype("<u2")


def grey(samples: Any, **attributes: Any) -> UInt8Array:
    return read_dicom(dicom_bytes(samples, **attributes), ReadLimits()).store.grey(0, 1)


@pytest.mark.parametrize("bits", range(1, 9))
def test_fewer_than_eight_bits_reach_from_black_to_white(bits: int) -> None:
    shown = grey(np.array([[[0, 2**bits - 1]]], np.uint8), BitsStored=bits)
    assert shown.tolist() == [[0, 255]]


def test_bits_outside_those_stored_are_masked() -> None:
    above = RAMP | 0xF000
    assert np.array_equal(grey(above, BitsStored=12, HighBit=11), RAMP[0] >> 4)
    assert np.array_equal(grey((RAMP << 4) | 0xF, BitsStored=12, HighBit=15), RAMP[0] >> 4)


@pytest.mark.parametrize("window", [(1024, 1024), (2047.5, 4096), (300, 200)])
def test_a_window_is_applied_as_the_standard_says(window: tuple[float, float]) -> None:
    attributes = {"BitsStored": 12, "WindowCenter": window[0], "WindowWidth": window[1]}
    data = dicom_bytes(RAMP, **attributes)
    wanted = apply_windowing(pixel_array(io.BytesIO(data)), dcmread(io.BytesIO(data))) / 4095 * 255
    assert np.abs(grey(RAMP, **attributes) - wanted).max() <= 0.51


def test_a_window_is_in_rescaled_values() -> None:
    plain = grey(RAMP, BitsStored=12, WindowCenter=1024, WindowWidth=512)
    rescaled = grey(
        RAMP, BitsStored=12, WindowCenter=2048 - 100, WindowWidth=1024, RescaleSlope=2, RescaleIntercept=-100
    )
    assert np.abs(plain.astype(int) - rescaled).max() <= 1


@pytest.mark.parametrize("window", [(1e6, 10), (100, 0), (100, -5), (2000, 1e9), (-3000, 50)])
def test_a_window_that_shows_nothing_is_passed_over(window: tuple[float, float]) -> None:
    shown = grey(RAMP, BitsStored=12, WindowCenter=window[0], WindowWidth=window[1])
    assert np.array_equal(shown, RAMP[0] >> 4)


def test_eight_bits_are_what_the_scanner_showed() -> None:
    assert np.array_equal(grey(INDICES, WindowCenter=60, WindowWidth=20), INDICES[0])


def palette(entries: Any = ENTRIES, first: int = 0, depth: int = 16, segmented: bool = False) -> dict[str, Any]:
    prefix = "Segmented" if segmented else ""
    return {"photometric": "PALETTE COLOR"} | {
        f"{before}{colour}PaletteColorLookupTable{after}": value
        for colour, channel in zip(("Red", "Green", "Blue"), entries, strict=True)
        for before, after, value in (
            ("", "Descriptor", [256, first, depth]),
            (prefix, "Data", channel.tobytes()),
        )
    }


def coloured(samples: Any, **attributes: Any) -> UInt8Array:
    return read_dicom(dicom_bytes(samples, **attributes), ReadLimits()).store.colour(0, 1)


@pytest.mark.parametrize("first", [0, 20])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless], ids=lambda s: s.name)
def test_a_palette_is_what_pydicom_looks_up(syntax: Any, first: int) -> None:
    data = dicom_bytes(INDICES, str(syntax), **palette(first=first))
    dataset = dcmread(io.BytesIO(data))
    wanted = apply_color_lut(pixel_array(io.BytesIO(data)), dataset) >> 8
    assert np.array_equal(read_dicom(data, ReadLimits()).store.colour(0, 1), wanted)


def test_a_palette_of_bytes_is_read() -> None:
    narrow = (ENTRIES >> 8).astype(np.uint8)
    assert np.array_equal(coloured(INDICES, **palette(narrow, depth=8)), narrow[:, INDICES[0]].transpose(1, 2, 0))


def test_a_palette_whose_depth_lies_is_read() -> None:
    narrow = (ENTRIES >> 8).astype(np.uint8)
    wanted = narrow[:, INDICES[0]].transpose(1, 2, 0)
    assert np.array_equal(coloured(INDICES, **palette(narrow, depth=16)), wanted)
    assert np.array_equal(coloured(INDICES, **palette(narrow.astype("<u2"), depth=16)), wanted)


def test_a_big_endian_palette_is_the_same_palette() -> None:
    big = coloured(INDICES, syntax=str(ExplicitVRBigEndian), **palette(ENTRIES.byteswap()))
    assert np.array_equal(big, coloured(INDICES, **palette()))


def test_sixteen_bit_indices_are_looked_up() -> None:
    wide = INDICES.astype(np.uint16) * 3  # those beyond the table have its last entry
    wanted = (ENTRIES >> 8)[:, np.minimum(wide[0], 255)].transpose(1, 2, 0)
    assert np.array_equal(coloured(wide, **palette()), wanted)


def test_segments_are_expanded() -> None:
    discrete = [0, 2, 0, 1000]
    linear = [1, 250, 60_000]
    indirect = [2, 1, 0, 0]  # the first segment again
    segments = np.array([discrete + linear + indirect + [0, 2, 5, 6]] * 3, "<u2")
    data = dicom_bytes(INDICES, **palette(segments, segmented=True))
    wanted = apply_color_lut(INDICES[0], dcmread(io.BytesIO(data))) >> 8
    shown = read_dicom(data, ReadLimits()).store.colour(0, 1)
    assert np.abs(shown.astype(int) - wanted).max() <= 1
    assert shown[0, 1].tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    "segments",
    [[], [1, 5, 100], [0, 9], [7, 1, 1], [0, 1, 5, 2, 9, 0, 0, 0], [0, 1, 5] + [1, 65_535, 9] * 40_000, [2, 1, 99, 0]],
    ids=["none", "no start", "short", "unknown", "itself", "endless", "nowhere"],
)
def test_a_damaged_palette_is_unsupported(segments: list[int]) -> None:
    with pytest.raises(CineUnsupportedError) as caught:
        coloured(INDICES, **palette(np.array([segments] * 3, "<u2"), segmented=True))
    assert caught.value.reason is Reason.PIXELS_UNSUPPORTED


def test_grey_of_a_palette_is_the_luma_of_its_colours() -> None:
    colours = coloured(INDICES, **palette())
    assert np.abs(grey(INDICES, **palette()) - colours @ np.array([0.299, 0.587, 0.114])).max() <= 1


@pytest.mark.parametrize("claim", [True, False])
def test_a_label_is_believed_where_colours_say_nothing(claim: bool) -> None:
    random = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    assert settle_ybr(random, claim) is claim
    assert settle_ybr(np.full((40, 40, 3), 128, np.uint8), claim) is claim


@pytest.mark.parametrize("claim", [True, False])
def test_a_grey_screen_says_what_its_channels_are(claim: bool) -> None:
    luma = np.random.default_rng(0).integers(0, 100, (40, 40, 1)).astype(np.uint8)
    assert settle_ybr(np.repeat(luma, 3, axis=-1), claim) is False
    assert settle_ybr(np.concatenate([luma, np.full((40, 40, 2), 128, np.uint8)], axis=-1), claim) is True
