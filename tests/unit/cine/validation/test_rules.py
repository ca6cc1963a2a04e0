"""Each finding, on a cine that has it and on one that has not."""

from __future__ import annotations

import numpy as np
import pytest

from services.cine.cine import UInt8Array
from services.cine.intake import IntakeOptions, take_in
from services.cine.validation.findings import FindingCode, Severity
from services.cine.validation.rules import LEAST_DURATION_MS, LEAST_FRAMES
from tests.builders import as_rgb, dicom_bytes, fan_frames, gif_bytes, still_frames, with_colour_box

SEPIA = (1.0, 0.82, 0.6)
BLUE = (0.75, 0.85, 1.0)


def codes(data: bytes) -> set[FindingCode]:
    return {finding.code for finding in take_in(data, IntakeOptions()).findings}


def rgb(frames: UInt8Array) -> bytes:
    return dicom_bytes(frames, photometric="RGB")


def test_a_moving_grey_cine_has_nothing_to_find() -> None:
    assert codes(dicom_bytes(fan_frames())) == set()
    assert codes(rgb(as_rgb(fan_frames()))) == set()


@pytest.mark.parametrize("syntax", ["raw", "jpeg"])
def test_a_colour_box_is_found(syntax: str) -> None:
    assert codes(dicom_bytes(with_colour_box(as_rgb(fan_frames())), syntax, "RGB")) == {FindingCode.COLOUR_DOPPLER}


@pytest.mark.parametrize("gain", [0.6, 1.0, 1.4])
@pytest.mark.parametrize("tint", [SEPIA, BLUE], ids=["sepia", "blue"])
def test_a_tinted_grey_map_is_a_warning_however_bright(tint: tuple[float, float, float], gain: float) -> None:
    intake = take_in(rgb(as_rgb(brighter(gain), tint)), IntakeOptions())
    assert [finding.code for finding in intake.findings] == [FindingCode.ABNORMAL_COLOURING]
    assert intake.findings[0].severity is Severity.WARNING
    assert intake.is_accepted
    assert len(intake.model_input)


@pytest.mark.parametrize("flow", [(230, 20, 10), (10, 60, 240), (250, 240, 20)], ids=["towards", "away", "fast"])
@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), SEPIA], ids=["grey", "sepia"])
@pytest.mark.parametrize("share", [0.12, 0.2, 0.4])
def test_flow_of_one_colour_is_found_over_any_grey_map(
    flow: tuple[int, int, int], tint: tuple[float, float, float], share: float
) -> None:
    frames = with_colour_box(as_rgb(fan_frames(), tint), [flow], share)
    assert codes(rgb(frames)) == {FindingCode.COLOUR_DOPPLER}


def brighter(gain: float) -> UInt8Array:
    return np.asarray(np.minimum(fan_frames() * gain, 255), np.uint8)


def test_colour_outside_the_sector_is_no_colour_doppler() -> None:
    frames = as_rgb(fan_frames())
    frames[:, :8, :, 0] = 255  # a red bar of the screen
    assert codes(rgb(frames)) == set()


@pytest.mark.parametrize("shown", [slice(0, 3), slice(5, 9), slice(11, 14)], ids=["early", "amid", "late"])
def test_colour_is_found_also_when_it_is_not_always_on(shown: slice) -> None:
    frames = as_rgb(fan_frames(14))
    frames[shown] = with_colour_box(as_rgb(fan_frames(14)))[shown]
    assert codes(rgb(frames)) == {FindingCode.COLOUR_DOPPLER}


def test_one_frame_is_a_still_and_the_view_is_told_beside_it() -> None:
    intake = take_in(dicom_bytes(still_frames(1)), IntakeOptions())
    assert [finding.code for finding in intake.findings] == [FindingCode.STILL]
    assert intake.model_input.shape[0] == 1


def frozen(kind: str) -> UInt8Array:
    """A picture that stands still: as it is, under a running clock, or under a recorder's noise."""
    frames, rng = still_frames(14), np.random.default_rng(0)
    if kind == "clock":
        frames[:, 4:10, 4:40] = rng.integers(0, 255, (len(frames), 6, 36))
    if kind == "noise":
        frames = np.asarray(np.clip(frames + rng.normal(0, 0.8, frames.shape).round(), 0, 255), np.uint8)
    return frames


@pytest.mark.parametrize("kind", ["untouched", "clock", "noise"])
def test_frames_that_do_not_move_are_frozen(kind: str) -> None:
    intake = take_in(dicom_bytes(frozen(kind)), IntakeOptions())
    assert [finding.code for finding in intake.findings] == [FindingCode.FROZEN]
    assert len(intake.model_input)


@pytest.mark.parametrize(
    ("count", "step_ms", "is_short"),
    [
        (LEAST_FRAMES, LEAST_DURATION_MS / LEAST_FRAMES + 0.1, False),
        (LEAST_FRAMES, LEAST_DURATION_MS / LEAST_FRAMES - 0.1, True),
        (LEAST_FRAMES - 1, 100.0, True),
        (60, 5.0, True),
        (60, 16.7, False),
    ],
)
def test_too_few_frames_or_too_little_time_is_found(count: int, step_ms: float, is_short: bool) -> None:
    found = codes(dicom_bytes(fan_frames(count), FrameTime=step_ms))
    assert found == ({FindingCode.TOO_SHORT} if is_short else set())


def test_a_short_cine_is_rejected_with_its_length() -> None:
    intake = take_in(dicom_bytes(fan_frames(5), FrameTime=20.0), IntakeOptions())
    assert "5 frames in 100 ms" in intake.findings[0].message


def test_too_short_is_told_from_uneven_times() -> None:
    assert codes(gif_bytes(fan_frames(9), step_ms=20)) == {FindingCode.TOO_SHORT}


def test_other_modalities_stand_alone() -> None:
    assert codes(dicom_bytes(fan_frames(), Modality="CT")) == {FindingCode.NOT_ULTRASOUND}


@pytest.mark.parametrize("gain", [0.0, 0.05, 0.15])
def test_a_picture_that_is_nearly_black_is_dark(gain: float) -> None:
    assert codes(dicom_bytes(np.asarray(fan_frames() * gain, np.uint8))) == {FindingCode.DARK}


def test_a_sector_that_is_white_all_over_is_saturated() -> None:
    assert codes(dicom_bytes(np.asarray(np.minimum(fan_frames() * 4.0, 255), np.uint8))) == {FindingCode.SATURATED}


def test_a_dim_picture_without_a_sector_has_none() -> None:
    frames = np.zeros((12, 120, 160), np.uint8)
    frames[:, 20:40, 30:140] = fan_frames()[:, 60:80, 30:140]  # a band, an eighth of the picture
    assert codes(dicom_bytes(frames)) == {FindingCode.NO_SECTOR}


def test_all_that_is_wrong_is_said_the_most_telling_first() -> None:
    frames = with_colour_box(as_rgb(still_frames(5)))
    intake = take_in(rgb(frames), IntakeOptions())
    wanted = [FindingCode.COLOUR_DOPPLER, FindingCode.FROZEN, FindingCode.TOO_SHORT]
    assert [finding.code for finding in intake.findings] == wanted


@pytest.mark.parametrize(
    "data",
    [
        dicom_bytes(still_frames()),
        dicom_bytes(still_frames(1)),
        dicom_bytes(fan_frames(5)),
        dicom_bytes(np.zeros((9, 64, 64), np.uint8)),
        dicom_bytes(fan_frames(), Modality="CT"),
        rgb(with_colour_box(as_rgb(fan_frames()))),
    ],
    ids=["frozen", "still", "short", "dark", "CT", "colour"],
)
def test_every_rejection_says_what_to_do(data: bytes) -> None:
    intake = take_in(data, IntakeOptions())
    assert not intake.is_accepted
    for finding in intake.findings:
        assert finding.severity is Severity.REJECT
        assert "end " in finding.message or "record again" in finding.message
