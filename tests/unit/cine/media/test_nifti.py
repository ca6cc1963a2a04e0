"""NIfTI in one file: its axes, byte orders and scaling against nibabel, its times, and headers that lie."""

from __future__ import annotations

import gzip
from typing import Any, Literal

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from services.cine.budget import ReadLimits
from services.cine.cine import Cine, CineFormat, TimingSource
from services.cine.errors import CineUnreadableError, CineUnsupportedError, InputError, LimitExceededError, Reason
from services.cine.media.nifti import MAX_OFFSET_BYTES, is_nifti, read_nifti
from services.cine.reading import read_cine
from tests.builders import as_rgb, fan_frames, nifti_bytes

FRAMES = fan_frames(5, 20, 34)


def read(data: bytes, limits: ReadLimits | None = None) -> Cine:
    return read_cine(data, limits or ReadLimits())


def grey(cine: Cine) -> NDArray[np.int64]:
    return cine.grey_frames(range(cine.frame_count), 1).astype(np.int64)


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "u4", "i4", "i8", "u8", "f4", "f8"])
def test_samples_are_those_that_nibabel_shows(
    kind: str, version: int, order: Literal["<", ">"], is_compressed: bool
) -> None:
    data = nifti_bytes(FRAMES.astype(kind), version, order=order)
    cine = read(gzip.compress(data) if is_compressed else data)
    image: Any = (nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image).from_bytes(data)
    assert np.array_equal(grey(cine), image.get_fdata().T)  # [W,H,T] -> [T,H,W]
    assert np.array_equal(grey(cine), FRAMES)
    assert (cine.format, cine.rows, cine.columns) == (CineFormat.NIFTI, 20, 34)


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, 3.0), (2.0, -40.0), (-1.0, 255.0)])
def test_scaling_is_applied(slope: float, intercept: float) -> None:
    data = nifti_bytes(FRAMES, scl_slope=slope, scl_inter=intercept)
    image: Any = nibabel.Nifti1Image.from_bytes(data)
    values = image.get_fdata().T
    low, high = (0, 255) if values.min() >= 0 and values.max() <= 255 else (values.min(), values.max())
    assert np.abs(grey(read(data)) - (values - low) * (255 / (high - low))).max() <= 0.51


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_a_slope_that_is_none_is_left_alone(slope: float) -> None:
    assert np.array_equal(grey(read(nifti_bytes(FRAMES, scl_slope=slope, scl_inter=7.0))), FRAMES)


def test_a_single_frame_has_no_time() -> None:
    cine = read(nifti_bytes(FRAMES[0]))
    assert np.array_equal(grey(cine), FRAMES[:1])
    assert cine.timing_source is TimingSource.NONE


@pytest.mark.parametrize(
    ("frames", "step", "unit", "step_ms"),
    [
        (FRAMES, 25.0, "msec", 25.0),
        (FRAMES, 16_700.0, "usec", 16.7),
        (FRAMES[:, None], 0.04, "sec", 40.0),
        (FRAMES[:, None], 20.0, "msec", 20.0),
        (FRAMES, 1.0, "sec", None),  # as ITK writes it, which means nothing
        (FRAMES, 0.04, "sec", None),  # a third axis in seconds: it is ITK's slice distance
        (FRAMES, 1.0, "unknown", None),
        (FRAMES[:, None], 0.0, "msec", None),
        (FRAMES[:, None], 1.0, "sec", None),
    ],
)
def test_times_come_from_the_header_only_where_it_means_them(
    frames: NDArray[np.uint8], step: float, unit: str, step_ms: float | None
) -> None:
    cine = read(
        nifti_bytes(frames, zooms=(0.3, 0.2, step) if frames.ndim == 3 else (0.3, 0.2, 1, step), units=("mm", unit))
    )
    assert cine.timing_source is (TimingSource.NONE if step_ms is None else TimingSource.CONTAINER)
    assert np.allclose(cine.frame_times_ms, np.arange(5) * (step_ms or 33.3), atol=1e-3)


@pytest.mark.parametrize(("unit", "to_mm"), [("mm", 1.0), ("meter", 1000.0), ("micron", 0.001)])
def test_spacing_becomes_mm_of_rows_and_columns(unit: str, to_mm: float) -> None:
    cine = read(nifti_bytes(FRAMES, units=(unit, "unknown")))
    assert cine.pixel_spacing_mm == pytest.approx((0.2 * to_mm, 0.3 * to_mm))


@pytest.mark.parametrize("fields", [{"xyzt_units": 0}, {"pixdim": [1, 0, 0, 0, 0, 0, 0, 0]}, {"pixdim": [np.nan] * 8}])
def test_spacing_that_is_not_known_is_none(fields: dict[str, Any]) -> None:
    assert read(nifti_bytes(FRAMES, **fields)).pixel_spacing_mm is None


@pytest.mark.parametrize("code", [128, 2304])
def test_colour_keeps_its_order(code: int) -> None:
    orange = np.full((3, 8, 10, 3 if code == 128 else 4), (220, 120, 30, 9)[: 3 if code == 128 else 4], np.uint8)
    head = nifti_bytes(np.zeros((3, 8, 10), np.uint8), datatype=code)[:352]
    cine = read(head + orange.tobytes())
    assert np.array_equal(cine.store.colour(0, 1), orange[0, ..., :3])
    assert np.array_equal(cine.store.grey(0, 1), np.full((8, 10), 140))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("count", [1, 3])
def test_a_vector_of_three_is_red_green_and_blue(count: int, version: int) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (3, 1, count, 8, 10), np.uint8)  # ITK: [C, 1, T, H, W]
    cine = read(nifti_bytes(colours, version, zooms=(0.3, 0.2, 1.0, 1.0, 1.0), intent_code=1007))
    assert (cine.frame_count, cine.rows, cine.columns) == (count, 8, 10)
    assert np.array_equal(cine.store.colour(0, 1), colours[:, 0, 0].transpose(1, 2, 0))


@pytest.mark.parametrize("fields", [{"datatype": 32}, {"dim": [4, 34, 5, 2, 10, 1, 1, 1]}])
def test_what_is_no_sequence_of_pictures_is_unsupported(fields: dict[str, Any]) -> None:
    with pytest.raises(CineUnsupportedError) as caught:
        read(nifti_bytes(FRAMES, **fields))
    assert caught.value.reason is Reason.PIXELS_UNSUPPORTED


@pytest.mark.parametrize(
    "fields",
    [
        {"dim": [0] * 8},
        {"dim": [1, 34, 1, 1, 1, 1, 1, 1]},
        {"dim": [9, 34, 20, 5, 1, 1, 1, 1]},
        {"dim": [3, 34, -20, 5, 1, 1, 1, 1]},
        {"vox_offset": np.nan},
        {"vox_offset": -1},
        {"vox_offset": 2 * MAX_OFFSET_BYTES},
    ],
)
def test_a_header_that_cannot_be_is_damaged(fields: dict[str, Any]) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read(nifti_bytes(FRAMES, **fields))
    assert caught.value.reason is Reason.HEADER_DAMAGED


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_file_that_is_cut_anywhere_is_damaged(is_compressed: bool) -> None:
    data = gzip.compress(nifti_bytes(FRAMES)) if is_compressed else nifti_bytes(FRAMES)
    for end in np.linspace(360, len(data) - 9, 25).astype(int):
        with pytest.raises(CineUnreadableError):
            read(data[:end])


def test_compressed_bytes_that_were_changed_fail_their_checksum() -> None:
    data = bytearray(gzip.compress(nifti_bytes(FRAMES)))
    data[-8] ^= 1
    with pytest.raises(CineUnreadableError) as caught:
        read(bytes(data))
    assert caught.value.reason is Reason.PIXELS_DAMAGED


def test_what_a_header_claims_is_refused_before_anything_is_inflated() -> None:
    many = nifti_bytes(np.zeros((1, 8, 8), np.uint8), dim=[3, 4000, 4000, 40, 1, 1, 1, 1])
    with pytest.raises(LimitExceededError) as caught:
        read(gzip.compress(many))
    assert caught.value.reason is Reason.LIMIT_INFLATION
    with pytest.raises(LimitExceededError) as caught:
        read(nifti_bytes(FRAMES), ReadLimits(max_frames=4))
    assert caught.value.reason is Reason.LIMIT_FRAMES


def test_more_inflates_than_the_header_accounts_for_and_is_not_looked_at() -> None:
    assert read(gzip.compress(nifti_bytes(FRAMES) + bytes(10**7))).frame_count == 5


@pytest.mark.parametrize("magic", [b"ni1", b"n+3", b""])
def test_a_header_without_its_samples_is_no_nifti(magic: bytes) -> None:
    assert not is_nifti(nifti_bytes(FRAMES, magic=magic))


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"a text"), b"\x1f\x8b and no gzip", gzip.compress(bytes(10**6))],
    ids=["a text", "no gzip", "zeros"],
)
def test_gzip_of_anything_else_is_unknown(data: bytes) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read(data)
    assert caught.value.reason is Reason.FORMAT_UNKNOWN


def test_the_reader_itself_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError):
        read_nifti(as_rgb(FRAMES).tobytes(), ReadLimits())
