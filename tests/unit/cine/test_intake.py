"""From bytes to model input, whole; and nobody's name on the way."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from services.cine.budget import ReadLimits
from services.cine.cine import CineFormat
from services.cine.errors import CineUnreadableError, InputError, Reason
from services.cine.intake import STAGES, IntakeOptions, take_in
from services.cine.reading import read_cine
from services.cine.selection import Selection
from tests.builders import (
    avi_bytes,
    dicom_bytes,
    fan_frames,
    gif_bytes,
    mp4_bytes,
    png_bytes,
    region_item,
    with_text,
)

FRAMES = fan_frames(12)
FILES = {
    "raw": dicom_bytes(FRAMES),
    "jpeg": dicom_bytes(FRAMES, "jpeg"),
    "avi": avi_bytes(FRAMES),
    "mp4": mp4_bytes(FRAMES),
    "gif": gif_bytes(FRAMES),
}

IDENTITY: dict[str, Any] = {
    "PatientName": "Lundqvist^Astrid",
    "PatientID": "19520229-1234",
    "PatientBirthDate": "19520229",
    "InstitutionName": "Sahlgrenska",
    "OtherPatientIDs": "OTHER77",
    "StudyInstanceUID": "1.2.826.19520229",
    "StudyDescription": "Astrid follow-up",
    "ImageComments": "Astrid",
}


@pytest.mark.parametrize("kind", FILES)
def test_a_cine_in_every_format_becomes_the_same_model_input(kind: str) -> None:
    intake = take_in(FILES[kind], IntakeOptions(selection=Selection.EVEN))
    source = take_in(FILES["raw"], IntakeOptions(selection=Selection.EVEN))
    assert intake.is_accepted
    assert (intake.cine.rows, intake.cine.columns, intake.cine.frame_count) == (120, 160, 12)
    assert intake.frame_indices.tolist() == source.frame_indices.tolist()
    assert np.allclose(intake.frame_times_ms, source.frame_times_ms, atol=1)
    assert np.abs(intake.model_input - source.model_input).mean() < 0.1  # blocks of a codec blur the sector's border


@pytest.mark.parametrize("selection", Selection)
@pytest.mark.parametrize("max_frames", [1, 5, 64])
def test_as_many_frames_as_asked_for_or_there_are(selection: Selection, max_frames: int) -> None:
    intake = take_in(FILES["raw"], IntakeOptions(selection=selection, max_frames=max_frames))
    wanted = min(max_frames, 12)
    assert intake.model_input.shape == (wanted, 1, 112, 112)
    assert len(intake.frame_indices) == len(intake.frame_times_ms) == wanted
    assert np.allclose(intake.frame_times_ms, intake.frame_indices * 40)


@pytest.mark.parametrize("selection", Selection)
def test_the_same_bytes_give_the_same_answer(selection: Selection) -> None:
    first, second = (take_in(FILES["jpeg"], IntakeOptions(selection=selection)) for _ in range(2))
    assert np.array_equal(first.model_input, second.model_input)
    assert np.array_equal(first.frame_indices, second.frame_indices)


def test_a_random_draw_depends_on_the_bytes() -> None:
    draws = {
        tuple(take_in(dicom_bytes(fan_frames(40, seed=seed)), IntakeOptions(selection=Selection.RANDOM)).frame_indices)
        for seed in range(4)
    }
    assert len(draws) == 4


def test_text_on_the_screen_does_not_reach_the_model() -> None:
    plain = take_in(FILES["raw"], IntakeOptions(selection=Selection.EVEN))
    written = take_in(dicom_bytes(with_text(FRAMES, "A4C")), IntakeOptions(selection=Selection.EVEN))
    assert np.abs(plain.model_input - written.model_input).mean() < 0.02


def test_timings_name_every_stage() -> None:
    timings_ms = take_in(FILES["raw"], IntakeOptions()).timings_ms
    assert tuple(timings_ms) == STAGES
    assert min(timings_ms.values()) > 0


@pytest.mark.parametrize(
    "data",
    [
        dicom_bytes(FRAMES, Modality="MR"),
        dicom_bytes(np.zeros((9, 50, 60), np.uint8)),
        png_bytes(np.zeros((9, 9), np.uint8)),
    ],
    ids=["MR", "black", "tiny"],
)
def test_without_a_sector_the_model_gets_nothing(data: bytes) -> None:
    intake = take_in(data, IntakeOptions())
    assert not intake.is_accepted
    assert intake.model_input.shape == (0, 1, 112, 112)
    assert len(intake.frame_indices) == len(intake.frame_times_ms) == len(intake.outline_px) == 0


def test_the_tissue_region_of_dicom_is_believed() -> None:
    frames = FRAMES.copy()
    frames[:, :, 124:] = frames[0, :, 124:]
    region = region_item(0, 0, 119, 119)
    outline = take_in(dicom_bytes(frames, SequenceOfUltrasoundRegions=[region]), IntakeOptions()).outline_px
    assert outline[:, 0].max() <= 120 < take_in(dicom_bytes(frames), IntakeOptions()).outline_px[:, 0].max()


def test_a_small_sector_on_a_large_screen_is_taken_in() -> None:
    screen = np.zeros((8, 900, 900), np.uint8)  # kept at half size
    screen[:, 200:620, 300:720] = fan_frames(8, 420, 420)  # wanted at full size
    intake = take_in(avi_bytes(screen, "rawvideo", "gray"), IntakeOptions())
    assert intake.model_input.shape == (8, 1, 112, 112)


def test_options_reach_the_reader() -> None:
    with pytest.raises(CineUnreadableError) as caught:
        take_in(FILES["raw"], IntakeOptions(claimed_format=CineFormat.AVI))
    assert caught.value.reason is Reason.FORMAT_MISMATCH
    with pytest.raises(InputError) as limited:
        take_in(FILES["avi"], IntakeOptions(limits=ReadLimits(max_frames=3)))
    assert limited.value.reason is Reason.LIMIT_FRAMES


def everything(thing: object, depth: int = 8) -> str:
    """Everything an object says and holds, in words."""
    if depth == 0:
        return ""
    held = list(getattr(thing, "__dict__", {}).values())
    held += [getattr(thing, field.name) for field in fields(thing)] if is_dataclass(thing) else []
    held += list(thing) if isinstance(thing, dict | list | tuple) else []
    return repr(thing) + "".join(everything(item, depth - 1) for item in held)


@pytest.mark.parametrize("syntax", ["raw", "jpeg"])
def test_no_identity_is_anywhere_in_a_cine_or_its_intake(syntax: str) -> None:
    data = dicom_bytes(FRAMES, syntax, SequenceOfUltrasoundRegions=[region_item(0, 0, 150, 110)], **IDENTITY)
    assert b"Lundqvist" in data
    said = everything(read_cine(data, ReadLimits())) + everything(take_in(data, IntakeOptions()))
    for value in IDENTITY.values():
        assert not any(part in said for part in value.split("^"))


@pytest.mark.parametrize("change", [{"Rows": 0}, {"Rows": 9}, {"photometric": "LUNDQVIST"}, {"syntax": "1.2.19520229"}])
def test_no_identity_is_in_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        take_in(dicom_bytes(FRAMES, **(IDENTITY | change)), IntakeOptions())
    said = everything(caught.value).lower()
    for value in IDENTITY.values():
        assert not any(part.lower() in said for part in value.split("^"))
