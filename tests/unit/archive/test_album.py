"""Pictures of answers, whatever a file is called."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from services.answers import Answer
from services.archive.album import OVERVIEW, Album
from services.cine.errors import ConfigError
from services.cine.intake import Intake, IntakeOptions, take_in
from tests.builders import dicom_bytes, fan_frames
from tests.unit.archive.answering import accepted, failed

CINE = dicom_bytes(fan_frames())


class Reader:
    """Reads in this thread, and counts."""

    calls = 0

    def take_in(self, data: bytes, options: IntakeOptions) -> Intake:
        self.calls += 1
        return take_in(data, options)


def album(folder: Path, reader: Reader) -> Album:
    return Album(folder, IntakeOptions(), reader)  # type: ignore[arg-type]


def seen(answer: Answer) -> Answer:
    return Answer(answer.path, answer.name, answer.response, intake=take_in(CINE, IntakeOptions()))


@pytest.mark.parametrize("name", ["a.dcm", "s1/IM1", "latin\udce9", "new\nline\x1b[31m", "é"])
def test_an_answer_is_drawn_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    album(tmp_path, Reader()).add(seen(accepted(name)), CINE)
    assert (tmp_path / f"{name}.png").stat().st_size > 1000


def test_a_cine_that_was_read_here_is_not_read_again(tmp_path: Path) -> None:
    reader = Reader()
    pictures = album(tmp_path, reader)
    pictures.add(seen(accepted()), CINE)
    assert reader.calls == 0
    pictures.add(accepted("b.dcm"), CINE)
    assert reader.calls == 1
    assert (tmp_path / "b.dcm.png").exists()


def test_the_overview_has_a_row_of_tiles_for_each_answer(tmp_path: Path) -> None:
    pictures = album(tmp_path, Reader())
    for number in range(15):
        pictures.add(seen(accepted(f"{number}.dcm")), CINE)
    pictures.add(seen(accepted("x", 0.5, "VIEW_UNSPECIFIED")), CINE)
    pictures.finish()
    sheet = cv2.imread(str(tmp_path / OVERVIEW), cv2.IMREAD_GRAYSCALE)
    assert sheet is not None
    assert sheet.shape == (2 * (30 + 112), 12 * 112)
    assert sheet[30:142, -112:].std() > 10
    assert sheet[172:, 112:].max() == 0


def test_what_cannot_be_drawn_is_counted_and_errors_have_no_picture(tmp_path: Path) -> None:
    pictures = album(tmp_path / "out", Reader())
    pictures.add(seen(accepted("n" * 255)), CINE)
    pictures.add(accepted("b.dcm"), b"no cine")
    pictures.add(failed(), b"")
    pictures.finish()
    assert pictures.missing == 2
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_need_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="no folder"):
        album(tmp_path / "file" / "out", Reader())
