"""What of a cine is shown on a screen: echo, small and grey, and nobody's name."""

from __future__ import annotations

import numpy as np
import pytest

from services.cine.errors import CineUnreadableError
from services.cine.film import MOST_FRAMES, MOST_SIDE_PX, make_film
from services.cine.intake import IntakeOptions, take_in
from services.cine.sector import Sector
from tests.builders import avi_bytes, dicom_bytes, fan_frames, gif_bytes, with_text

OPTIONS = IntakeOptions()


@pytest.mark.parametrize("data", [dicom_bytes(fan_frames()), avi_bytes(fan_frames()), gif_bytes(fan_frames())])
def test_a_small_cine_is_shown_whole_and_black_outside_its_sector(data: bytes) -> None:
    film, intake = make_film(data, OPTIONS), take_in(data, OPTIONS)
    assert film.frames.shape == (12, 120, 160)
    assert film.frames.dtype == np.uint8
    assert film.outline_px is not None
    assert np.allclose(film.outline_px, intake.outline_px, atol=0.01)
    inside = Sector(film.outline_px, 120, 160).mask()
    assert not film.frames[:, ~inside].any()
    assert film.frames[:, inside].mean() > 20


def test_a_name_on_the_screen_changes_nothing_that_is_shown() -> None:
    frames = fan_frames(12, 240, 320)
    plain, written = (make_film(dicom_bytes(made), OPTIONS) for made in (frames, with_text(frames, "LUNDQVIST")))
    assert np.array_equal(plain.frames, written.frames)


def test_a_large_and_long_cine_is_shown_in_small_and_evenly() -> None:
    film = make_film(dicom_bytes(fan_frames(150, 300, 1000), FrameTime=20.0), OPTIONS)
    assert film.frames.shape == (MOST_FRAMES, 144, MOST_SIDE_PX)
    assert film.times_ms[0] == 0
    assert film.times_ms[-1] == pytest.approx(149 * 20.0)
    assert set(np.diff(film.times_ms)) <= {40.0, 60.0}
    assert film.outline_px is not None
    assert film.outline_px.min() >= -0.5
    assert film.outline_px[:, 0].max() <= MOST_SIDE_PX
    assert film.outline_px[:, 1].max() > 100


def test_of_a_damaged_frame_nothing_is_shown() -> None:
    frames = fan_frames(20)
    frames[7] = 255 - frames[7]
    film = make_film(dicom_bytes(frames, FrameTime=40.0), OPTIONS)
    assert len(film.frames) == 19
    assert 280.0 not in film.times_ms


@pytest.mark.parametrize(
    "data",
    [dicom_bytes(np.full((3, 50, 60), 90, np.uint8)), dicom_bytes(fan_frames(5), Modality="CT")],
    ids=["no sector", "no ultrasound"],
)
def test_without_a_sector_all_is_black(data: bytes) -> None:
    film = make_film(data, OPTIONS)
    assert film.outline_px is None
    assert len(film.frames) == len(film.times_ms) > 0
    assert not film.frames.any()


def test_what_is_no_cine_is_refused() -> None:
    with pytest.raises(CineUnreadableError):
        make_film(b"no cine", OPTIONS)
