"""Each finding, on a cine that has it and on one that has not."""

from __future__ import annotations

import numpy as np
import pytest

from services.cine.cine import UInt8Array
from services.cine.intake import IntakeOptions, take_in
from services.cine.validation import LEAST_DURATION_MS, LEAST_FRAMES, NO_SECTOR, NOT_ULTRASOUND, FindingCode, Severity
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


@pytest.mark.parametrize("gain", [0.3, 1.0, 1.8])
@pytest.mark.parametrize("tint", [SEPIA, BLUE], ids=["sepia", "blue"])
def test_a_tinted_grey_map_is_no_colour_doppler_however_bright(tint: tuple[float, float, float], gain: float) -> None:
    assert codes(rgb(as_rgb(brighter(gain), tint))) == set()


@pytest.mark.parametrize("flow", [(230, 20, 10), (10, 60, 240), (250, 240, 20)], ids=["towards", "away", "fast"])
@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), SEPIA], ids=["grey", "sepia"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
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


def test_colour_is_found_also_when_it_comes_late() -> None:
    frames = as_rgb(fan_frames())
    frames[7:] = with_colour_box(as_rgb(fan_frames()))[7:]
    assert codes(rgb(frames)) == {FindingCode.COLOUR_DOPPLER}


@pytest.mark.parametrize("count", [1, 12])
def test_a_still_is_found(count: int) -> None:
    assert codes(dicom_bytes(still_frames(count))) == {FindingCode.STILL}


def test_a_still_under_a_running_clock_is_still_a_still() -> None:
    frames = still_frames()
    frames[:, 4:10, 4:40] = np.random.default_rng(0).integers(0, 255, (len(frames), 6, 36))
    assert codes(dicom_bytes(frames)) == {FindingCode.STILL}


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


def test_no_sector_and_not_ultrasound_stand_alone() -> None:
    assert codes(dicom_bytes(np.zeros((9, 64, 64), np.uint8))) == {FindingCode.NO_SECTOR}
    assert codes(dicom_bytes(fan_frames(), Modality="CT")) == {FindingCode.NOT_ULTRASOUND}


def test_every_finding_rejects_and_says_what_to_do() -> None:
    found = [NO_SECTOR, NOT_ULTRASOUND]
    for data in (dicom_bytes(still_frames()), dicom_bytes(fan_frames(5)), rgb(with_colour_box(as_rgb(fan_frames())))):
        intake = take_in(data, IntakeOptions())
        assert not intake.is_accepted
        found += intake.findings
    assert {finding.code for finding in found} == set(FindingCode)
    for finding in found:
        assert finding.severity is Severity.REJECT
        assert "Send" in finding.message
