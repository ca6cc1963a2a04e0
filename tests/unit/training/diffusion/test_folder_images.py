"""A user's own images: read as model input, split by subject, and every mistake named by its line."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from services.cine.errors import ConfigError
from training.diffusion.config import DiffusionConfig, load_preset, with_own_images
from training.diffusion.folder_images import load_folder

STYLES = ("site_a", "site_b")


def write_folder(folder: Path, rows: list[dict[str, str]]) -> Path:
    for index, row in enumerate(rows):
        image = np.full((90, 120), 30, np.uint8)
        image[20:70, 10 + index : 60 + index] = 180
        cv2.imwrite(str(folder / row["file"]), image)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "view", "style", "subject"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def make_rows(count: int = 40) -> list[dict[str, str]]:
    views = ("A2C", "A4C", "PLAX", "PSAX")
    return [
        {"file": f"{i}.png", "view": views[i % 4], "style": STYLES[i % 2], "subject": f"person {i // 2}"}
        for i in range(count)
    ]


def test_every_image_is_read_and_no_subject_is_in_both_parts(tmp_path: Path) -> None:
    rows = make_rows()
    parts = load_folder(write_folder(tmp_path, rows), STYLES)
    assert len(parts.training.images) + len(parts.held_out.images) == len(rows)
    assert len(parts.training.images) % 2 == len(parts.held_out.images) % 2 == 0  # two of each subject
    assert parts.training.images.shape[1:] == (112, 112)
    assert parts.training.images.max() == pytest.approx(180, abs=2)
    assert set(parts.training.styles.tolist()) == {0, 1}


def test_images_keep_their_shape_in_the_square(tmp_path: Path) -> None:
    image = load_folder(write_folder(tmp_path, make_rows()), STYLES).training.images[0]
    lit = image > 100
    height, width = lit.any(axis=1).sum(), lit.any(axis=0).sum()
    assert width == pytest.approx(height, abs=2)  # a square of 50 px in a picture of 120x90


@pytest.mark.parametrize(("column", "value"), [("view", "A3C"), ("style", "site_c"), ("subject", "")])
def test_mistake_is_named_by_its_line(tmp_path: Path, column: str, value: str) -> None:
    rows = make_rows()
    rows[5][column] = value
    with pytest.raises(ConfigError, match="line 7"):
        load_folder(write_folder(tmp_path, rows), STYLES)


def test_missing_file_table_or_second_subject_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no .*labels\.csv"):
        load_folder(tmp_path, STYLES)
    write_folder(tmp_path, make_rows(2))
    with pytest.raises(ConfigError, match="1 subjects"):
        load_folder(tmp_path, STYLES)
    write_folder(tmp_path, make_rows())
    (tmp_path / "3.png").unlink()
    with pytest.raises(ConfigError, match="no readable image"):
        load_folder(tmp_path, STYLES)


def test_preset_takes_its_styles_from_the_folder(tmp_path: Path) -> None:
    config = with_own_images(load_preset("smoke", DiffusionConfig), write_folder(tmp_path, make_rows()))
    assert config.data.styles == STYLES
    assert config.data.folder == str(tmp_path)
    with pytest.raises(ConfigError, match=r"labels\.csv"):
        with_own_images(config, tmp_path / "nowhere")
