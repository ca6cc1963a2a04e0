"""A copy is found however it is held, a stranger is not, and no batching changes an answer."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from services.cine.errors import ConfigError, ModelContractError
from services.cine.preprocessing import to_tensor
from services.models.copy_filter import CopyFilter, Judgement
from services.models.copy_index import load_index, save_index
from tests.unit.models.copy_scenes import SIDE_PX, frame, frames, make_index

TRAINED, STRANGERS = range(100, 112), range(500, 512)


@pytest.fixture(scope="module")
def judge() -> CopyFilter:
    return CopyFilter(make_index(TRAINED))


def ask(judge: CopyFilter, pictures: np.ndarray) -> list[Judgement]:
    condition = np.zeros(len(pictures), np.int64)
    return judge.judge(to_tensor(pictures), condition, condition)


def turned(picture: np.ndarray, degrees: float, scale: float, right_px: float) -> np.ndarray:
    way = cv2.getRotationMatrix2D((55.5, 55.5), degrees, scale)
    way[0, 2] += right_px
    return np.asarray(cv2.warpAffine(picture, way, (SIDE_PX, SIDE_PX)), np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        lambda picture: np.ascontiguousarray(picture[:, ::-1]),
        lambda picture: turned(picture, 9.0, 1.0, 0.0),
        lambda picture: turned(picture, 0.0, 1.15, 0.0),
        lambda picture: turned(picture, -4.0, 1.0, 7.0),
        lambda picture: (picture * 0.7).astype(np.uint8),
    ],
    ids=["same", "mirrored", "turned", "cropped", "moved", "darker"],
)
def test_a_changed_copy_is_found_and_named(judge: CopyFilter, change) -> None:
    judged = ask(judge, np.stack([change(frame(subject, 1)) for subject in TRAINED]))
    assert [one.record.subject for one in judged] == list(TRAINED)
    assert all(one.is_copy for one in judged)
    assert max(one.record.ratio for one in judged) < 0.8


def test_strangers_are_no_copies(judge: CopyFilter) -> None:
    judged = ask(judge, frames(STRANGERS))
    assert not any(one.is_copy for one in judged)
    assert min(one.record.distance for one in judged) > 0.5


def test_half_a_copy_is_found_in_its_half(judge: CopyFilter) -> None:
    joined = frames(STRANGERS)
    joined[:, :, : SIDE_PX // 2] = frames(TRAINED)[:, :, : SIDE_PX // 2]
    judged = ask(judge, joined)
    assert [one.record.subject for one in judged] == list(TRAINED)
    assert {one.record.region for one in judged} == {3}


def test_an_answer_does_not_depend_on_the_batch(judge: CopyFilter) -> None:
    pictures = np.concatenate([frames(TRAINED), frames(STRANGERS)])
    alone = [ask(judge, pictures[place : place + 1])[0] for place in range(len(pictures))]
    together = ask(judge, pictures)
    assert alone == together  # to the last bit of every number


def test_the_ratio_is_to_another_subject(judge: CopyFilter) -> None:
    record = ask(judge, frame(TRAINED[0])[None])[0].record
    assert record.distance < 0.1  # the other frame of this subject is nearly as near, and does not count
    assert record.ratio < 0.2


def test_without_thumbnails_the_same_pictures_are_found() -> None:
    judged = ask(CopyFilter(make_index(TRAINED, keeps_thumbnails=False)), frames(TRAINED))
    assert [one.record.subject for one in judged] == list(TRAINED)
    assert all(one.is_copy for one in judged)


def test_a_black_picture_is_judged(judge: CopyFilter) -> None:
    assert not ask(judge, np.zeros((1, SIDE_PX, SIDE_PX), np.uint8))[0].is_copy


def test_an_index_comes_back_as_it_was_saved(tmp_path: Path, judge: CopyFilter) -> None:
    index = make_index(TRAINED)
    save_index(index, tmp_path / "index.npz")
    held = load_index(tmp_path / "index.npz", index.model_sha256)
    assert (tmp_path / "index.npz").stat().st_mode & 0o077 == 0
    pictures = np.concatenate([frames(TRAINED), frames(STRANGERS)])
    assert [one.is_copy for one in ask(CopyFilter(held), pictures)] == [one.is_copy for one in ask(judge, pictures)]


def test_an_index_of_other_weights_is_refused(tmp_path: Path) -> None:
    save_index(make_index(TRAINED), tmp_path / "index.npz")
    with pytest.raises(ModelContractError, match="copy index for weights abab"):
        load_index(tmp_path / "index.npz", "cd" * 32)


def test_a_damaged_or_missing_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.npz"
    with pytest.raises(ConfigError, match="no readable copy index"):
        load_index(path, "ab" * 32)
    save_index(make_index(TRAINED), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ConfigError, match="no readable copy index"):
        load_index(path, "ab" * 32)


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    index = make_index(TRAINED)
    save_index(replace(index, subjects=index.subjects[::-1]), tmp_path / "index.npz")
    with pytest.raises(ConfigError):
        load_index(tmp_path / "index.npz", index.model_sha256)


def test_p_values_are_ranks_among_strangers() -> None:
    reference = replace(make_index(TRAINED).reference, scores=np.array([-3.0, -1.0, 0.0], np.float32))
    found = reference.p_values(np.array([-4.0, -3.0, -0.5, 2.0], np.float32))
    assert found == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1])


def test_an_index_of_one_subject_is_refused() -> None:
    with pytest.raises(ConfigError, match="one subject"):
        CopyFilter(make_index(range(7, 8)))


def test_two_subjects_are_enough() -> None:
    judged = ask(CopyFilter(make_index(range(7, 9), count=1)), frames(range(7, 9)))
    assert [one.record.subject for one in judged] == [7, 8]
    assert all(one.record.ratio < 0.3 for one in judged)
